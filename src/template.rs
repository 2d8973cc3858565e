//! Values made of claims: `"{sub}"`, `"app|{sub}"`, `"{/user/id}@{tenant}"`.
//!
//! A template and a person enter; a text leaves that its target can carry, or what is wrong with
//! the claim. A claim stands between braces, by name or JSON pointer; `{{` and `}}` are braces.
//! Two sets of claims never make the same text: what stands between two claims must not stand in
//! the first.

use std::sync::Arc;

use serde_json::Value;

use crate::person::{ClaimPath, Person};

/// The longest text that a template makes, in bytes.
pub const LONGEST: usize = 256;

/// A text with claims in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Template {
    before: String,
    /// Each claim, and what follows it.
    claims: Vec<(ClaimPath, String)>,
}

/// What a text is for, and so what it must not hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// A header's value: visible ASCII and spaces within.
    Header,
    /// A value of JSON: anything that is no control character.
    Json,
    /// The directory or the id of a Windows user: besides, none of `;`, `=` and `\`, nothing that
    /// Windows does not see (blanks at the ends, characters of no width), by which one user's name
    /// would pass for another's, and not `INTERNAL`, which is Qlik's own directory of almighty accounts.
    QlikUser,
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TemplateMistake {
    /// Two claims stand side by side.
    #[error("two claims side by side: nobody could tell where the one ends")]
    Adjacent,
    /// A brace without its other.
    #[error("a brace stands alone")]
    Brace,
    /// It names no claim.
    #[error("there is no claim in it, so everybody would get the same")]
    Constant,
    /// Braces with nothing in them.
    #[error("there is nothing between the braces")]
    Nameless,
}

/// Why a template cannot be filled for a person. Shows the claim's name, never its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfilled {
    /// The claim.
    pub claim: Arc<str>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a claim that should become a part of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// It holds the text that follows it in the template.
    #[error("holds the text that follows it in the template")]
    Ambiguous,
    /// It holds a control character.
    #[error("holds a control character")]
    Control,
    /// It is empty or blank.
    #[error("is empty")]
    Empty,
    /// It holds a character that has a meaning where it would go.
    #[error("holds a character that cannot stand where it would go")]
    Forbidden,
    /// It names Qlik's own accounts.
    #[error("names the directory of Qlik's own accounts")]
    Internal,
    /// It is longer than 256 bytes, or makes the text so.
    #[error("is longer than 256 bytes")]
    Long,
    /// The session has no such claim.
    #[error("is not in the session")]
    Missing,
    /// It is not a string.
    #[error("is not a string")]
    NotText,
    /// It is an address that nobody verified.
    #[error("is an address without email_verified = true")]
    Unverified,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateMistake> {
        let (before, mut rest) = literal(text)?;
        let mut claims: Vec<(ClaimPath, String)> = Vec::new();
        while let Some(open) = rest {
            let (name, after) = open.split_once('}').ok_or(TemplateMistake::Brace)?;
            if name.trim().is_empty() {
                return Err(TemplateMistake::Nameless);
            }
            if name.contains('{') {
                return Err(TemplateMistake::Brace);
            }
            if claims.last().is_some_and(|(_, between)| between.is_empty()) {
                return Err(TemplateMistake::Adjacent);
            }
            let (between, next) = literal(after)?;
            claims.push((ClaimPath::new(name), between));
            rest = next;
        }
        if claims.is_empty() {
            return Err(TemplateMistake::Constant);
        }
        Ok(Self { before, claims })
    }

    /// The template that is one claim and nothing else.
    #[must_use]
    pub fn claim(claim: ClaimPath) -> Self {
        Self {
            before: String::new(),
            claims: vec![(claim, String::new())],
        }
    }

    /// The claims it needs.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimPath> {
        self.claims.iter().map(|(claim, _)| claim)
    }

    /// Fills it for a person.
    pub fn fill(&self, person: &Person, target: Target) -> Result<String, Unfilled> {
        let mut text = self.before.clone();
        let last = self.claims.len() - 1;
        for (place, (claim, after)) in self.claims.iter().enumerate() {
            let blame = |flaw| Unfilled {
                claim: claim.as_str().into(),
                flaw,
            };
            let value = look_up(person, claim, target).map_err(blame)?;
            if place != last && !ends_at(value, after) {
                return Err(blame(Flaw::Ambiguous));
            }
            text.push_str(value);
            text.push_str(after);
            if text.len() > LONGEST {
                return Err(blame(Flaw::Long));
            }
            if target == Target::QlikUser && is_internal(&text) {
                return Err(blame(Flaw::Internal));
            }
        }
        Ok(text)
    }
}

impl Target {
    /// What is wrong with a text that should go there.
    pub fn check(self, text: &str) -> Result<(), Flaw> {
        if text.trim().is_empty() {
            return Err(Flaw::Empty);
        }
        if text.len() > LONGEST {
            return Err(Flaw::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(Flaw::Control);
        }
        let carried = match self {
            Self::Header => is_header_text(text),
            Self::Json => true,
            Self::QlikUser if is_internal(text) => return Err(Flaw::Internal),
            Self::QlikUser => {
                let meant = |c| matches!(c, ';' | '=' | '\\') || is_unseen(c);
                text.trim() == text && !text.contains(meant)
            }
        };
        if carried {
            Ok(())
        } else {
            Err(Flaw::Forbidden)
        }
    }
}

/// The text as far as the next claim, and what follows its brace.
fn literal(text: &str) -> Result<(String, Option<&str>), TemplateMistake> {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        plain.push_str(before);
        if brace.starts_with("{{") || brace.starts_with("}}") {
            plain.push_str(&brace[..1]);
            rest = &brace[2..];
        } else if let Some(open) = brace.strip_prefix('{') {
            return Ok((plain, Some(open)));
        } else {
            return Err(TemplateMistake::Brace);
        }
    }
    plain.push_str(rest);
    Ok((plain, None))
}

fn look_up<'a>(person: &'a Person, claim: &ClaimPath, target: Target) -> Result<&'a str, Flaw> {
    let value = person.claim(claim).ok_or(Flaw::Missing)?;
    let text = value.as_str().ok_or(Flaw::NotText)?;
    target.check(text)?;
    if is_verified(person, claim) {
        Ok(text)
    } else {
        Err(Flaw::Unverified)
    }
}

/// Whether an address is vouched for: `email_verified` must stand beside it. Other claims are.
fn is_verified(person: &Person, claim: &ClaimPath) -> bool {
    let said = claim.verification().map(|beside| person.claim(&beside));
    said.is_none_or(|said| said == Some(&Value::Bool(true)))
}

/// Whether whoever reads `value` and then `after` from the left finds `value` again.
fn ends_at(value: &str, after: &str) -> bool {
    format!("{value}{after}").find(after) == Some(value.len())
}

fn is_header_text(text: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    text.trim() == text && text.bytes().all(visible)
}

/// Whether a character has no width and no meaning, so that comparing texts may pass over it
/// (`Default_Ignorable_Code_Point` of Unicode).
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_internal(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("INTERNAL")
}

#[cfg(test)]
mod tests;
