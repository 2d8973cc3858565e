//! What Qlik is told of a person besides who they are.

use std::collections::BTreeMap;

use crate::config::model::{Attributes, Wording};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::person::ClaimPath;

/// A key of the config, and what the page says of it.
pub(super) type Key = (&'static str, &'static str);

/// The texts at one key and the lists at another.
pub(super) fn attributes(
    t: &mut Table<'_>,
    (texts, about_texts): Key,
    (lists, about_lists): Key,
) -> Result<Attributes, Noted> {
    let said: Result<Option<BTreeMap<String, Wording>>, _> = t.optional(texts, about_texts);
    let listed: Result<Option<BTreeMap<String, ClaimPath>>, _> = t.optional(lists, about_lists);
    let (said, listed) = (said?.unwrap_or_default(), listed?.unwrap_or_default());
    if let Some(name) = listed.keys().find(|name| said.contains_key(*name)) {
        return Err(t.refuse(
            lists,
            format!("{name:?} is a text in `{texts}` already"),
            format!("leave it out of `{texts}` or of `{lists}`"),
        ));
    }
    Ok(Attributes {
        texts: said.into_iter().collect(),
        lists: listed.into_iter().collect(),
    })
}
