//! The second question: what may they open and do? Pure: a person and a target enter, a `Permit`
//! leaves; the permit then judges every message of a reading route.
//!
//! Apps are held on the URL and on every call that names one; methods by the route's profile.
//! What is not understood is denied. Nothing here asks Qlik: it holds its own line as well.

mod rules;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_oracle;

use std::sync::Arc;

use serde_json::Value;

use self::rules::{Rules, Scope};
use crate::config::{Access, Apps, Methods};
use crate::fault::Fault;
use crate::id::AppId;
use crate::person::Person;
use crate::qix::{Call, Denial, Document, Target, is_app_id};

/// Leave to open one target, and the rules its messages are held to.
///
/// Its clones are one: the relay keeps it, and the registry, for other rules to judge it by.
#[derive(Clone, Debug)]
pub struct Permit(Arc<Permitted>);

#[derive(Debug)]
struct Permitted {
    target: Target,
    rules: Rules,
}

/// Decides whether a person may open a target.
///
/// Not permitted: an app that is not among theirs, any app where their claim is missing or odd, a
/// session app unless the route has them. `engineData` asks for one app at least; its calls are
/// then held to all of theirs, where an app's URL holds them to that very app.
pub fn permit(access: &Access, person: &Person, target: &Target) -> Result<Permit, Fault> {
    let theirs = match &access.apps {
        Apps::Any => Scope::Any,
        Apps::Claimed(path) => Scope::Only(claimed(person.claim(path)).into()),
        Apps::Listed(apps) => Scope::Only(apps.as_slice().into()),
    };
    let permitted = match &target.document {
        Document::App(app) => theirs.holds(app.as_str()),
        Document::EngineData => theirs.holds_any(),
        Document::SessionApp(_) => access.session_apps && theirs.holds_any(),
    };
    if !permitted {
        return Err(Fault::NotPermitted);
    }
    let apps = match (theirs, &target.document) {
        (Scope::Only(_), Document::App(app)) => Scope::Only(Arc::new([app.clone()])),
        (theirs, _) => theirs,
    };
    Ok(Permit(Arc::new(Permitted {
        target: target.clone(),
        rules: Rules {
            apps,
            methods: access.methods,
            session_apps: access.session_apps,
        },
    })))
}

/// The apps that a claim lists; none if there is anything in it but apps' ids.
fn claimed(claim: Option<&Value>) -> Vec<AppId> {
    let listed: Option<Vec<AppId>> = match claim {
        Some(Value::String(_)) => claim.map(app_id).into_iter().collect(),
        Some(Value::Array(apps)) => apps.iter().map(app_id).collect(),
        _ => None,
    };
    listed.unwrap_or_default()
}

fn app_id(value: &Value) -> Option<AppId> {
    value
        .as_str()
        .filter(|text| is_app_id(text))
        .map(AppId::new)
}

impl Permit {
    /// What was permitted.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// Whether it permits all that another permits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.target == other.0.target && self.0.rules.cover(&other.0.rules)
    }

    /// The apps that calls may name; none where they may name any.
    #[must_use]
    pub fn apps(&self) -> &[AppId] {
        match &self.0.rules.apps {
            Scope::Any => &[],
            Scope::Only(apps) => apps,
        }
    }

    /// Whether the messages of this socket are read; `apps = "any"` with `methods = "any"` reads
    /// nothing.
    #[must_use]
    pub fn reading(&self) -> Reading {
        match (&self.0.rules.apps, self.0.rules.methods) {
            (Scope::Any, Methods::Any) => Reading::Nothing,
            _ => Reading::EveryMessage,
        }
    }

    /// Judges one whole client message (its payload, unmasked).
    #[must_use]
    pub fn judge(&self, kind: MessageKind, payload: &[u8]) -> Verdict {
        if self.reading() == Reading::Nothing {
            return Verdict::Pass;
        }
        if kind == MessageKind::Binary {
            return deny(&Denial::of_nothing(), DenyReason::Binary);
        }
        match Call::read(payload) {
            Err(message) => deny(&Denial::of_unreadable(&message), DenyReason::Unreadable),
            Ok(call) => match self.0.rules.objection(&call, &self.0.target.document) {
                Some(reason) => deny(&Denial::of_call(&call), reason),
                None => Verdict::Pass,
            },
        }
    }
}

fn deny(denial: &Denial<'_>, reason: DenyReason) -> Verdict {
    Verdict::Deny(Denied {
        answer: denial.to_json(),
        reason,
    })
}

/// Whether a socket's client messages are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Every client message is held whole and judged.
    EveryMessage,
    /// Bytes pass unread.
    Nothing,
}

/// The kind of a data message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageKind {
    /// Binary: the engine knows none.
    Binary,
    /// Text: JSON-RPC.
    Text,
}

/// What is to be done with a client message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Answer it in the engine's place.
    Deny(Denied),
    /// Send it on as it came.
    Pass,
}

/// A message that is not sent on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denied {
    /// The JSON text to answer it with.
    pub answer: Vec<u8>,
    /// Why, for metrics and the record.
    pub reason: DenyReason,
}

/// Why a message is not sent on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DenyReason {
    /// It names, or may reach, an app that is not permitted.
    App,
    /// It is binary.
    Binary,
    /// The method is not for this profile.
    Method,
    /// It would make a session app.
    SessionApp,
    /// It is not understood.
    Unreadable,
}

impl DenyReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::App,
        Self::Binary,
        Self::Method,
        Self::SessionApp,
        Self::Unreadable,
    ];

    /// Its label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Binary => "binary",
            Self::Method => "method",
            Self::SessionApp => "session_app",
            Self::Unreadable => "unreadable",
        }
    }
}
