//! The websocket URL: which app, and which of the client's own identities.

use std::time::Duration;

use crate::id::AppId;

/// What a websocket URL names: `/app/<document>[/identity/<x>][/ttl/<n>]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The document.
    pub document: Document,
    /// The client's own identity, which goes into ours.
    pub identity: Option<String>,
}

/// The document segment of a websocket URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Document {
    /// An app by its id.
    App(AppId),
    /// `engineData` or none: no app yet, `OpenDoc` will name it.
    EngineData,
    /// A session app to be made: `SessionApp_<n>` or `?transient=`, kept as the client wrote it.
    SessionApp(String),
}

impl Target {
    /// The path to ask the engine for: `/app/<id>/identity/<identity>/ttl/<seconds>`.
    #[must_use]
    pub fn upstream_path(&self, _identity: &str, _ttl: Duration) -> String {
        String::new()
    }
}
