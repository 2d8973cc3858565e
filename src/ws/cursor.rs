//! A place in a stream of frames. It reads headers only, lets data bytes through as they are, and
//! hands control frames over whole. Memory: a header or a control frame that came in pieces.

use super::header::{Header, MAX_HEADER, Opcode, Sender, Violation};
use super::mask::Mask;

/// What a stream is held to.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Who sends it.
    pub sender: Sender,
    /// The reserved bits that an extension has negotiated (RSV1 is 4).
    pub reserved: u8,
    /// The largest message, in payload bytes as they are on the wire.
    pub max_message: u64,
}

/// How far a run of data may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// To the next control frame.
    Control,
    /// To the end of a frame.
    FrameEnd,
    /// To the end of a message.
    MessageEnd,
}

/// A piece of the stream.
#[derive(Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// A whole control frame.
    Control(Control),
    /// A run of data frames; it begins and ends wherever the input did, never inside a header.
    Data(&'a [u8]),
    /// The header of a data frame, put together from pieces.
    Header(Vec<u8>),
}

/// A whole control frame.
#[derive(Debug, Eq, PartialEq)]
pub struct Control {
    /// What it is.
    pub opcode: Opcode,
    /// Its bytes as they came.
    pub raw: Vec<u8>,
    /// Its payload, unmasked.
    pub payload: Vec<u8>,
}

/// A place in a stream of frames.
#[derive(Debug)]
pub struct Cursor {
    stream: Stream,
    /// The first bytes of a header or control frame whose rest has not come.
    stash: Vec<u8>,
    /// Payload bytes of the current data frame still to come.
    left: u64,
    /// Whether the current (or last) data frame ends its message.
    fin: bool,
    /// Payload bytes of the current message so far; `None` between messages.
    message: Option<u64>,
    messages: u64,
}

impl Cursor {
    /// Stands at the start of a stream.
    #[must_use]
    pub const fn new(stream: Stream) -> Self {
        Self {
            stream,
            stash: Vec::new(),
            left: 0,
            fin: true,
            message: None,
            messages: 0,
        }
    }

    /// Whether everything handed out so far ends where a frame ends.
    #[must_use]
    pub const fn at_frame_boundary(&self) -> bool {
        self.left == 0
    }

    /// Whether everything handed out so far ends where a message ends.
    #[must_use]
    pub const fn at_message_boundary(&self) -> bool {
        self.message.is_none()
    }

    /// How much of the current data frame's payload is still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// How many data messages have ended.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes the next piece off the front of `input`; `None` when all of it is taken.
    pub fn step<'a>(
        &mut self,
        input: &mut &'a [u8],
        until: Until,
    ) -> Result<Option<Step<'a>>, Violation> {
        if !self.stash.is_empty() {
            return self.assemble(input);
        }
        let all = *input;
        let mut at = 0;
        while at < all.len() {
            if self.left == 0 {
                match self.enter_next(&all[at..]) {
                    Ok(Some(length)) => at += length,
                    // What is right before it goes first: a violation or a control frame is met
                    // again at the front of the next step.
                    _ if at > 0 => break,
                    Ok(None) => return self.assemble(input),
                    Err(violation) => return Err(violation),
                }
            }
            at += self.pass(all.len() - at);
            if self.left == 0 && self.ends(until) {
                break;
            }
        }
        let (run, rest) = all.split_at(at);
        *input = rest;
        Ok((!run.is_empty()).then_some(Step::Data(run)))
    }

    /// Passes payload of the current data frame that goes on unseen, no more than is [`left`](Self::left).
    pub fn skip(&mut self, length: usize) {
        let passed = self.pass(length);
        debug_assert_eq!(passed, length, "a frame ends where its header says");
    }

    /// Begins the data frame whose whole header stands at the front of `bytes`; `None` where there
    /// is none, or a control frame.
    fn enter_next(&mut self, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        match Header::parse(bytes)? {
            Some(header) if !header.opcode.is_control() => {
                self.enter(&header)?;
                Ok(Some(header.length))
            }
            _ => Ok(None),
        }
    }

    /// Collects a control frame, or a header in pieces, in the stash.
    fn assemble<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Step<'a>>, Violation> {
        let Some(header) = self.collect_header(input)? else {
            return Ok(None);
        };
        if !header.opcode.is_control() {
            self.enter(&header)?;
            self.pass(0);
            return Ok(Some(Step::Header(std::mem::take(&mut self.stash))));
        }
        header.check(self.stream.sender, self.stream.reserved)?;
        let payload = usize::try_from(header.payload).map_err(|_| Violation::BadControl)?;
        let wanted = header.length + payload;
        self.collect(input, wanted);
        if self.stash.len() < wanted {
            return Ok(None);
        }
        Ok(Some(Step::Control(whole_control(
            &header,
            std::mem::take(&mut self.stash),
        ))))
    }

    fn collect_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        loop {
            if let Some(header) = Header::parse(&self.stash)? {
                return Ok(Some(header));
            }
            if input.is_empty() || self.stash.len() == MAX_HEADER {
                return Ok(None);
            }
            self.collect(input, self.stash.len() + 1);
        }
    }

    fn collect(&mut self, input: &mut &[u8], wanted: usize) {
        let missing = wanted.saturating_sub(self.stash.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.stash.extend_from_slice(taken);
        *input = rest;
    }

    /// Begins a data frame.
    fn enter(&mut self, header: &Header) -> Result<(), Violation> {
        header.check(self.stream.sender, self.stream.reserved)?;
        let so_far = match (header.opcode, self.message) {
            (Opcode::Continuation, Some(so_far)) => so_far,
            (Opcode::Text | Opcode::Binary, None) => 0,
            _ => return Err(Violation::BadSequence),
        };
        let size = so_far.saturating_add(header.payload);
        if size > self.stream.max_message {
            return Err(Violation::TooBig);
        }
        self.message = Some(size);
        self.fin = header.fin;
        self.left = header.payload;
        Ok(())
    }

    /// Passes up to `available` payload bytes; the end of a message's last frame ends the message.
    fn pass(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= taken as u64;
        if self.left == 0 && self.fin && self.message.take().is_some() {
            self.messages += 1;
        }
        taken
    }

    const fn ends(&self, until: Until) -> bool {
        match until {
            Until::Control => false,
            Until::FrameEnd => true,
            Until::MessageEnd => self.message.is_none(),
        }
    }
}

fn whole_control(header: &Header, raw: Vec<u8>) -> Control {
    let mut payload = raw[header.length..].to_vec();
    if let Some(key) = header.mask {
        Mask(key).apply(&mut payload);
    }
    Control {
        opcode: header.opcode,
        raw,
        payload,
    }
}

#[cfg(test)]
mod tests;
