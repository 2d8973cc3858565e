//! What one side of a line hears: an HTTP head, then frames.

use super::frames::Frames;

/// The longest head that is read.
const HEAD: usize = 16 << 10;

/// What was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// A Close, or what no peer should say.
    Close,
    /// A whole HTTP head.
    Head(String),
    /// A whole message of this many bytes.
    Message(u64),
    /// A ping, and what it carries.
    Ping(Vec<u8>),
}

/// One direction of a line.
#[derive(Debug)]
pub(super) struct Ear {
    /// What has come of the head; `None` once it is over.
    head: Option<Vec<u8>>,
    frames: Frames,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            head: Some(Vec::new()),
            frames: Frames::default(),
        }
    }
}

impl Ear {
    /// Takes what came, and adds what it completes to `heard`.
    pub(super) fn take(&mut self, input: &[u8], heard: &mut Vec<Heard>) {
        let Some(mut said) = self.head.take() else {
            return self.frames.take(input, heard);
        };
        said.extend_from_slice(input);
        match said.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => {
                let text = String::from_utf8_lossy(&said[..end + 4]);
                heard.push(Heard::Head(text.into_owned()));
                self.frames.take(&said[end + 4..], heard);
            }
            None if said.len() > HEAD => heard.push(Heard::Close),
            None => self.head = Some(said),
        }
    }
}
