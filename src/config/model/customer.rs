//! Whose Qlik a route leads to: one for all, or one a customer.

use super::{Access, Apps, Credential, Engine};
use crate::config::print::Print;
use crate::id::CustomerName;
use crate::person::ClaimPath;

/// Whose Qlik a route leads to.
#[derive(Debug)]
pub enum Qlik {
    /// Each customer's own.
    Customers(Customers),
    /// One for all.
    One(Box<Home>),
}

/// The last two of the four questions.
#[derive(Debug)]
pub struct Home {
    /// 3: as whom does the engine see them?
    pub credential: Credential,
    /// What is written of the credential.
    pub print: Print,
    /// What the files and variables hold that both of them name.
    pub seen: Print,
    /// 4: which Qlik?
    pub engine: Engine,
}

/// The closed list of a route's customers.
#[derive(Debug)]
pub struct Customers {
    /// The claim whose text says whose somebody is.
    pub claim: ClaimPath,
    /// The customers; no two have the same name or the same value.
    pub list: Vec<Customer>,
}

/// One customer.
#[derive(Debug)]
pub struct Customer {
    /// What the config calls it, in logs.
    pub name: CustomerName,
    /// The text of the claim, byte for byte.
    pub value: String,
    /// 2: what may they open and do? The route's own rules where it says nothing.
    pub access: Option<Access>,
    /// 3 and 4.
    pub home: Home,
}

impl Qlik {
    /// Every Qlik that the route leads to.
    pub fn homes(&self) -> impl Iterator<Item = &Home> {
        let (one, customers) = match self {
            Self::Customers(customers) => (None, customers.list.as_slice()),
            Self::One(home) => (Some(home.as_ref()), &[][..]),
        };
        let theirs = customers.iter().map(|customer| &customer.home);
        one.into_iter().chain(theirs)
    }

    /// The claims that say what somebody may open and whose they are, where the route has these rules.
    #[must_use]
    pub fn deciding_claims(&self, access: &Access) -> Vec<ClaimPath> {
        let customers = match self {
            Self::Customers(customers) => Some(customers),
            Self::One(_) => None,
        };
        let listed = customers.into_iter().flat_map(|customers| &customers.list);
        let rules = listed.filter_map(|customer| customer.access.as_ref());
        let apps = rules.chain([access]).filter_map(|rules| match &rules.apps {
            Apps::Claimed(claim) => Some(claim),
            Apps::Any | Apps::Listed(_) => None,
        });
        let whose = customers.map(|customers| &customers.claim);
        let mut claims: Vec<ClaimPath> = whose.into_iter().chain(apps).cloned().collect();
        claims.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        claims.dedup();
        claims
    }
}

impl Default for Qlik {
    /// Nobody's.
    fn default() -> Self {
        let (claim, list) = (ClaimPath::new(""), Vec::new());
        Self::Customers(Customers { claim, list })
    }
}
