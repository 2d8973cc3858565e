//! `shared = true`: one identity for everybody is something to be said, not to happen.

use serde_json::{Value as Json, json};

use crate::config::node::{Node, Value};
use crate::config::notes::Noted;
use crate::config::table::Table;

/// Demands that the config says it, for a kind whose every person is the same to Qlik.
pub(super) fn demand_shared(t: &mut Table<'_>) -> Result<(), Noted> {
    let shared: Result<Shared, _> = t.required(
        "shared",
        "true",
        "`true` says that it is meant: to Qlik everybody of this route is one user, with one \
         licence, one section access and one set of private sheets.",
    );
    shared.map(|Shared| ())
}

/// `true`.
struct Shared;

impl Value for Shared {
    const WANTED: &'static str = "`true`, without quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        if bool::read(node)? {
            return Ok(Self);
        }
        Err(node.refuse(
            "with this kind Qlik sees everybody as one user",
            "write `true` if that is meant, or a kind that knows people, such as \
             \"oauth-impersonation\"",
        ))
    }

    fn schema() -> Json {
        json!({"const": true})
    }
}
