//! One frame header (RFC 6455 section 5.2).

/// The longest header a frame can have: 2 bytes, 8 of length, 4 of mask.
pub(super) const MAX_HEADER: usize = 14;

/// What a frame is (RFC 6455 section 11.8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opcode {
    /// Goes on with the message before it.
    Continuation,
    /// Begins a text message.
    Text,
    /// Begins a binary message.
    Binary,
    /// Ends the connection.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping, or is a heartbeat of its own.
    Pong,
}

impl Opcode {
    /// Whether frames of this kind may stand between the fragments of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// Which end of a websocket sent a frame: it decides the mask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sender {
    /// Masks every frame.
    Client,
    /// Masks none.
    Server,
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// A control frame in pieces, or over 125 bytes.
    #[error("control frame is fragmented or longer than 125 bytes")]
    BadControl,
    /// A length not in its shortest form, or over 2^63.
    #[error("payload length is not minimal or too large")]
    BadLength,
    /// A client frame without a mask, or a server frame with one.
    #[error("mask bit is wrong for the sender")]
    BadMask,
    /// An opcode nobody has defined.
    #[error("reserved opcode")]
    BadOpcode,
    /// A reserved bit that nothing negotiated.
    #[error("reserved bit set without an extension")]
    BadReserved,
    /// A continuation of nothing, or a new message inside another.
    #[error("fragments out of order")]
    BadSequence,
    /// A message over the route's limit.
    #[error("message is larger than the limit")]
    TooBig,
}

/// A parsed frame header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Whether the frame ends its message.
    pub fin: bool,
    /// The reserved bits, RSV1 highest (0–7).
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The mask, when there is one.
    pub mask: Option<[u8; 4]>,
    /// How many payload bytes follow.
    pub payload: u64,
    /// How many bytes the header itself takes.
    pub length: usize,
}

impl Header {
    /// Reads a header at the start of `bytes`; `None` while it is not all there.
    ///
    /// The first byte alone decides opcode and reserved bits, so those are judged before the rest
    /// has come.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Violation::BadOpcode)?;
        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        let masked = second & 0x80 != 0;
        let Some((payload, after_length)) = read_length(second & 0x7F, &bytes[2..])? else {
            return Ok(None);
        };
        let length = 2 + after_length + if masked { 4 } else { 0 };
        if bytes.len() < length {
            return Ok(None);
        }
        let mask = masked.then(|| {
            let at = length - 4;
            [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
        });
        let (fin, reserved) = (first & 0x80 != 0, (first >> 4) & 0x7);
        Ok(Some(Self {
            fin,
            reserved,
            opcode,
            mask,
            payload,
            length,
        }))
    }

    /// Holds the header against what does not depend on the frames before it.
    pub(super) fn check(&self, sender: Sender, allowed_reserved: u8) -> Result<(), Violation> {
        if self.mask.is_some() != (sender == Sender::Client) {
            return Err(Violation::BadMask);
        }
        if self.opcode.is_control() {
            if self.reserved != 0 {
                return Err(Violation::BadReserved);
            }
            if !self.fin || self.payload > 125 {
                return Err(Violation::BadControl);
            }
        }
        // RSV1 of permessage-deflate stands on a message's first frame only (RFC 7692 section 6).
        let allowed = if self.opcode == Opcode::Continuation {
            0
        } else {
            allowed_reserved
        };
        if self.reserved & !allowed != 0 {
            return Err(Violation::BadReserved);
        }
        Ok(())
    }
}

fn read_length(seven: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    match seven {
        126 => {
            let Some(bytes) = rest.first_chunk::<2>() else {
                return Ok(None);
            };
            let length = u64::from(u16::from_be_bytes(*bytes));
            if length < 126 {
                Err(Violation::BadLength)
            } else {
                Ok(Some((length, 2)))
            }
        }
        127 => {
            let Some(bytes) = rest.first_chunk::<8>() else {
                return Ok(None);
            };
            let length = u64::from_be_bytes(*bytes);
            let fits = length > u64::from(u16::MAX) && length >> 63 == 0;
            if fits {
                Ok(Some((length, 8)))
            } else {
                Err(Violation::BadLength)
            }
        }
        short => Ok(Some((u64::from(short), 0))),
    }
}
