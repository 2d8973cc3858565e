//! Masks (RFC 6455 section 5.3).

use super::header::{Header, Opcode};

/// A frame's masking key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mask(pub [u8; 4]);

impl Mask {
    /// Masks or unmasks `payload`, whose first byte is the frame's first.
    pub fn apply(self, payload: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, tail) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in tail.iter_mut().zip(self.0.iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// Copies the payload of a whole message out of its raw frames into `payload`, unmasked, and says
/// of which kind it is. `frames` holds data frames only, as a [`super::Cursor`] has passed them.
pub fn unmask_message(mut frames: &[u8], payload: &mut Vec<u8>) -> Opcode {
    payload.clear();
    let mut kind = Opcode::Binary;
    while let Ok(Some(header)) = Header::parse(frames) {
        if header.opcode != Opcode::Continuation {
            kind = header.opcode;
        }
        let end = usize::try_from(header.payload).map_or(frames.len(), |length| {
            frames.len().min(header.length + length)
        });
        let start = payload.len();
        payload.extend_from_slice(&frames[header.length..end]);
        if let Some(key) = header.mask {
            Mask(key).apply(&mut payload[start..]);
        }
        frames = &frames[end..];
    }
    kind
}
