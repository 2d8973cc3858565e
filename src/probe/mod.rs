//! A rehearsal: what would happen if a named somebody opened a route's engine now?
//!
//! Claims and an app enter; a `Report` leaves, a step for each question from the second on, that
//! says in plain words what was seen and, where a step failed, why and what mends it; and one of the
//! Redis that replicas share. It opens no door, checks no session, sends nothing but harmless calls,
//! and shows no secret.

mod advice;
mod commons;
mod conversation;
mod rehearsal;
mod report;

use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use self::commons::{Commons, Kept};
pub use self::rehearsal::{Nothing, Rehearsal, Wish};
pub use self::report::{Outcome, Report, Step};
use self::report::{Seen, StepName};
use crate::config::Route;
use crate::credential::Credential;
use crate::engine::{Dial, EngineSocket};
use crate::fault::{Fault, Faulty};
use crate::gate::{Home, Homes, IdentityKey, Whose};
use crate::id::{CustomerName, Issuer, RouteName, Subject};
use crate::person::{ClaimPath, Person};
use crate::policy::{Permit, permit};
use crate::qix::{Document, Target};

/// A route without its sessions, ready to be tried.
#[derive(Debug)]
pub struct Probe {
    /// The route as configured.
    pub route: Route,
    /// As whom does which Qlik see them?
    pub homes: Homes,
    /// Keeps the rehearsal out of everybody's engine sessions.
    pub identities: IdentityKey,
}

/// Whom to open the engine for.
#[derive(Clone, Debug, Default)]
pub struct Somebody {
    subject: Option<String>,
    claims: Map<String, Value>,
    /// What their app session is, for kinds that pass it on.
    token: Option<SecretString>,
}

impl Probe {
    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &RouteName {
        &self.route.name
    }

    /// Whom the route is tried for: somebody as they are, where they say whose they are or nobody asks;
    /// otherwise somebody of each customer, or of `customer` alone.
    fn everybody(&self, somebody: &Somebody, customer: Option<&str>) -> Vec<Somebody> {
        let Some((claim, customers)) = self.homes.customers() else {
            return Vec::from_iter(customer.is_none().then(|| somebody.clone()));
        };
        let told = customer.is_none() && claim.find(&somebody.claims).is_some();
        if told || customers.is_empty() {
            return vec![somebody.clone()];
        }
        let wanted = |name: &CustomerName| customer.is_none_or(|wanted| wanted == name.as_str());
        let theirs = customers.into_iter().filter(|(name, _)| wanted(name));
        theirs
            .map(|(_, text)| somebody.saying(claim, text))
            .collect()
    }

    /// Tries the route for somebody, step by step, until one fails.
    async fn run(&self, somebody: &Somebody, target: &Target) -> Report {
        let person = somebody.person();
        let mut report = Report::of_route(&self.route.name, person.subject());
        // What failed is in the report.
        let _ = self.steps(&person, target, &mut report).await;
        report
    }

    async fn steps(
        &self,
        person: &Person,
        target: &Target,
        report: &mut Report,
    ) -> Result<(), Failed> {
        let access = self.access(person, target, report);
        let (home, permit) = report.add(StepName::Access, Instant::now(), access)?;
        let started = Instant::now();
        let credential = credential(home, person).await;
        let credential = report.add(StepName::Credential, started, credential)?;
        let started = Instant::now();
        let whose = Whose {
            route: &self.route,
            home,
            person,
        };
        let socket = self.dial(whose, &permit, &credential).await;
        let socket = report.add(StepName::Engine, started, socket)?;
        let started = Instant::now();
        let greeted = conversation::greet(socket, home.place.dial_timeout).await;
        let talk = report.add(StepName::Greeting, started, greeted)?;
        let started = Instant::now();
        if let Document::App(app) = &target.document {
            let opened = talk.open(app).await;
            report.add(StepName::App, started, opened)?.end().await;
        } else {
            talk.end().await;
        }
        Ok(())
    }

    fn access(
        &self,
        person: &Person,
        target: &Target,
        report: &mut Report,
    ) -> Result<Seen<(&Home, Permit)>, Step> {
        let home = self.homes.of(person);
        let home = home.map_err(|why| Step::refused(why.to_string(), advice::CUSTOMER))?;
        report.belong_to(home.customer.as_ref());
        let document = target.document.as_str();
        let Ok(permit) = permit(&home.access, person, target) else {
            let what = format!("may not open {document:?}");
            return Err(Step::refused(what, advice::ACCESS));
        };
        let what = format!("may open {document:?}");
        Ok(Seen::new(what, (home, permit)))
    }

    async fn dial(
        &self,
        whose: Whose<'_>,
        permit: &Permit,
        credential: &Credential,
    ) -> Result<Seen<EngineSocket>, Step> {
        let identity = self.identities.identify(whose, permit);
        let dial = Dial {
            identity: &identity,
            injection: credential.injection(),
            offers: None,
        };
        match whose.home.engine.dial(permit, dial).await {
            Ok(socket) => Ok(Seen::new("took the upgrade".to_owned(), socket)),
            Err(error) => Err(advice::on_engine(&error)),
        }
    }
}

async fn credential(home: &Home, person: &Person) -> Result<Seen<Credential>, Step> {
    match home.credentials.obtain(person).await {
        Ok(credential) => Ok(Seen::new("ready".to_owned(), credential)),
        Err(error) => Err(advice::on_credential(&error)),
    }
}

/// A step failed; the report says which.
#[derive(Debug)]
struct Failed;

impl Somebody {
    /// A person by subject and claims; a claim `sub` is the subject where none is given.
    #[must_use]
    pub fn new(subject: Option<String>, claims: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self {
            subject,
            claims: claims.into_iter().collect(),
            token: None,
        }
    }

    /// The same person, whose app session is this token.
    #[must_use]
    pub fn bearing(self, token: Option<SecretString>) -> Self {
        Self { token, ..self }
    }

    /// The same person, whose claim says this.
    fn saying(&self, claim: &ClaimPath, text: &str) -> Self {
        let mut same = self.clone();
        claim.put(&mut same.claims, Value::from(text));
        same
    }

    fn person(&self) -> Person {
        let claimed = self.claims.get("sub").and_then(Value::as_str);
        let subject = self.subject.as_deref().or(claimed).unwrap_or_default();
        let issuer = Issuer::new("qix-proxy check");
        let person = Person::new(issuer, Subject::new(subject), None, self.claims.clone());
        match &self.token {
            Some(token) => person.bearing(token.clone()),
            None => person,
        }
    }
}

/// How bad an error is for whoever asks whether the route works.
fn outcome(error: &impl Faulty) -> Outcome {
    match error.fault() {
        Fault::CredentialDown | Fault::EngineBusy | Fault::EngineDown | Fault::EngineTimeout => {
            Outcome::Unavailable
        }
        _ => Outcome::Refused,
    }
}
