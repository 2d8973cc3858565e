//! Buffers that belong to the thread: a relay borrows them within one poll and keeps nothing, so
//! an idle socket costs none.

use std::cell::RefCell;

/// Large answers are carried in few reads; the size costs a thread, not a connection.
const READ: usize = 256 << 10;
/// A buffer that one large message has made larger is not kept.
const KEPT: usize = 64 << 10;

thread_local! {
    static READING: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
    static UNMASKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's read buffer. Not to be nested.
pub(super) fn reading<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    READING.with_borrow_mut(|scratch| work(scratch))
}

/// Lends the thread's buffer for an unmasked message. Not to be nested.
pub(super) fn unmasked<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    UNMASKED.with_borrow_mut(|scratch| {
        let result = work(scratch);
        if scratch.capacity() > KEPT {
            *scratch = Vec::new();
        }
        result
    })
}
