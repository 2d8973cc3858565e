//! The websocket URL: which app, and which of the client's own identities.

use std::fmt::Write as _;
use std::time::Duration;

use crate::fault::Fault;
use crate::id::AppId;

/// The longest app id taken, in bytes. Qlik's are GUIDs; Qlik Core's are file names.
const APP_ID_BYTES: usize = 128;
/// The longest identity of a client's own taken, in bytes.
const IDENTITY_BYTES: usize = 256;
/// The longest `ttl` taken, in digits.
const TTL_DIGITS: usize = 10;
/// How @qlik/api names a session app of Qlik Cloud.
const SESSION_APP: &str = "SessionApp_";
/// How @qlik/api names a session app of client-managed Qlik Sense.
const TRANSIENT: &str = "?transient=";

/// What a websocket URL names: `/app/<document>[/identity/<x>][/ttl/<n>]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The document.
    pub document: Document,
    /// The client's own identity, which goes into ours.
    pub identity: Option<String>,
    /// How long the client wants its engine session kept; it can only shorten what the route says.
    pub ttl: Option<Duration>,
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
    /// Reads the decoded segments that follow `/app`, in the order in which enigma.js and
    /// @qlik/api write them.
    ///
    /// Anything else is `Fault::BadRequest`.
    pub fn parse(segments: &[&str]) -> Result<Self, Fault> {
        let (document, rest) = match segments {
            [] => (Document::EngineData, segments),
            [document, rest @ ..] => (Document::parse(document)?, rest),
        };
        let (identity, rest) = match rest {
            ["identity", identity, rest @ ..] => (Some(*identity), rest),
            _ => (None, rest),
        };
        let (ttl, rest) = match rest {
            ["ttl", seconds, rest @ ..] if is_ttl(seconds) => (seconds.parse().ok(), rest),
            _ => (None, rest),
        };
        if !rest.is_empty() || !identity.is_none_or(is_identity) {
            return Err(Fault::BadRequest);
        }
        Ok(Self {
            document,
            identity: identity.map(str::to_owned),
            ttl: ttl.map(Duration::from_secs),
        })
    }

    /// The path to ask the engine for: `/app/<id>/identity/<identity>/ttl/<seconds>`, with the
    /// client's `ttl` where it is the shorter.
    #[must_use]
    pub fn upstream_path(&self, identity: &str, ttl: Duration) -> String {
        let ttl = self.ttl.map_or(ttl, |own| own.min(ttl));
        let mut path = String::from("/app/");
        encode(&mut path, self.document.as_str());
        path.push_str("/identity/");
        encode(&mut path, identity);
        path.push_str("/ttl/");
        path.push_str(&ttl.as_secs().to_string());
        path
    }
}

impl Document {
    fn parse(segment: &str) -> Result<Self, Fault> {
        if segment.eq_ignore_ascii_case("engineData") {
            return Ok(Self::EngineData);
        }
        if !is_app_id(segment) {
            return Err(Fault::BadRequest);
        }
        if is_session_app(segment) {
            return Ok(Self::SessionApp(segment.to_owned()));
        }
        // Nothing that an upstream could take for a query is an app's name.
        if segment.starts_with('?') {
            return Err(Fault::BadRequest);
        }
        Ok(Self::App(AppId::new(segment)))
    }

    /// The document as the engine's URL names it, not encoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::App(app) => app.as_str(),
            Self::EngineData => "engineData",
            Self::SessionApp(name) => name,
        }
    }
}

/// Whether a text can be an app's id: 1 to 128 bytes, no slash, no backslash, no control
/// character, no dot segment.
#[must_use]
pub fn is_app_id(text: &str) -> bool {
    (1..=APP_ID_BYTES).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

/// Whether a name asks the engine for a session app. Told by the prefix in any case, so that no
/// spelling of it passes for an app.
#[must_use]
pub fn is_session_app(name: &str) -> bool {
    name == TRANSIENT
        || name
            .get(..SESSION_APP.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(SESSION_APP))
}

fn is_identity(text: &str) -> bool {
    (1..=IDENTITY_BYTES).contains(&text.len())
}

fn is_ttl(text: &str) -> bool {
    (1..=TTL_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encode(path: &mut String, segment: &str) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}
