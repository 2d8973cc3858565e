//! What Qlik is told of a person besides who they are: texts, and lists of texts.

use serde_json::Value;

use super::identity::{Identity, Who};
use crate::config;
use crate::template::Target;

/// The names of what is told, and where their values stand in an identity.
pub(super) struct Attributes {
    first: usize,
    texts: Vec<String>,
    lists: Vec<String>,
}

impl Attributes {
    /// Those that the config names; their values stand from the place `first` on.
    pub(super) fn new(config: &config::Attributes, first: usize) -> Self {
        Self {
            first,
            texts: config.texts.iter().map(|(name, _)| name.clone()).collect(),
            lists: config.lists.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Adds the values to what an identity is made of.
    pub(super) fn add_to(mut who: Who, config: &config::Attributes) -> Who {
        for (_, wording) in &config.texts {
            who = who.worded(wording.clone(), Target::Json);
        }
        for (_, claim) in &config.lists {
            who = who.listed(Some(claim.clone()));
        }
        who
    }

    /// Each name with its text or its list; a list of nothing is not told.
    pub(super) fn of<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (&'a str, Value)> {
        let names = self.texts.iter().chain(&self.lists).enumerate();
        names.filter_map(|(place, name)| {
            let value = identity.value(self.first + place);
            let value = if place < self.texts.len() {
                Value::from(value)
            } else {
                list(value)?
            };
            Some((name.as_str(), value))
        })
    }
}

fn list(text: &str) -> Option<Value> {
    let items: Vec<Value> = serde_json::from_str(text).ok()?;
    (!items.is_empty()).then(|| items.into())
}
