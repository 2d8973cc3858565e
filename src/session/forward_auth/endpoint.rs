//! The app's session endpoint.

use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use reqwest::Response;
use url::Url;

use super::super::error::{Outage, SessionError};
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
    touching: Health,
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
            touching: Health::new(route, "prolonging sessions at the app"),
        }
    }

    async fn send(&self, url: &Url, evidence: &Evidence) -> Result<Response, Outage> {
        let mut headers = evidence.headers();
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let request = self.http.get(url.clone()).headers(headers);
        fetch::send(request, self.config.timeout).await
    }
}

/// Whether a URL is one that prolongs sessions at all. A no can be about the session, which may have
/// ended meanwhile.
fn judge_touch(status: StatusCode) -> Result<(), SessionError> {
    match status.as_u16() {
        status @ (404 | 405 | 500..) => Err(Endpoint::down(Outage::Status(status))),
        _ => Ok(()),
    }
}

impl Source for Endpoint {
    type Evidence = Evidence;

    const WHAT: &'static str = "the app's session endpoint";

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn health(&self) -> &Health {
        &self.health
    }

    async fn ask(&self, evidence: &Evidence) -> Result<Answer, SessionError> {
        let answer = match self.send(&self.config.url, evidence).await {
            Ok(response) => answer::read(response, &self.config, &self.issuer).await,
            Err(outage) => Err(Self::down(outage)),
        };
        self.health.learn(&answer);
        answer
    }

    fn can_touch(&self) -> bool {
        self.config.touch.is_some()
    }

    /// What the app answers to it is its own affair: `url` says what became of the session.
    async fn touch(&self, evidence: &Evidence, _: &Answer) {
        if let Some(url) = &self.config.touch {
            let told = self.send(url, evidence).await.map_err(Self::down);
            self.touching
                .learn(&told.and_then(|answer| judge_touch(answer.status())));
        }
    }
}
