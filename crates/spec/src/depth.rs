//! Keeps what is read from strangers from running out of stack: parsers and trees recurse as deep as a document nests.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of the stack of a thread that reads a document: pages of it that are not touched cost nothing.
pub const STACK: usize = 256 << 20;

/// The name of such a thread.
const READER: &str = "reader";

/// Runs `read` on a thread with a stack that is large enough for any document within the limits of its reader, or where it is called, if
/// that is such a thread. What it returns may nest no deeper than other threads have stack for.
///
/// # Errors
/// A thread that cannot be started, or that panicked.
pub fn with_large_stack<T: Send>(read: impl FnOnce() -> T + Send) -> Result<T, String> {
    let panicked = |_| "reading it panicked, which is a mistake of this program".to_owned();
    if std::thread::current().name() == Some(READER) {
        return catch_unwind(AssertUnwindSafe(read)).map_err(panicked);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(READER.to_owned()).stack_size(STACK);
        let reading = thread.spawn_scoped(scope, read).map_err(|error| format!("no thread can be started: {error}"))?;
        reading.join().map_err(panicked)
    })
}
