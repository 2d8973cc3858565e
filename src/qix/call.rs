//! One client message, read once and strictly.
//!
//! The engine's own reader is not known, so whatever two readers could read differently is not
//! understood: doubled keys, keys in another case or with an odd character, fractions where an
//! integer belongs, arrays of calls, anything that is not one JSON object in UTF-8.

mod plain;
mod reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Number;

use super::methods::Parameter;

/// A call, as far as it must be understood. Borrows from the message wherever that has no escapes.
#[derive(Debug, PartialEq)]
pub struct Call<'a> {
    id: Option<Id<'a>>,
    handle: Option<i32>,
    method: Cow<'a, str>,
    params: Params<'a>,
}

impl<'a> Call<'a> {
    /// Reads a message.
    pub fn read(payload: &'a [u8]) -> Result<Self, Unreadable<'a>> {
        reader::read(payload)
    }

    /// The call's id; `None` for a notification.
    #[must_use]
    pub fn id(&self) -> Option<&Id<'a>> {
        self.id.as_ref()
    }

    /// The method, as the client wrote it: ASCII letters, digits and underscores, never empty.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether the call is made on the Global object, handle −1. Said as well of a call without a
    /// handle and of handles that the engine gives to no other object (it counts from 1).
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.handle.is_none_or(|handle| handle <= 0)
    }

    /// The argument for a parameter, given by position or by name.
    #[must_use]
    pub fn argument(&self, parameter: &Parameter) -> Argument<'_> {
        match &self.params {
            Params::Absent => Argument::Absent,
            Params::Positional(first) => {
                Argument::of(first.get(parameter.position).and_then(Option::as_ref))
            }
            Params::Named(named) => {
                let given = named
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(parameter.name));
                match given {
                    // An engine that folds case would take it; one that does not would not.
                    Some((name, _)) if name != parameter.name => Argument::Odd,
                    given => Argument::of(given.map(|(_, value)| value)),
                }
            }
        }
    }
}

/// What a call gives for a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Argument<'a> {
    /// Nothing.
    Absent,
    /// Something that is no text, or not clearly given.
    Odd,
    /// A text.
    Text(&'a str),
}

impl<'a> Argument<'a> {
    fn of(scalar: Option<&'a Scalar<'_>>) -> Self {
        match scalar {
            None => Self::Absent,
            Some(Scalar::Text(text)) => Self::Text(text),
            Some(Scalar::Integer(_) | Scalar::Other) => Self::Odd,
        }
    }
}

/// The id of a call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    /// An integer.
    Number(Number),
    /// A text, 256 bytes at the most.
    Text(Cow<'a, str>),
}

/// A message that is not understood; with its id, if that alone was.
#[derive(Debug)]
pub struct Unreadable<'a> {
    id: Option<Id<'a>>,
}

impl<'a> Unreadable<'a> {
    /// The id, if it was read.
    #[must_use]
    pub fn id(&self) -> Option<&Id<'a>> {
        self.id.as_ref()
    }
}

/// The parameters, as far as an app's name can be among them.
#[derive(Debug, Default, PartialEq)]
enum Params<'a> {
    #[default]
    Absent,
    Named(Vec<(Cow<'a, str>, Scalar<'a>)>),
    /// Those at the first positions.
    Positional([Option<Scalar<'a>>; reader::POSITIONS]),
}

/// A JSON value of which only scalars matter.
#[derive(Debug, PartialEq)]
enum Scalar<'a> {
    Integer(Number),
    Other,
    Text(Cow<'a, str>),
}
