//! A buffer for ciphertext that belongs to the thread: a stream borrows it within one poll.

use std::cell::Cell;

/// How much ciphertext is read or written at a time: 64 KiB of plaintext, a WebSocket header, and
/// what TLS adds to the five records that they make.
pub(super) const LARGEST: usize = (64 << 10) + 512;

/// The longest beginning of something incomplete that is kept: a handshake message, which rustls
/// holds to 64 KiB.
pub(super) const LONGEST_UNREAD: usize = 64 << 10;

thread_local! {
    static CIPHERTEXT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer: room for `LONGEST_UNREAD`, or for plaintext as long, and `LARGEST`. Pages that are never
/// touched cost nothing.
pub(super) fn lend<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = CIPHERTEXT.take();
    if buffer.is_empty() {
        buffer = vec![0; LONGEST_UNREAD + LARGEST];
    }
    let result = work(&mut buffer);
    CIPHERTEXT.set(buffer);
    result
}
