//! Buffers that belong to the thread: a relay borrows them within one poll and keeps nothing, so
//! an idle socket costs none.

use std::cell::RefCell;

/// An answer of 64 KiB is carried in one read.
const READ: usize = 72 << 10;
/// How much of a large frame goes on before the thread's other sockets get their turn. With what TLS adds, it
/// fits one segment where segments are as large as they can be: a sender that paces itself (BBR) sends
/// the first at once, and arms a timer for whatever is put behind it.
pub(super) const TURN: usize = (64 << 10) - 256;
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
