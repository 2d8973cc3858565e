//! A whole config's rehearsal: each route, for each of its customers, and what replicas share.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{Commons, Probe, Report, Somebody};
use crate::credential::Keepers;
use crate::qix::Target;

/// How many ways to Qlik are tried at once.
const AT_ONCE: usize = 8;
/// How long ending what was opened at Qlik may take.
const PARTING: Duration = Duration::from_secs(5);

/// All that a config has to try.
#[derive(Debug)]
pub struct Rehearsal {
    /// Every route.
    pub probes: Vec<Probe>,
    /// What replicas share, where they do.
    pub commons: Option<Commons>,
    /// What was made for it.
    pub keepers: Keepers,
}

/// What of it to try, and for whom.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// This route alone.
    pub route: Option<String>,
    /// This customer alone.
    pub customer: Option<String>,
    /// For this person.
    pub somebody: Somebody,
    /// Opening this app.
    pub app: Option<String>,
}

impl Rehearsal {
    /// Tries all that is wished, and tells each report as soon as it and those before it are there.
    pub async fn run(
        &self,
        wish: &Wish,
        mut tell: impl FnMut(&Report),
    ) -> Result<Vec<Report>, Nothing> {
        let app = wish.app.as_slice();
        let app: Vec<&str> = app.iter().map(String::as_str).collect();
        let target = Target::parse(&app).map_err(|_| Nothing::App)?;
        let tries = self.tries(wish)?;
        let mut reports = Vec::new();
        if let Some(commons) = self.commons.as_ref().filter(|_| wish.is_for_all()) {
            reports.push(commons.run().await);
            reports.iter().for_each(&mut tell);
        }
        let tries = stream::iter(&tries).map(|(probe, somebody)| probe.run(somebody, &target));
        let mut tries = Box::pin(tries.buffered(AT_ONCE));
        while let Some(report) = tries.next().await {
            tell(&report);
            reports.push(report);
        }
        drop(tries);
        self.keepers.emptied(PARTING).await;
        Ok(reports)
    }

    fn tries(&self, wish: &Wish) -> Result<Vec<(&Probe, Somebody)>, Nothing> {
        let wanted = |probe: &&Probe| {
            let route = wish.route.as_deref();
            route.is_none_or(|route| route == probe.name().as_str())
        };
        let probes: Vec<&Probe> = self.probes.iter().filter(wanted).collect();
        if probes.is_empty() {
            let names = self.probes.iter();
            let names = names.map(|probe| format!("{:?}", probe.name().as_str()));
            return Err(Nothing::Route(names.collect::<Vec<_>>().join(", ")));
        }
        let customer = wish.customer.as_deref();
        let tries = probes.into_iter().flat_map(|probe| {
            let everybody = probe.everybody(&wish.somebody, customer).into_iter();
            everybody.map(move |somebody| (probe, somebody))
        });
        let tries: Vec<_> = tries.collect();
        if tries.is_empty() {
            return Err(Nothing::Customer);
        }
        Ok(tries)
    }
}

impl Wish {
    fn is_for_all(&self) -> bool {
        self.route.is_none() && self.customer.is_none()
    }
}

/// Why there is nothing to try. `Display` is for the operator.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Nothing {
    /// No app can be called so.
    #[error("--app is no app's id")]
    App,
    /// No customer is called so.
    #[error("there is no such customer; --customer takes the `name` that the config gives it")]
    Customer,
    /// No route is called so; the names there are.
    #[error("there is no such route; there are {0}")]
    Route(String),
}
