//! What Qlik's proxy service on Windows says of itself on a socket, between the engine's messages.
//!
//! The notices and their parameters: "Proxy Service API, messages from the proxy to clients" on
//! help.qlik.com. The first of them tells the client who Qlik believes it is, and where to sign in
//! or out; none of that is for a browser.

use serde_json::{Map, Value, json};

use crate::fault::CloseCode;

/// What one of the engine side's text messages is, told by its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speech {
    /// The answer to a call.
    Answer,
    /// Nobody asked for it: a notice, as far as can be told.
    Notice,
    /// Too little of it is there.
    Unclear,
}

impl Speech {
    /// Listens to the beginning of a message. Answers begin with their id, result or error, perhaps
    /// behind the version; whatever begins with something else is taken for a notice.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        match first_key(beginning) {
            None => Self::Unclear,
            Some(b"id" | b"delta" | b"result" | b"error" | b"change" | b"close" | b"suspend") => {
                Self::Answer
            }
            Some(_) => Self::Notice,
        }
    }
}

/// The first key that is not the version; empty where what stands there is none.
fn first_key(text: &[u8]) -> Option<&[u8]> {
    let mut rest = after(text, b'{')?;
    loop {
        let (key, behind) = quoted(rest)?;
        if key != b"jsonrpc" {
            return Some(key);
        }
        let (_, behind) = quoted(after(behind, b':')?)?;
        rest = after(behind, b',')?;
    }
}

/// What is behind the next character that is not blank; everything, where it is another one.
fn after(text: &[u8], character: u8) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let first = *text.first()?;
    Some(if first == character { &text[1..] } else { text })
}

/// The text in quotes that comes next, and what is behind it; `None` while its end has not come.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let Some(inside) = text.strip_prefix(b"\"") else {
        return text.first().map(|_| (&b""[..], &b""[..]));
    };
    let end = inside.iter().position(|&byte| byte == b'"')?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The sorts of notices there are: method, label, what it means for an operator, and the code for a
/// client whose socket ends by it. A session at Qlik that was closed or logged out is opened anew
/// for whoever comes again, so 4200 will do; 4006 is the app's own session alone.
#[rustfmt::skip] // a row a notice
const KNOWN: [(&str, &str, Weight, CloseCode); 16] = [
    ("OnAuthenticationInformation", "authentication", Weight::Light, CloseCode::ENGINE_PROXY),
    ("OnConnected", "connected", Weight::Light, CloseCode::ENGINE_PROXY),
    ("OnDataPrepServiceWebsocketFailed", "data_prep_failed", Weight::Heavy, CloseCode::DEPENDENCY),
    ("OnEngineWebsocketFailed", "engine_failed", Weight::Heavy, CloseCode::NO_ENGINE),
    ("OnExcessLicenseAssignment", "excess_license", Weight::Heavy, CloseCode::NOT_ENTITLED),
    ("OnLicenseAccessDenied", "license_denied", Weight::Heavy, CloseCode::NOT_ENTITLED),
    ("OnLicenseAccessDeniedPendingUserSync", "license_pending", Weight::Heavy, CloseCode::NOT_ENTITLED),
    ("OnMaxParallelSessionsExceeded", "too_many_sessions", Weight::Heavy, CloseCode::TOO_MANY),
    ("OnNoDataPrepServiceAvailable", "no_data_prep", Weight::Heavy, CloseCode::DEPENDENCY),
    ("OnNoEngineAvailable", "no_engine", Weight::Heavy, CloseCode::NO_ENGINE),
    ("OnNoPrintingServiceAvailable", "no_printing", Weight::Heavy, CloseCode::DEPENDENCY),
    ("OnNoRepositoryAvailable", "no_repository", Weight::Heavy, CloseCode::DEPENDENCY),
    ("OnRepositoryWebsocketFailed", "repository_failed", Weight::Heavy, CloseCode::DEPENDENCY),
    ("OnSessionClosed", "session_closed", Weight::Light, CloseCode::ENGINE_PROXY),
    ("OnSessionLoggedOut", "session_logged_out", Weight::Light, CloseCode::ENGINE_PROXY),
    ("OnSessionTimedOut", "session_timed_out", Weight::Light, CloseCode::IDLE),
];

/// What a notice means for an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// Something at Qlik's side wants mending.
    Heavy,
    /// It happens.
    Light,
}

/// What no browser learns, be it in whichever notice: who Qlik believes the person is, and where
/// that is said.
const PRIVATE: [&str; 6] = [
    "loginUri",
    "logoutUri",
    "serverNodeId",
    "targetUri",
    "userDirectory",
    "userId",
];

/// A notice, as far as the proxy understands it.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    label: &'static str,
    weight: Weight,
    end: Option<CloseCode>,
    meaning: Meaning,
}

/// What is to be done with a notice.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// Qlik knows the person, or does not know them: a good credential, or a bad one. The client
    /// hears the first and nothing else of it.
    Authentication(Admission),
    /// It is sent on as it came.
    Public,
    /// It is sent on as this text, from which something was cut.
    Cut(Vec<u8>),
}

/// Whether Qlik took a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It did.
    Admitted,
    /// It wants the person to sign in.
    Refused,
}

impl Admission {
    /// All that a client gets to see of the notice that says it was let in; @qlik/api waits for it.
    pub const NOTICE: &'static [u8] = br#"{"jsonrpc":"2.0","method":"OnAuthenticationInformation","params":{"mustAuthenticate":false}}"#;
}

impl Notice {
    /// Reads a whole message; `None`: it is no notice.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<Self> {
        let mut message: Map<String, Value> = serde_json::from_slice(message).ok()?;
        let method = message.get("method")?.as_str()?;
        let known = KNOWN.into_iter().find(|(name, ..)| *name == method);
        let unknown = (method, "other", Weight::Light, CloseCode::ENGINE_PROXY);
        let (_, label, weight, code) = known.unwrap_or(unknown);
        let end = is_fatal(&message).then_some(code);
        let meaning = if label == "authentication" {
            Meaning::Authentication(admission(&message))
        } else if cut(&mut message) {
            Meaning::Cut(Value::Object(message).to_string().into_bytes())
        } else {
            Meaning::Public
        };
        Some(Self {
            label,
            weight,
            end,
            meaning,
        })
    }

    /// Whether a message too long to be a notice still talks of what no browser learns.
    #[must_use]
    pub fn is_private(beginning: &[u8]) -> bool {
        let says = |word: &str| {
            let mut windows = beginning.windows(word.len());
            windows.any(|window| window == word.as_bytes())
        };
        PRIVATE.into_iter().any(says) || says("OnAuthenticationInformation")
    }

    /// A metric's label, of a closed set.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// Whether an operator has something to mend.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.weight
    }

    /// The code for the client when the socket ends by it.
    #[must_use]
    pub const fn end(&self) -> Option<CloseCode> {
        self.end
    }

    /// What is to be done with it.
    #[must_use]
    pub const fn meaning(&self) -> &Meaning {
        &self.meaning
    }
}

/// Whether the socket will be closed: severities are `fatal`, `warning` and `notice`.
fn is_fatal(message: &Map<String, Value>) -> bool {
    let severity = message
        .get("params")
        .and_then(|params| params.get("severity"));
    let severity = severity.and_then(Value::as_str);
    severity.is_some_and(|severity| severity.eq_ignore_ascii_case("fatal"))
}

/// A page to sign in at is a refusal, whatever else is said.
fn admission(message: &Map<String, Value>) -> Admission {
    let said = |name: &str| message.get("params").and_then(|params| params.get(name));
    match (said("mustAuthenticate"), said("loginUri")) {
        (None | Some(Value::Bool(false)), None) => Admission::Admitted,
        _ => Admission::Refused,
    }
}

/// Cuts what is private, and texts that hold an address; true when there was any.
fn cut(message: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(params)) = message.get_mut("params") else {
        return false;
    };
    let before = params.len();
    params.retain(|name, _| !PRIVATE.contains(&name.as_str()));
    let mut found = params.len() < before;
    for value in params.values_mut() {
        if value.as_str().is_some_and(|text| text.contains("://")) {
            *value = json!("");
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(message: &Value) -> Meaning {
        let notice = Notice::read(message.to_string().as_bytes()).unwrap();
        notice.meaning().clone()
    }

    fn authentication(params: &Value) -> Meaning {
        meaning(&json!({"method": "OnAuthenticationInformation", "params": params}))
    }

    #[test]
    fn answers_and_notices_are_told_apart_by_their_first_key() {
        for (text, speech) in [
            (r#"{"jsonrpc":"2.0","id":1,"#, Speech::Answer),
            (r#" { "id" : 1"#, Speech::Answer),
            (r#"{"jsonrpc":"2.0","delta":true"#, Speech::Answer),
            (r#"{"jsonrpc":"2.0","method":"On"#, Speech::Notice),
            (r#"{"params":{"userId":"#, Speech::Notice),
            (r#"{"method":"#, Speech::Notice),
            ("{}", Speech::Notice),
            ("[1]", Speech::Notice),
            ("", Speech::Unclear),
            ("{", Speech::Unclear),
            (r#"{"jsonrpc":"2.0","#, Speech::Unclear),
            (r#"{"jsonrpc":"2.0","me"#, Speech::Unclear),
            (r#"{"jsonrpc":2,"#, Speech::Unclear),
        ] {
            assert_eq!(Speech::of(text.as_bytes()), speech, "{text}");
        }
    }

    #[test]
    fn an_answer_is_told_by_any_beginning_that_is_long_enough() {
        let whole = br#"{"jsonrpc":"2.0","id":6,"delta":true,"result":{"method":"x"}}"#;
        for end in 0..whole.len() {
            let speech = Speech::of(&whole[..end]);
            let clear = end >= br#"{"jsonrpc":"2.0","id""#.len();
            let expected = if clear {
                Speech::Answer
            } else {
                Speech::Unclear
            };
            assert_eq!(speech, expected, "{end}");
        }
    }

    #[test]
    fn only_a_plain_no_lets_a_person_in() {
        let good = json!({"userId": "ada", "userDirectory": "D", "logoutUri": "https://q/x",
            "mustAuthenticate": false});
        let admitted = Meaning::Authentication(Admission::Admitted);
        assert_eq!(authentication(&good), admitted);
        assert_eq!(authentication(&json!({})), admitted);
        for bad in [
            json!({"mustAuthenticate": true, "loginUri": "https://q/login"}),
            json!({"mustAuthenticate": true}),
            json!({"mustAuthenticate": "false"}),
            json!({"mustAuthenticate": 0}),
            json!({"mustAuthenticate": false, "loginUri": "https://q/login"}),
        ] {
            let refused = Meaning::Authentication(Admission::Refused);
            assert_eq!(authentication(&bad), refused, "{bad}");
        }
    }

    #[test]
    fn what_is_private_is_cut_from_every_notice() {
        let closed = json!({"jsonrpc": "2.0", "method": "OnSessionClosed", "params": {
            "severity": "fatal", "userId": "ada", "userDirectory": "D", "logoutUri": "https://q/x",
            "message": "See https://qlik.internal/hub", "timestamp": "2026-11-24T00:00:00Z"}});
        let Meaning::Cut(text) = meaning(&closed) else {
            panic!("it goes on as it came")
        };
        let text: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            text,
            json!({"jsonrpc": "2.0", "method": "OnSessionClosed", "params": {
                "severity": "fatal", "message": "", "timestamp": "2026-11-24T00:00:00Z"}})
        );
        let harmless = json!({"method": "OnNoEngineAvailable", "params": {"severity": "fatal"}});
        assert_eq!(meaning(&harmless), Meaning::Public);
    }

    #[test]
    fn a_fatal_notice_says_by_which_code_the_socket_ends() {
        let end = |method: &str, severity: &str| {
            let params = json!({"severity": severity, "message": "x"});
            let message = json!({"method": method, "params": params}).to_string();
            Notice::read(message.as_bytes()).unwrap().end()
        };
        for (method, code) in [
            ("OnMaxParallelSessionsExceeded", 4205),
            ("OnLicenseAccessDenied", 4230),
            ("OnLicenseAccessDeniedPendingUserSync", 4230),
            ("OnExcessLicenseAssignment", 4230),
            ("OnNoEngineAvailable", 4240),
            ("OnEngineWebsocketFailed", 4240),
            ("OnNoRepositoryAvailable", 4211),
            ("OnSessionTimedOut", 4001),
            ("OnSessionClosed", 4200),
            ("OnSessionLoggedOut", 4200),
            ("OnWhateverComes", 4200),
        ] {
            assert_eq!(end(method, "fatal"), Some(CloseCode(code)), "{method}");
            assert_eq!(end(method, "Fatal"), Some(CloseCode(code)), "{method}");
            assert_eq!(end(method, "warning"), None, "{method}");
        }
        assert!(KNOWN.iter().all(|row| row.3 != CloseCode::SESSION));
    }

    #[test]
    fn notices_are_told_by_a_closed_set() {
        let label = |method: &str| {
            let message = json!({"method": method, "params": {}}).to_string();
            Notice::read(message.as_bytes()).unwrap().label()
        };
        assert_eq!(label("OnLicenseAccessDenied"), "license_denied");
        assert_eq!(label("OnSessionTimedOut"), "session_timed_out");
        assert_eq!(label("OnWhateverComes"), "other");
        assert_eq!(Notice::read(br#"{"id":1,"result":{}}"#), None);
        assert_eq!(Notice::read(br#"{"method":7}"#), None);
        assert_eq!(Notice::read(b"OnConnected"), None);
    }
}
