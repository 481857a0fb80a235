//! Work in chunks on a few threads. The chunks are the same for any number of threads, and so are the results.

use std::sync::Mutex;

/// Runs `work` on every chunk, on up to `threads` threads, and returns the results in the chunks' order. With one thread nothing is spawned.
pub fn for_each_chunk<T: Send, R: Send>(chunks: Vec<T>, threads: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(chunks.len());
    if threads <= 1 {
        return chunks.into_iter().map(work).collect();
    }
    let mut results: Vec<(usize, R)> = Vec::with_capacity(chunks.len());
    let queue = Mutex::new(chunks.into_iter().enumerate());
    let next = || match queue.lock() {
        Ok(mut queue) => queue.next(),
        // Another thread panicked; its panic comes out when the scope ends.
        Err(_) => None,
    };
    let run = || {
        let mut results = Vec::new();
        while let Some((i, chunk)) = next() {
            results.push((i, work(chunk)));
        }
        results
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        results.extend(run());
        for other in others {
            match other.join() {
                Ok(found) => results.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    results.sort_unstable_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Cuts a slice into pieces of these lengths.
pub(crate) fn split_mut<T>(mut slice: &mut [T], lengths: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = std::mem::take(&mut slice).split_at_mut(length);
        pieces.push(piece);
        slice = rest;
    }
    pieces
}
