//! What a Close frame says, and what we say in ours.

use crate::fault::CloseCode;

/// The meaning of a Close frame's payload (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Close {
    /// It carries a code that may stand on the wire.
    Code(CloseCode),
    /// It carries none.
    Empty,
    /// It carries something that is not allowed there.
    Malformed,
    /// It carries a lawful code, and a reason that is not UTF-8.
    NotUtf8,
}

impl Close {
    /// Reads the unmasked payload of a Close frame.
    #[must_use]
    pub fn read(payload: &[u8]) -> Self {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Self::Empty
            } else {
                Self::Malformed
            };
        };
        let code = u16::from_be_bytes(*code);
        let on_the_wire = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        if !on_the_wire {
            Self::Malformed
        } else if std::str::from_utf8(reason).is_err() {
            Self::NotUtf8
        } else {
            Self::Code(CloseCode(code))
        }
    }

    /// Whether it breaks the protocol.
    #[must_use]
    pub const fn is_unlawful(self) -> bool {
        matches!(self, Self::Malformed | Self::NotUtf8)
    }

    /// The code, when there is a lawful one.
    #[must_use]
    pub const fn code(self) -> Option<CloseCode> {
        match self {
            Self::Code(code) => Some(code),
            Self::Empty | Self::Malformed | Self::NotUtf8 => None,
        }
    }
}

/// Our own words for a close code: static, so that nothing of the engine's can be in them. The
/// meanings of 4000–4240 are those of Qlik's client libraries.
#[must_use]
pub const fn reason(code: CloseCode) -> &'static str {
    match code.0 {
        1001 => "Going away",
        1002 => "Protocol error",
        1007 => "Not UTF-8",
        1009 => "Message too big",
        4001 => "Idle for too long",
        4002 => "Licence renewal",
        4003 => "Restarting; reconnect",
        4004 => "App deleted",
        4005 => "Session limit reached",
        4006 => "App session ended or not valid",
        4007 => "App mode changed",
        4200 => "Engine session ended",
        4201 => "Timeout",
        4202 => "Bad request",
        4203 => "No permission to open the app",
        4204 => "App not found",
        4205 => "Too many connections",
        4206 => "Network connection lost",
        4210 | 4211 => "Analytics service not available",
        4220 => "Engine error",
        4222 => "Reservation missing",
        4230 => "No entitlement",
        4240 => "No engine available",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_read_as_the_standard_says() {
        let table: &[(&[u8], Close)] = &[
            (b"", Close::Empty),
            (b"\x03", Close::Malformed),
            (b"\x03\xe8", Close::Code(CloseCode(1000))),
            (b"\x03\xed", Close::Malformed), // 1005 never stands on the wire
            (b"\x03\xee", Close::Malformed), // nor does 1006
            (b"\x0f\xa6bye", Close::Code(CloseCode(4006))),
            (b"\x0f\xa6\xff", Close::NotUtf8), // a reason is UTF-8
            (b"\x03\xed\xff", Close::Malformed),
            (b"\x13\x88", Close::Malformed), // 5000
        ];
        for (payload, expected) in table {
            assert_eq!(Close::read(payload), *expected, "{payload:?}");
        }
    }

    #[test]
    fn every_reason_fits_a_control_frame() {
        assert!((0..=u16::MAX).all(|code| reason(CloseCode(code)).len() <= 123));
    }
}
