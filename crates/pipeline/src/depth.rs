//! Keeps what is read from strangers from running out of stack: parsers and trees recurse as deep as a document nests.

/// Stack of a thread that reads a document: pages of it that are not touched cost nothing.
const STACK: usize = 256 << 20;

/// Runs `read` on a thread with a stack that is large enough for any document within the limits of its reader. What it returns
/// may nest no deeper than other threads have stack for.
///
/// # Errors
/// A thread that cannot be started, or that panicked.
pub(crate) fn with_large_stack<T: Send>(read: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("reader".to_owned()).stack_size(STACK);
        let reading = thread.spawn_scoped(scope, read).map_err(|error| format!("no thread can be started: {error}"))?;
        reading.join().map_err(|_| "reading it panicked, which is a mistake of this program".to_owned())
    })
}
