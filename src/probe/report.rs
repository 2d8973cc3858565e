//! What a rehearsal showed: for a person to read, and for a machine.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Failed;
use crate::credential::Advice;
use crate::id::{CustomerName, RouteName, Subject};

/// How a step, a route or a whole check ended; the worse is the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// As it should.
    Good,
    /// Something cannot be reached, is busy, or does not answer: it may pass.
    Unavailable,
    /// Qlik or the route itself said no: it will not pass by itself.
    Refused,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
        }
    }
}

/// What became of one try.
#[derive(Debug)]
pub struct Report {
    what: Tried,
    steps: Vec<(StepName, Duration, Step)>,
}

/// What was tried.
#[derive(Debug)]
enum Tried {
    /// The Redis that the replicas share.
    Replicas,
    /// The way to Qlik.
    Route {
        route: RouteName,
        customer: Option<CustomerName>,
        subject: Subject,
    },
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum StepName {
    Access,
    Credential,
    Engine,
    Greeting,
    App,
    Redis,
}

impl StepName {
    const fn label(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Credential => "credential",
            Self::Engine => "engine",
            Self::Greeting => "greeting",
            Self::App => "app",
            Self::Redis => "redis",
        }
    }
}

/// What came of one step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    pub(super) outcome: Outcome,
    pub(super) saw: String,
    pub(super) code: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) mend: Option<String>,
}

impl Step {
    /// A step that failed for good.
    pub(super) fn refused(saw: String, advice: Advice) -> Self {
        Self::failed(Outcome::Refused, saw, advice)
    }

    pub(super) fn failed(outcome: Outcome, saw: String, advice: Advice) -> Self {
        Self {
            outcome,
            saw,
            code: None,
            cause: Some(advice.cause.to_owned()),
            mend: Some(advice.mend.to_owned()),
        }
    }

    pub(super) fn coded(self, code: Option<String>) -> Self {
        Self { code, ..self }
    }

    fn good(saw: String) -> Self {
        Self {
            outcome: Outcome::Good,
            saw,
            code: None,
            cause: None,
            mend: None,
        }
    }
}

/// A step that went well: what was seen, and what the next step needs of it.
pub(super) struct Seen<T> {
    saw: String,
    value: T,
}

impl<T> Seen<T> {
    pub(super) const fn new(saw: String, value: T) -> Self {
        Self { saw, value }
    }
}

impl Report {
    /// Of a route, for somebody.
    pub(super) fn of_route(route: &RouteName, subject: &Subject) -> Self {
        Self::of(Tried::Route {
            route: route.clone(),
            customer: None,
            subject: subject.clone(),
        })
    }

    /// Of what the replicas share.
    pub(super) fn of_replicas() -> Self {
        Self::of(Tried::Replicas)
    }

    fn of(what: Tried) -> Self {
        let steps = Vec::new();
        Self { what, steps }
    }

    /// Writes down whose somebody turned out to be.
    pub(super) fn belong_to(&mut self, whose: Option<&CustomerName>) {
        if let Tried::Route { customer, .. } = &mut self.what {
            *customer = whose.cloned();
        }
    }

    /// Whether it is of a route.
    #[must_use]
    pub fn is_of_route(&self) -> bool {
        matches!(self.what, Tried::Route { .. })
    }

    /// Writes a step down, and hands on what the next one needs.
    pub(super) fn add<T>(
        &mut self,
        name: StepName,
        started: Instant,
        step: Result<Seen<T>, Step>,
    ) -> Result<T, Failed> {
        let took = started.elapsed();
        match step {
            Ok(Seen { saw, value }) => {
                self.steps.push((name, took, Step::good(saw)));
                Ok(value)
            }
            Err(step) => {
                self.steps.push((name, took, step));
                Err(Failed)
            }
        }
    }

    /// The worst of the steps.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.steps.iter().map(|(_, _, step)| step.outcome);
        outcomes.max().unwrap_or(Outcome::Good)
    }

    /// The report for a machine: `outcome`, and of each of the `steps` its `step`, `outcome`,
    /// `milliseconds`, `saw`, `code`, `cause`, `mend` (the last three `null` where there is none); that
    /// of a route has `route`, `customer` (`null` where it has none) and `subject` as well.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps = self.steps.iter().map(|(name, took, step)| {
            json!({
                "step": name.label(), "outcome": step.outcome.label(),
                "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "saw": step.saw, "code": step.code, "cause": step.cause, "mend": step.mend,
            })
        });
        let outcome = self.outcome().label();
        let mut report = json!({ "outcome": outcome, "steps": steps.collect::<Vec<_>>() });
        if let Tried::Route {
            route,
            customer,
            subject,
        } = &self.what
        {
            report["route"] = json!(route.as_str());
            report["customer"] = json!(customer.as_ref().map(CustomerName::as_str));
            report["subject"] = json!(subject.as_str());
        }
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        for (name, took, step) in &self.steps {
            let (name, outcome) = (name.label(), step.outcome.label());
            let ms = took.as_millis();
            write!(f, "\n  {name:<10}  {outcome:<11}  {ms:>5} ms  {}", step.saw)?;
            explain(f, "cause", step.cause.as_deref())?;
            explain(f, "mend", step.mend.as_deref())?;
        }
        Ok(())
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (route, customer, subject) = match self {
            Self::Replicas => return f.write_str("[replicas]"),
            Self::Route {
                route,
                customer,
                subject,
            } => (route, customer, subject),
        };
        write!(f, "{route}")?;
        if let Some(customer) = customer {
            write!(f, ", {customer}")?;
        }
        match subject.as_str() {
            "" => write!(f, ", for nobody by name"),
            subject => write!(f, ", for {subject:?}"),
        }
    }
}

fn explain(f: &mut fmt::Formatter<'_>, what: &str, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => write!(f, "\n    {what:<5}  {text}"),
        None => Ok(()),
    }
}
