//! Listens, on the way down, to what Qlik's proxy service says between the engine's messages.
//!
//! A message is looked at until it is told to be an answer, which takes its first few bytes, and
//! then streams; a notice is held until it is whole.

use std::borrow::Cow;

use crate::qix::{Notice, Speech};
use crate::ws::{Header, Opcode, unmask_message};

/// How much of a message is held. No notice is nearly as long.
const LONGEST: usize = 64 << 10;

/// What has been heard of the current message.
#[derive(Debug)]
pub(super) enum Ear {
    /// It is let through.
    Passing,
    /// These raw frames of it are held, and none is sent on yet. Empty between messages.
    Holding(Vec<u8>),
}

/// What is to be done with what was heard.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    /// Nothing yet.
    More,
    /// A whole notice, with its raw frames.
    Notice(Notice, Cow<'a, [u8]>),
    /// These bytes go on.
    Pass(Cow<'a, [u8]>),
    /// Something private in a message that is longer than any notice.
    TooLong,
}

/// Whether a run of bytes ends its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Run {
    /// It does.
    Last,
    /// More will come.
    Partial,
}

impl Ear {
    /// Before the first message.
    pub(super) const fn new() -> Self {
        Self::Holding(Vec::new())
    }

    /// Whether some of a message is held.
    pub(super) const fn is_holding(&self) -> bool {
        matches!(self, Self::Holding(held) if !held.is_empty())
    }

    /// Hears a run of bytes of one message.
    pub(super) fn hear<'a>(&mut self, bytes: &'a [u8], run: Run) -> Heard<'a> {
        let frames = match std::mem::replace(self, Self::Passing) {
            Self::Passing => return self.rest(Heard::Pass(Cow::Borrowed(bytes)), run),
            Self::Holding(held) if held.is_empty() => Cow::Borrowed(bytes),
            Self::Holding(mut held) => {
                held.extend_from_slice(bytes);
                Cow::Owned(held)
            }
        };
        match tell(&frames, run) {
            Told::Answer => self.rest(Heard::Pass(frames), run),
            Told::Notice(notice) => self.rest(Heard::Notice(notice, frames), run),
            Told::TooLong => {
                *self = Self::Holding(frames.into_owned());
                Heard::TooLong
            }
            Told::Unclear => {
                *self = Self::Holding(frames.into_owned());
                Heard::More
            }
        }
    }

    fn rest<'a>(&mut self, heard: Heard<'a>, run: Run) -> Heard<'a> {
        if run == Run::Last {
            *self = Self::new();
        }
        heard
    }
}

enum Told {
    Answer,
    Notice(Notice),
    TooLong,
    Unclear,
}

fn tell(frames: &[u8], run: Run) -> Told {
    // Most messages are answers, and say so in their first frame.
    if is_answer(frames) {
        return Told::Answer;
    }
    if run == Run::Partial && frames.len() <= LONGEST {
        return Told::Unclear;
    }
    let mut payload = Vec::new();
    unmask_message(frames, &mut payload);
    match (Notice::read(&payload), run) {
        (Some(notice), _) => Told::Notice(notice),
        (None, Run::Partial) if Notice::is_private(&payload) => Told::TooLong,
        (None, _) => Told::Answer,
    }
}

/// Whether the first frame tells an answer; a client understands no binary message anyway.
fn is_answer(frames: &[u8]) -> bool {
    let Ok(Some(header)) = Header::parse(frames) else {
        return false;
    };
    let payload = &frames[header.length..];
    let length = usize::try_from(header.payload).unwrap_or(usize::MAX);
    header.opcode == Opcode::Binary
        || Speech::of(&payload[..payload.len().min(length)]) == Speech::Answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::message_frame;

    const NOTICE: &[u8] =
        br#"{"method":"OnConnected","params":{"qSessionState":"SESSION_CREATED"}}"#;
    const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{"method":"OnConnected"}}"#;

    /// What goes on of a message that comes in runs of this length, and when it begins to.
    fn hear(frames: &[u8], length: usize) -> (Vec<u8>, Option<Notice>, usize) {
        let (mut ear, mut passed, mut heard) = (Ear::new(), Vec::new(), None);
        let (mut begun, mut taken) = (frames.len(), 0);
        // A cursor hands no header out in pieces.
        let (header, payload) = frames.split_at(2);
        let runs = std::iter::once(header).chain(payload.chunks(length));
        for bytes in runs {
            taken += bytes.len();
            let run = if taken == frames.len() {
                Run::Last
            } else {
                Run::Partial
            };
            match ear.hear(bytes, run) {
                Heard::More => {}
                Heard::Pass(bytes) => {
                    begun = begun.min(taken);
                    passed.extend_from_slice(&bytes);
                }
                Heard::Notice(notice, frames) => {
                    passed.extend_from_slice(&frames);
                    heard = Some(notice);
                }
                Heard::TooLong => panic!("it is short"),
            }
        }
        assert!(!ear.is_holding());
        (passed, heard, begun)
    }

    #[test]
    fn a_notice_is_held_until_it_is_whole_however_it_comes() {
        let frame = message_frame(NOTICE);
        for length in 1..=frame.len() {
            let (passed, notice, _) = hear(&frame, length);
            assert_eq!(notice.map(|notice| notice.label()), Some("connected"));
            assert_eq!(passed, frame);
        }
    }

    #[test]
    fn an_answer_streams_from_its_id_on() {
        let frame = message_frame(ANSWER);
        for length in 1..=frame.len() {
            let (passed, notice, begun) = hear(&frame, length);
            assert_eq!((passed, notice), (frame.clone(), None));
            assert!(begun <= 2 + 21 + length, "{begun} of {length}");
        }
    }

    #[test]
    fn fragments_are_heard_together() {
        let mut frames = Vec::new();
        for (at, byte) in NOTICE.iter().enumerate() {
            let mut frame = message_frame(&[*byte]);
            frame[0] = match at {
                0 => 0x01,
                _ if at + 1 < NOTICE.len() => 0x00,
                _ => 0x80,
            };
            frames.extend(frame);
        }
        let mut ear = Ear::new();
        let (first, last) = frames.split_at(frames.len() - 3);
        assert!(matches!(ear.hear(first, Run::Partial), Heard::More));
        let Heard::Notice(notice, raw) = ear.hear(last, Run::Last) else {
            panic!("no notice")
        };
        assert_eq!((notice.label(), &*raw), ("connected", &*frames));
    }

    #[test]
    fn what_is_too_long_for_a_notice_streams_unless_it_is_private() {
        let long = |begins: &str| {
            let text = format!("{{\"params\":{{\"{begins}\":\"{}", "x".repeat(LONGEST));
            let frame = message_frame(text.as_bytes());
            let mut ear = Ear::new();
            match ear.hear(&frame, Run::Partial) {
                Heard::Pass(bytes) => Some(bytes.len() == frame.len()),
                Heard::TooLong => None,
                heard => panic!("{heard:?}"),
            }
        };
        assert_eq!(long("qText"), Some(true));
        assert_eq!(long("userId"), None);
    }

    #[test]
    fn a_binary_message_and_the_one_after_it_are_told_apart() {
        let mut binary = message_frame(NOTICE);
        binary[0] = 0x82;
        let mut ear = Ear::new();
        assert!(matches!(ear.hear(&binary, Run::Last), Heard::Pass(_)));
        let notice = message_frame(NOTICE);
        assert!(matches!(ear.hear(&notice, Run::Last), Heard::Notice(..)));
    }
}
