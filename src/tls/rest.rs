//! Bytes that wait, and memory that is given back as soon as none do.

use tokio::io::ReadBuf;

/// What is left of some bytes.
#[derive(Default)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    taken: usize,
}

impl Rest {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[cfg(test)]
    pub(super) fn owned(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.taken..]
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets the first bytes.
    pub(super) fn take(&mut self, length: usize) {
        self.taken += length;
        if self.taken == self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Waits with these bytes, and no others.
    pub(super) fn replace(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            *self = Self::default();
        } else {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
            self.taken = 0;
        }
    }

    /// Hands on as much as there is room for.
    pub(super) fn pour(&mut self, room: &mut ReadBuf<'_>) {
        let length = self.as_slice().len().min(room.remaining());
        room.put_slice(&self.as_slice()[..length]);
        self.take(length);
    }
}
