//! The short way through a call as client libraries write them: texts without escapes, short
//! numbers, little nesting. It takes fewer words than `serde_json` for the same bytes, and decides
//! nothing: on whatever is not plain, or is wrong, it gives up, and the long way says what it is.

use std::borrow::Cow;

use serde_json::Number;

use super::reader::{Draft, Field, KEYS, POSITIONS, is_name};
use super::{Params, Scalar};

/// Values in one another. Selections and layouts have a handful.
const DEPTH: usize = 24;
/// Digits that surely fit.
const DIGITS: usize = 15;

/// What the long way would find, or nothing where it has to be gone.
pub(super) fn read(text: &str) -> Option<Draft<'_>> {
    let mut plain = Plain { text, at: 0 };
    let mut draft = Draft::default();
    plain.envelope(&mut draft)?;
    plain.space();
    (plain.at == text.len()).then_some(draft)
}

/// A text, and how far it was read.
struct Plain<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Plain<'a> {
    fn envelope(&mut self, draft: &mut Draft<'a>) -> Option<()> {
        let mut more = self.open(b'{', b'}')?;
        while more {
            let key = self.key()?;
            match draft.meet(Cow::Borrowed(key)) {
                Field::Other => self.skim(DEPTH)?,
                Field::Params => self.arguments(draft)?,
                field => {
                    let value = self.one(DEPTH)?;
                    draft.note(field, value);
                }
            }
            more = self.more(b'}')?;
        }
        Some(())
    }

    fn arguments(&mut self, draft: &mut Draft<'a>) -> Option<()> {
        if self.peek()? == b'{' {
            return self.named(draft);
        }
        let mut first = Vec::with_capacity(POSITIONS);
        let mut more = self.open(b'[', b']')?;
        while more {
            if first.len() < POSITIONS {
                first.push(self.one(DEPTH)?);
            } else {
                self.skim(DEPTH)?;
            }
            more = self.more(b']')?;
        }
        draft.params = Params::Positional(first);
        Some(())
    }

    fn named(&mut self, draft: &mut Draft<'a>) -> Option<()> {
        let mut named: Vec<(Cow<'a, str>, Scalar<'a>)> = Vec::new();
        let mut more = self.open(b'{', b'}')?;
        while more {
            let key = self.key()?;
            let double = |(name, _): &(Cow<'_, str>, _)| name.eq_ignore_ascii_case(key);
            if !is_name(key) || named.len() >= KEYS || named.iter().any(double) {
                return None;
            }
            named.push((Cow::Borrowed(key), self.one(DEPTH)?));
            more = self.more(b'}')?;
        }
        draft.params = Params::Named(named);
        Some(())
    }

    /// One value, kept if it is a text or an integer.
    fn one(&mut self, depth: usize) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|text| Scalar::Text(Cow::Borrowed(text))),
            b'-' | b'0'..=b'9' => {
                let integer = self.integer()?;
                Some(Scalar::Integer(Number::from(integer)))
            }
            _ => self.skim(depth).map(|()| Scalar::Other),
        }
    }

    /// One value, gone over.
    fn skim(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.integer().map(drop),
            b'{' => self.members(depth.checked_sub(1)?),
            b'[' => self.elements(depth.checked_sub(1)?),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => None,
        }
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        let mut more = self.open(b'{', b'}')?;
        while more {
            self.key()?;
            self.skim(depth)?;
            more = self.more(b'}')?;
        }
        Some(())
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        let mut more = self.open(b'[', b']')?;
        while more {
            self.skim(depth)?;
            more = self.more(b']')?;
        }
        Some(())
    }

    /// Goes into a list; whether there is anything in it.
    fn open(&mut self, open: u8, close: u8) -> Option<bool> {
        self.take(open)?;
        let empty = self.peek()? == close;
        self.at += usize::from(empty);
        Some(!empty)
    }

    /// Goes past a value of a list; whether there is another behind it.
    fn more(&mut self, close: u8) -> Option<bool> {
        let next = self.peek()?;
        self.at += 1;
        match next {
            b',' => Some(true),
            _ if next == close => Some(false),
            _ => None,
        }
    }

    fn key(&mut self) -> Option<&'a str> {
        self.peek()?;
        let key = self.string()?;
        self.take(b':')?;
        Some(key)
    }

    fn string(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        while IN_TEXT[usize::from(*bytes.get(end)?)] {
            end += 1;
        }
        if bytes[self.at] != b'"' || bytes[end] != b'"' {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// An integer that is short, and written in the one way.
    fn integer(&mut self) -> Option<i64> {
        let bytes = self.text.as_bytes();
        let negative = bytes.get(self.at) == Some(&b'-');
        let start = self.at + usize::from(negative);
        let (mut at, mut value) = (start, 0);
        while let Some(digit @ b'0'..=b'9') = bytes.get(at)
            && at - start < DIGITS
        {
            value = value * 10 + i64::from(digit - b'0');
            at += 1;
        }
        // A zero is written alone; a negative one is a float.
        let odd_zero = bytes.get(start) == Some(&b'0') && (negative || at - start > 1);
        let goes_on = matches!(bytes.get(at), Some(b'0'..=b'9' | b'.' | b'e' | b'E'));
        if at == start || odd_zero || goes_on {
            return None;
        }
        self.at = at;
        Some(if negative { -value } else { value })
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        rest.starts_with(word.as_bytes())
            .then(|| self.at += word.len())
    }

    /// Goes past one byte, and what space is before it.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        match self.text.as_bytes().get(self.at).copied()? {
            0..=b' ' => self.peek_behind_space(),
            byte => Some(byte),
        }
    }

    /// Client libraries send none.
    #[cold]
    fn peek_behind_space(&mut self) -> Option<u8> {
        self.space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
    }
}

/// The bytes that stand for themselves within a text.
const IN_TEXT: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = false;
        byte += 1;
    }
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};
