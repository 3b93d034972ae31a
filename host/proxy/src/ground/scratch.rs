//! Buffers for reading, shared by the connections of a worker: an idle connection holds no memory for reading.

use std::cell::RefCell;

/// The length of a buffer.
pub(crate) const LENGTH: usize = 64 * 1024;

thread_local! {
    // As many as were in use at once. That is two: what reads a WebSocket reads through the guard of its connection.
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer. What is read must be passed on, or put aside, before `read` returns.
pub(crate) fn with<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let free = FREE.with_borrow_mut(Vec::pop);
    let mut buffer = free.unwrap_or_else(|| vec![0; LENGTH].into_boxed_slice());
    let done = read(&mut buffer);
    FREE.with_borrow_mut(|free| free.push(buffer));
    done
}
