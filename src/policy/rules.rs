//! What a permit holds a call to.

use std::sync::Arc;

use super::DenyReason;
use crate::config::Methods;
use crate::id::AppId;
use crate::qix::methods::{self, Apps, Consumer, Method, Owner, Parameter};
use crate::qix::{Argument, Call, Document, is_session_app};

/// The rules of one socket.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The apps that calls may name.
    pub(super) apps: Scope,
    /// The calls that may be made.
    pub(super) methods: Methods,
    /// Whether session apps may be made.
    pub(super) session_apps: bool,
}

/// Apps that may be named.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    Any,
    Only(Arc<[AppId]>),
}

impl Scope {
    pub(super) fn holds(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(apps) => apps.iter().any(|app| app.as_str() == name),
        }
    }

    pub(super) fn holds_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Only(apps) => !apps.is_empty(),
        }
    }
}

impl Scope {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Only(_), Self::Any) => false,
            (Self::Only(_), Self::Only(apps)) => apps.iter().all(|app| self.holds(app.as_str())),
        }
    }
}

impl Rules {
    /// Whether they let pass all that others let pass.
    pub(super) fn cover(&self, other: &Self) -> bool {
        let methods = self.methods == other.methods || self.methods == Methods::Any;
        let session_apps = self.session_apps || !other.session_apps;
        methods && session_apps && self.apps.covers(&other.apps)
    }

    /// What stands against a call, made on a socket that opened `document`.
    pub(super) fn objection(&self, call: &Call<'_>, document: &Document) -> Option<DenyReason> {
        let method = methods::find(call.method());
        if !self.permits_method(call, method) {
            return Some(DenyReason::Method);
        }
        let hold = |parameters| self.hold(call, document, parameters);
        match method.map_or(Apps::Open, |method| method.apps) {
            Apps::Open => None,
            Apps::NamedPerhaps(parameter) => match call.argument(&parameter) {
                Argument::Absent | Argument::Text("") => None,
                _ => hold(&[parameter]),
            },
            Apps::Session(_) if !self.session_apps => Some(DenyReason::SessionApp),
            Apps::Named(parameters) | Apps::Session(parameters) => hold(parameters),
            Apps::Untold => matches!(self.apps, Scope::Only(_)).then_some(DenyReason::App),
        }
    }

    fn permits_method(&self, call: &Call<'_>, method: Option<&Method>) -> bool {
        // What the Global object is not known to have may name an app in a way that is not known.
        let known = !call.is_global()
            || method.is_some_and(|method| {
                method.owner == Owner::Global && method.name == call.method()
            });
        let profile = match self.methods {
            Methods::Any => true,
            Methods::Consumer => method.is_none_or(|it| it.consumer == Consumer::Permitted),
        };
        known && profile
    }

    fn hold(
        &self,
        call: &Call<'_>,
        document: &Document,
        parameters: &[Parameter],
    ) -> Option<DenyReason> {
        let all = parameters
            .iter()
            .all(|parameter| self.permits_app(call.argument(parameter), document));
        (!all).then_some(DenyReason::App)
    }

    fn permits_app(&self, argument: Argument<'_>, document: &Document) -> bool {
        match argument {
            Argument::Text(name) if is_session_app(name) => {
                // @qlik/api opens the session app that its URL has made, by that name.
                matches!(document, Document::SessionApp(own) if own == name)
                    || (self.session_apps && matches!(self.apps, Scope::Any))
            }
            Argument::Text(name) => self.apps.holds(name),
            Argument::Absent | Argument::Odd => false,
        }
    }
}
