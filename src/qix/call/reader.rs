//! The pass over the bytes: a serde visitor that keeps what matters and goes through the rest.
//!
//! Nesting is limited by `serde_json` (128), which holds for every value visited here; a flaw in
//! what a value means is noted and the pass goes on, so that an id behind it is still found.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Call, Id, Params, Scalar, Unreadable, plain};

/// The keys that the client libraries send. Others pass, if they look like none of these.
pub(super) const KNOWN: [(&str, Field); 9] = [
    ("jsonrpc", Field::Other),
    ("id", Field::Id),
    ("handle", Field::Handle),
    ("method", Field::Method),
    ("params", Field::Params),
    ("delta", Field::Other),
    ("cont", Field::Other),
    ("outKey", Field::Other),
    ("return_empty", Field::Other),
];
/// How many keys beside those, or named parameters, a message may have. No call comes near it; it
/// bounds the search for doubles.
pub(super) const KEYS: usize = 32;
/// How many positional parameters are kept: no app is named behind the second.
pub(super) const POSITIONS: usize = 2;
/// The longest id taken, in bytes.
pub(super) const ID_BYTES: usize = 256;

/// Where a key stands among `KNOWN`.
pub(super) fn place(key: &str) -> Option<usize> {
    match key {
        "jsonrpc" => Some(0),
        "id" => Some(1),
        "handle" => Some(2),
        "method" => Some(3),
        "params" => Some(4),
        "delta" => Some(5),
        "cont" => Some(6),
        "outKey" => Some(7),
        "return_empty" => Some(8),
        _ => None,
    }
}

pub(super) fn read(payload: &[u8]) -> Result<Call<'_>, Unreadable<'_>> {
    let Ok(text) = std::str::from_utf8(payload) else {
        return Err(Unreadable { id: None });
    };
    plain::read(text).map_or_else(|| go_through(text), Ok)
}

/// What a text says, whatever it is.
pub(super) fn go_through(text: &str) -> Result<Call<'_>, Unreadable<'_>> {
    let mut draft = Draft::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let whole = json.deserialize_map(Envelope(&mut draft)).is_ok() && json.end().is_ok();
    draft.flawed |= !whole;
    draft.finish()
}

#[derive(Clone, Copy)]
pub(super) enum Field {
    Handle,
    Id,
    Method,
    Other,
    Params,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Draft<'a> {
    id: Option<Id<'a>>,
    handle: Option<i32>,
    method: Option<Cow<'a, str>>,
    params: Params<'a>,
    /// Which of `KNOWN` were met, a bit each.
    met: u16,
    /// The other keys met.
    others: Vec<Cow<'a, str>>,
    flawed: bool,
}

impl<'a> Draft<'a> {
    fn finish(self) -> Result<Call<'a>, Unreadable<'a>> {
        match self.method {
            Some(method) if !self.flawed => Ok(Call {
                id: self.id,
                handle: self.handle,
                method,
                params: self.params,
            }),
            _ => Err(Unreadable { id: self.id }),
        }
    }

    /// Notes a key, and says what its value is.
    fn meet(&mut self, key: Cow<'a, str>) -> Field {
        let Some(known) = place(&key) else {
            self.meet_unknown(key);
            return Field::Other;
        };
        let bit = 1 << known;
        if self.met & bit == 0 {
            self.met |= bit;
            return KNOWN[known].1;
        }
        self.flawed = true;
        if key == "id" {
            self.id = None;
        }
        Field::Other
    }

    fn meet_unknown(&mut self, key: Cow<'a, str>) {
        let mistakable = !is_name(&key)
            || KNOWN
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(&key))
            || self.others.len() >= KEYS
            || self
                .others
                .iter()
                .any(|other| other.eq_ignore_ascii_case(&key));
        if mistakable {
            self.flawed = true;
        } else {
            self.others.push(key);
        }
    }

    fn note(&mut self, field: Field, value: Scalar<'a>) {
        match (field, value) {
            (Field::Id, Scalar::Integer(number)) => self.id = Some(Id::Number(number)),
            (Field::Id, Scalar::Text(text)) if text.len() <= ID_BYTES => {
                self.id = Some(Id::Text(text));
            }
            (Field::Method, Scalar::Text(text)) if is_name(&text) => self.method = Some(text),
            (Field::Handle, Scalar::Integer(number)) => {
                self.handle = number.as_i64().and_then(|handle| handle.try_into().ok());
                self.flawed |= self.handle.is_none();
            }
            _ => self.flawed = true,
        }
    }
}

/// Whether a text can be a name in QIX: ASCII letters, digits and underscores. In anything else
/// an engine that trims, folds case or stops at a NUL could find a name that was not judged.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| IN_NAME[usize::from(byte)])
}

const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

/// Visits the message.
struct Envelope<'d, 'a>(&'d mut Draft<'a>);

impl<'a> Visitor<'a> for Envelope<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            match self.0.meet(key) {
                Field::Other => map.next_value_seed(Skim)?,
                Field::Params => map.next_value_seed(Arguments(self.0))?,
                field => {
                    let value = map.next_value_seed(One)?;
                    self.0.note(field, value);
                }
            }
        }
        Ok(())
    }
}

/// Visits `params`.
struct Arguments<'d, 'a>(&'d mut Draft<'a>);

impl<'a> DeserializeSeed<'a> for Arguments<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Arguments<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut first = [const { None }; POSITIONS];
        for place in &mut first {
            *place = seq.next_element_seed(One)?;
        }
        self.0.params = Params::Positional(first);
        while seq.next_element_seed(Skim)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut named: Vec<(Cow<'a, str>, Scalar<'a>)> = Vec::new();
        while let Some(key) = map.next_key_seed(Text)? {
            let value = map.next_value_seed(One)?;
            let mistakable = !is_name(&key)
                || named.len() >= KEYS
                || named
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(&key));
            if mistakable {
                self.0.flawed = true;
            } else {
                named.push((key, value));
            }
        }
        self.0.params = Params::Named(named);
        Ok(())
    }
}

/// Reads a text.
struct Text;

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Cow<'a, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Text {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads one value and keeps it if it is a text or an integer.
struct One;

impl<'a> DeserializeSeed<'a> for One {
    type Value = Scalar<'a>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Scalar<'a>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for One {
    type Value = Scalar<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Integer(Number::from(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Integer(Number::from(number)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, seq: A) -> Result<Scalar<'a>, A::Error> {
        Skim.visit_seq(seq).map(|()| Scalar::Other)
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<Scalar<'a>, A::Error> {
        Skim.visit_map(map).map(|()| Scalar::Other)
    }
}

/// Goes through a value and keeps nothing. Unlike serde's `IgnoredAny`, which `serde_json` passes
/// over without a limit of depth and without looking at escapes, this demands what a reader of
/// the whole value would demand.
struct Skim;

impl<'a> DeserializeSeed<'a> for Skim {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Skim {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Self)?.is_some() {
            map.next_value_seed(Self)?;
        }
        Ok(())
    }
}
