//! The few frames the proxy makes itself. Towards a client they go unmasked; towards the engine
//! they carry the mask they are given.

use super::header::Opcode;
use super::mask::Mask;
use crate::fault::CloseCode;

/// A Close frame with a code and a reason of at most 123 bytes.
#[must_use]
pub fn close_frame(code: CloseCode, reason: &str, mask: Option<Mask>) -> Vec<u8> {
    let mut payload = code.0.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    control(Opcode::Close, &payload, mask)
}

/// A Close frame that says nothing.
#[must_use]
pub fn bare_close_frame(mask: Option<Mask>) -> Vec<u8> {
    control(Opcode::Close, b"", mask)
}

/// A Ping frame.
#[must_use]
pub fn ping_frame(payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    control(Opcode::Ping, payload, mask)
}

/// A Pong frame.
#[must_use]
pub fn pong_frame(payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    control(Opcode::Pong, payload, mask)
}

/// An unmasked text message in one frame.
#[must_use]
pub fn message_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 10);
    frame.push(0x80 | Opcode::Text.bits());
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ ..126), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(text);
    frame
}

fn control(opcode: Opcode, payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    let payload = &payload[..payload.len().min(125)];
    let length = u8::try_from(payload.len()).unwrap_or(125);
    let mut frame = vec![0x80 | opcode.bits(), length];
    if let Some(mask) = mask {
        frame[1] |= 0x80;
        frame.extend_from_slice(&mask.0);
    }
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(mask) = mask {
        mask.apply(&mut frame[start..]);
    }
    frame
}
