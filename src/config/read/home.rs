//! The last two of the four questions: as whom does which Qlik see them?

use super::{credential, engine};
use crate::config::model::Home;
use crate::config::notes::Noted;
use crate::config::table::Table;

/// A credential and its engine.
pub(super) fn home(t: &mut Table<'_>) -> Result<Home, Noted> {
    let mut found = None;
    let flavour = credential::flavour(t);
    let engine = t.required_table(
        "engine",
        "url = \"https://tenant.eu.qlikcloud.com\"",
        "4: which Qlik?",
        |t| engine::engine(t, flavour, &mut found),
    );
    let url = match &engine {
        Ok(engine) => Ok(&engine.url),
        Err(noted) => found.as_ref().ok_or(*noted),
    };
    let credential = t.required_table(
        "credential",
        "kind = \"api-key\"",
        "3: as whom does the engine see them?",
        |t| credential::credential(t, url),
    );
    Ok(Home {
        print: t.written("credential"),
        credential: credential?,
        engine: engine?,
    })
}
