//! The app's session endpoint.

use http::HeaderValue;
use http::header::ACCEPT;

use super::super::error::SessionError;
use super::super::fetch;
use super::super::vouching::{Answer, Health, LAST_LOOK, Pace, Source};
use super::answer;
use super::evidence::Evidence;
use crate::config::ForwardAuth;
use crate::id::{Issuer, RouteName};

/// The one URL that is asked.
#[derive(Debug)]
pub(super) struct Endpoint {
    config: ForwardAuth,
    pace: Pace,
    issuer: Issuer,
    http: reqwest::Client,
    health: Health,
}

impl Endpoint {
    /// Prepares the asking.
    pub(super) fn new(route: &RouteName, config: ForwardAuth, http: &reqwest::Client) -> Self {
        let pace = Pace {
            cache: config.cache,
            recheck: config.recheck,
            grace: config.grace,
            patience: config.timeout,
            last_look: LAST_LOOK,
        };
        Self {
            pace: pace.within_reach(),
            issuer: fetch::issuer(&config.url),
            config,
            http: http.clone(),
            health: Health::new(route, Self::WHAT),
        }
    }
}

impl Source for Endpoint {
    type Evidence = Evidence;

    const WHAT: &'static str = "the app's session endpoint";

    fn pace(&self) -> &Pace {
        &self.pace
    }

    async fn ask(&self, evidence: &Evidence) -> Result<Answer, SessionError> {
        let mut headers = evidence.headers();
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let request = self.http.get(self.config.url.clone()).headers(headers);
        let answer = match fetch::send(request, self.config.timeout).await {
            Ok(response) => answer::read(response, &self.config, &self.issuer).await,
            Err(outage) => Err(Self::down(outage)),
        };
        self.health.learn(&answer);
        answer
    }
}
