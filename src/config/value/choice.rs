//! Values that are one of a few words.

use serde_json::{Value as Json, json};

use crate::config::model::{
    Admins, Algorithm, Carrier, ClientAuth, ClientsWithoutOrigin, Flavour, LogFormat, LookupField,
    Methods, RefusalStyle, Shown,
};
use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;
use crate::config::unknown;

/// One of a few words.
pub(in crate::config) trait Choice: Copy + PartialEq + 'static {
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];
    /// Words that are known but not built yet.
    const LATER: &'static [&'static str] = &[];
    /// What a table in the word's place will mean one day.
    const TABLE_LATER: Option<&'static str> = None;
}

impl<C: Choice> Value for C {
    const WANTED: &'static str = "a word that `qix-proxy schema` lists, in quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let names: Vec<&str> = C::WORDS.iter().map(|(name, _)| *name).collect();
        let Some(text) = node.value.as_str() else {
            let what = match C::TABLE_LATER.filter(|_| node.value.is_table()) {
                Some(meaning) => format!("{meaning} is not built yet"),
                None => format!("`{}` is a word in quotes", node.key),
            };
            return Err(node.refuse(what, format!("write {}", unknown::quoted(&names))));
        };
        let word = C::WORDS.iter().find(|(name, _)| *name == text);
        word.map(|(_, value)| *value)
            .ok_or_else(|| unknown::choice(node, &names, C::LATER))
    }

    fn schema() -> Json {
        let names: Vec<&str> = C::WORDS.iter().map(|(name, _)| *name).collect();
        json!({"enum": names})
    }
}

impl<C: Choice> Written for C {
    fn written(&self) -> Json {
        let word = C::WORDS.iter().find(|(_, value)| value == self);
        json!(word.map(|(name, _)| *name))
    }
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Choice for ClientsWithoutOrigin {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("bearer", Self::Bearer)];
}

impl Choice for RefusalStyle {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("accept-then-close", Self::AcceptThenClose),
        ("status", Self::Status),
    ];
}

impl Choice for Flavour {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("engine", Self::Engine),
        ("engine-port", Self::EnginePort),
        ("windows", Self::Windows),
    ];
}

impl Choice for Carrier {
    const WORDS: &'static [(&'static str, Self)] =
        &[("query", Self::Query), ("subprotocol", Self::Subprotocol)];
}

impl Choice for ClientAuth {
    const WORDS: &'static [(&'static str, Self)] = &[("body", Self::Body), ("basic", Self::Basic)];
}

impl Choice for Admins {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("impersonate", Self::Impersonate)];
}

impl Choice for Shown {
    const WORDS: &'static [(&'static str, Self)] =
        &[("header", Self::Header), ("query", Self::Query)];
}

impl Choice for LookupField {
    const WORDS: &'static [(&'static str, Self)] =
        &[("subject", Self::Subject), ("userId", Self::UserId)];
    const LATER: &'static [&'static str] = &["email"];
}

impl Choice for Methods {
    const WORDS: &'static [(&'static str, Self)] =
        &[("consumer", Self::Consumer), ("any", Self::Any)];
    const LATER: &'static [&'static str] = &["analyst", "author"];
    const TABLE_LATER: Option<&'static str> = Some("a list of one's own calls");
}

impl Choice for Algorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("RS256", Self::RS256),
        ("RS384", Self::RS384),
        ("RS512", Self::RS512),
        ("PS256", Self::PS256),
        ("PS384", Self::PS384),
        ("PS512", Self::PS512),
        ("ES256", Self::ES256),
        ("ES384", Self::ES384),
        ("EdDSA", Self::EdDSA),
        ("HS256", Self::HS256),
        ("HS384", Self::HS384),
        ("HS512", Self::HS512),
    ];
    const LATER: &'static [&'static str] = &["ES256K", "ES512"];
}
