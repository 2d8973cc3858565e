//! The last two of the four questions: as whom does which Qlik see them?

use super::{credential, engine};
use crate::config::model::{Credential, Engine, Home};
use crate::config::notes::Noted;
use crate::config::table::Table;

/// A credential and its engine.
pub(super) fn home(t: &mut Table<'_>) -> Result<Home, Noted> {
    let (home, seen) = t.seen(parts);
    let (credential, engine) = home?;
    Ok(Home {
        credential,
        engine,
        print: t.written("credential"),
        seen,
    })
}

fn parts(t: &mut Table<'_>) -> Result<(Credential, Engine), Noted> {
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
    Ok((credential?, engine?))
}
