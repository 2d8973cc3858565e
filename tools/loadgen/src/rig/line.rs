//! One websocket and what it is for: to call, or to answer calls.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;

use super::ear::{Ear, Heard};
use super::frames::frame;
use super::wire::Wire;

/// The key every caller sends: nobody here is fooled by an answer that was cached.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// One websocket.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) wire: Wire,
    pub(super) role: Role,
    pub(super) ear: Ear,
}

/// What a websocket is for.
#[derive(Debug)]
pub(super) enum Role {
    /// Answers every call by its length.
    Answerer(Arc<Answers>),
    /// Calls, and since when it waits for the answer.
    Caller(Option<Instant>),
}

/// What happened on a caller's line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// The answer has come whole, after this long.
    Answered(std::time::Duration),
    /// The connection ended.
    Lost,
    /// The websocket is open.
    Opened,
}

/// How large an answer is asked for. The call's own length says it, so that the answerer needs to
/// look at nothing else.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Size {
    /// 200 bytes.
    Small,
    /// 64 KiB.
    Large,
    /// 1 MiB.
    Huge,
}

impl Size {
    const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Huge];

    const fn call(self) -> usize {
        match self {
            Self::Small => 200,
            Self::Large => 201,
            Self::Huge => 202,
        }
    }

    /// The answer's length, in bytes.
    pub(crate) const fn answer(self) -> usize {
        match self {
            Self::Small => 200,
            Self::Large => 64 << 10,
            Self::Huge => 1 << 20,
        }
    }

    /// The call, as a masked frame: one of the engine's own that a reading proxy lets pass.
    pub(crate) fn call_frame(self) -> Bytes {
        let call = |values: &str| {
            format!(
                r#"{{"handle":2,"method":"SelectListObjectValues","params":["/qListObjectDef",[{values}],true,false],"delta":true,"outKey":-1,"jsonrpc":"2.0","id":7}}"#
            )
        };
        let missing = self.call() - call("").len();
        let values = "1".repeat(2 - missing % 2) + &",1".repeat((missing - 1) / 2);
        call_frame(call(&values).as_bytes())
    }
}

/// A call as a caller sends it.
pub(crate) fn call_frame(call: &[u8]) -> Bytes {
    Bytes::from(frame(1, call, Some(MASK)))
}

/// The frames that calls are answered with, made once.
#[derive(Debug)]
pub(crate) struct Answers([Bytes; 3]);

impl Answers {
    pub(crate) fn new() -> Self {
        Self(Size::ALL.map(|size| {
            let (start, end) = (
                r#"{"jsonrpc":"2.0","id":7,"delta":true,"result":{"qLayout":""#,
                r#""}}"#,
            );
            let filler = "x".repeat(size.answer() - start.len() - end.len());
            Bytes::from(frame(1, format!("{start}{filler}{end}").as_bytes(), None))
        }))
    }

    fn to(&self, call: u64) -> Bytes {
        let size = Size::ALL
            .into_iter()
            .position(|size| size.call() as u64 == call);
        self.0[size.unwrap_or_default()].clone()
    }
}

impl Line {
    pub(super) fn new(wire: Wire, role: Role) -> Self {
        Self {
            wire,
            role,
            ear: Ear::default(),
        }
    }

    fn upgrade(&mut self, head: &str) -> anyhow::Result<()> {
        let key = header(head, "sec-websocket-key").context("an upgrade without a key")?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        Ok(self.wire.put(answer.into())?)
    }

    /// Does what a thing heard asks for.
    pub(super) fn react(&mut self, heard: &Heard) -> anyhow::Result<Option<What>> {
        match (heard, &mut self.role) {
            (Heard::Close, _) => Ok(Some(What::Lost)),
            (Heard::Head(text), Role::Caller(_)) => opened(text).map(|()| Some(What::Opened)),
            (Heard::Head(text), Role::Answerer(_)) => self.upgrade(text).map(|()| None),
            (Heard::Message(length), Role::Answerer(answers)) => {
                let answer = answers.to(*length);
                self.wire.put(answer)?;
                Ok(None)
            }
            (Heard::Message(_), Role::Caller(asked)) => {
                Ok(asked.take().map(|asked| What::Answered(asked.elapsed())))
            }
            (Heard::Ping(payload), role) => {
                let mask = matches!(role, Role::Caller(_)).then_some(MASK);
                self.wire.put(frame(10, payload, mask).into())?;
                Ok(None)
            }
        }
    }

    /// Calls; the time counts from `since`.
    pub(super) fn call(&mut self, call: Bytes, since: Instant) -> anyhow::Result<()> {
        let Role::Caller(asked) = &mut self.role else {
            bail!("an answerer does not call");
        };
        *asked = Some(since);
        Ok(self.wire.put(call)?)
    }
}

fn opened(head: &str) -> anyhow::Result<()> {
    let first = head.lines().next().unwrap_or_default();
    anyhow::ensure!(
        first.starts_with("HTTP/1.1 101"),
        "the upgrade was refused: {first}"
    );
    let accept = header(head, "sec-websocket-accept");
    anyhow::ensure!(accept == Some(ACCEPT), "the upgrade has a wrong accept key");
    Ok(())
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::frames::Frames;

    #[test]
    fn calls_and_answers_have_the_lengths_they_should() {
        let answers = Answers::new();
        for size in Size::ALL {
            let mut heard = Vec::new();
            Frames::default().take(&size.call_frame(), &mut heard);
            assert_eq!(heard, [Heard::Message(size.call() as u64)]);
            let answer = answers.to(size.call() as u64);
            Frames::default().take(&answer, &mut heard);
            assert_eq!(heard[1], Heard::Message(size.answer() as u64));
        }
    }
}
