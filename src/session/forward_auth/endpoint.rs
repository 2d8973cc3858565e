//! The app's session endpoint, and whether it is well.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use http::header::ACCEPT;

use super::super::error::{Outage, SessionError};
use super::super::fetch;
use super::answer::Answer;
use super::evidence::Evidence;
use crate::config::ForwardAuth;
use crate::id::{Issuer, RouteName};

/// The one URL that is asked.
#[derive(Debug)]
pub(super) struct Endpoint {
    route: RouteName,
    config: ForwardAuth,
    issuer: Issuer,
    http: reqwest::Client,
    failing: AtomicBool,
}

impl Endpoint {
    /// Prepares the asking.
    pub(super) fn new(route: &RouteName, config: ForwardAuth, http: &reqwest::Client) -> Self {
        let origin = config.url.origin().ascii_serialization();
        let issuer = Issuer::new(format!("{origin}{}", config.url.path()));
        Self {
            route: route.clone(),
            config,
            issuer,
            http: http.clone(),
            failing: AtomicBool::new(false),
        }
    }

    /// How it is to be asked.
    pub(super) fn config(&self) -> &ForwardAuth {
        &self.config
    }

    /// Asks about somebody.
    pub(super) async fn ask(&self, evidence: &Evidence) -> Result<Answer, SessionError> {
        let mut headers = evidence.headers();
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let request = self.http.get(self.config.url.clone()).headers(headers);
        let outcome = match fetch::send(request, self.config.timeout).await {
            Ok(response) => Answer::read(response, &self.config, &self.issuer).await,
            Err(outage) => Err(down(outage)),
        };
        self.report(&outcome);
        outcome
    }

    /// Says once when it fails, and once when it is well again.
    fn report(&self, outcome: &Result<Answer, SessionError>) {
        let outage = match outcome {
            Err(SessionError::Down { outage, .. }) => Some(outage),
            _ => None,
        };
        let was_failing = self.failing.swap(outage.is_some(), Ordering::Relaxed);
        match outage {
            Some(outage) if !was_failing => {
                tracing::warn!(route = %self.route, %outage, "the app's session endpoint fails");
            }
            None if was_failing => {
                tracing::info!(route = %self.route, "the app's session endpoint answers again");
            }
            _ => {}
        }
    }
}

/// Says that the endpoint is down.
pub(super) fn down(outage: Outage) -> SessionError {
    let what = "the app's session endpoint";
    SessionError::Down { what, outage }
}
