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

/// Finds what the long way would find; `None` where that has to be gone, and the draft is nothing.
pub(super) fn read<'a>(text: &'a str, draft: &mut Draft<'a>) -> Option<()> {
    if !is_bare(text) {
        return None;
    }
    let mut plain = Plain { text, at: 0 };
    plain.envelope(draft)?;
    plain.space();
    (plain.at == text.len()).then_some(())
}

/// Whether there is neither an escape nor a control in it: then each quote begins a text or ends one.
fn is_bare(text: &str) -> bool {
    // It never stops half-way, so that many bytes are looked at at once.
    let odd = |byte| u8::from(byte < b' ') | u8::from(byte == b'\\');
    text.bytes().fold(0, |found, byte| found | odd(byte)) == 0
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
        let mut first = [const { None }; POSITIONS];
        let mut places = first.iter_mut();
        let mut more = self.open(b'[', b']')?;
        while more {
            match places.next() {
                Some(place) => *place = Some(self.one(DEPTH)?),
                None => self.skim(DEPTH)?,
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
            self.integers();
            self.skim(depth)?;
            more = self.more(b']')?;
        }
        Some(())
    }

    /// Goes past integers that stand one behind another, each with its comma: selections have many.
    fn integers(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => at += 1,
                b',' if is_integer(&bytes[self.at..at]) => {
                    at += 1;
                    self.at = at;
                }
                _ => return,
            }
        }
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
        let rest = self.text.get(self.at..)?.strip_prefix('"')?;
        let end = first_quote(rest.as_bytes())?;
        self.at += end + 2;
        rest.get(..end)
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
            b' ' => self.peek_behind_space(),
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
        while bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }
}

/// Whether digits are an integer that is short, and written in the one way.
fn is_integer(digits: &[u8]) -> bool {
    match digits {
        [] => false,
        [_] => true,
        [first, ..] => *first != b'0' && digits.len() <= DIGITS,
    }
}

/// Where the first quote is. Texts are short and of any length: eight bytes at a time, the processor
/// need not guess at each whether it was the last.
fn first_quote(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xFF;
    let (words, rest) = bytes.as_chunks();
    for (n, word) in words.iter().enumerate() {
        let others = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'"'));
        // The lowest bit that is left belongs to the first byte that is zero.
        let zeros = others.wrapping_sub(ONES) & !others & (ONES << 7);
        if zeros != 0 {
            return Some(n * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let end = rest.iter().position(|byte| *byte == b'"')?;
    Some(words.len() * 8 + end)
}
