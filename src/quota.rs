//! How often somebody may knock: opens a minute of a subject, failed session checks a minute of an
//! address.
//!
//! An address over its budget is refused before its credential is looked at, so that guessing, and
//! what guesses cost the key sets and session endpoints behind us, has a bound. Its neighbours
//! behind the same NAT are let through by the credential that was good before, or by the ticket that
//! they were given; whoever is new there waits until the budget, which comes back evenly, has room.
//! An outage is nobody's failure: it has a budget of its own, so that what is down is not asked
//! without end. All tables are of a fixed size, and what strangers do never touches what is kept of
//! people who are signed in.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::{Budgets, Empty, Memory, Share};
use crate::config::Limits;
use crate::fault::{Fault, Faulty};
use crate::id::RouteName;
use crate::person::Person;
use crate::session::{Showing, Ticket};

/// How many addresses, subjects, credentials and tickets are known at once: 1 MiB each.
const PLACES: usize = 1 << 16;

/// The quotas of the whole process.
#[derive(Debug)]
pub struct Quotas {
    began: Instant,
    hashing: RandomState,
    failures: Mutex<Budgets>,
    /// What could not be looked at, an eighth of an event each.
    outages: Mutex<Budgets>,
    opens: Mutex<Budgets>,
    proven: Mutex<Memory>,
    /// Those that were given and not used yet: nobody's tickets push out another's credential.
    tickets: Mutex<Memory>,
}

impl Quotas {
    /// Whole budgets for everybody.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            hashing: RandomState::new(),
            failures: Mutex::new(Budgets::new(limits.failures_per_minute, PLACES)),
            outages: Mutex::new(Budgets::new(limits.failures_per_minute, PLACES)),
            opens: Mutex::new(Budgets::new(limits.opens_per_minute, PLACES)),
            proven: Mutex::new(Memory::new(PLACES)),
            tickets: Mutex::new(Memory::new(PLACES)),
        }
    }

    /// To be asked before the credential that a request shows is looked at; what came of it is to be
    /// told to the attempt.
    ///
    /// As long as it is under way it holds an eighth of a failure, so that many at once from one
    /// office pass, and not without end. One that is dropped unsettled keeps that eighth.
    pub fn attempt(
        &self,
        address: IpAddr,
        route: &RouteName,
        showing: Option<&Showing<'_>>,
    ) -> Result<Attempt<'_>, QuotaError> {
        let household = household(address);
        let attempt = Attempt {
            quotas: self,
            address: self.hashing.hash_one(household),
            source: showing.map(|it| self.hashing.hash_one((household, route, it.kind()))),
            credential: showing.map(|it| self.credential(it)),
            proven: false,
        };
        let proven = attempt.credential.is_some_and(|it| self.knows(it));
        if !proven {
            attempt.pledge()?;
        }
        Ok(Attempt { proven, ..attempt })
    }

    /// Expects a ticket that was just given: whoever brings it needs no room, once.
    pub fn expect(&self, ticket: &Ticket) {
        let Credential { print, .. } = self.credential(&ticket.showing());
        lock(&self.tickets).remember(print, self.now());
    }

    /// Counts what an address did wrong without an attempt, where there is room.
    pub fn fail(&self, address: IpAddr) -> Result<(), QuotaError> {
        let key = self.hashing.hash_one(household(address));
        let taken = lock(&self.failures).take(key, self.now());
        taken.map_err(|Empty { wait }| QuotaError::Failures { wait })
    }

    /// Counts one more socket that a person wants to open.
    pub fn open(&self, person: &Person) -> Result<(), QuotaError> {
        let owner = (person.issuer(), person.subject());
        let key = self.hashing.hash_one(owner);
        let taken = lock(&self.opens).take(key, self.now());
        taken.map_err(|Empty { wait }| QuotaError::Opens { wait })
    }

    /// Names a credential; nothing is kept of it but this.
    fn credential(&self, showing: &Showing<'_>) -> Credential {
        Credential {
            print: self.hashing.hash_one(showing),
            uses: if showing.kind() == Ticket::KIND {
                Use::Once
            } else {
                Use::Often
            },
        }
    }

    fn knows(&self, credential: Credential) -> bool {
        lock(self.memory(credential)).knows(credential.print)
    }

    fn memory(&self, credential: Credential) -> &Mutex<Memory> {
        match credential.uses {
            Use::Often => &self.proven,
            Use::Once => &self.tickets,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// What one home or office has of addresses: an IPv4 address, or the /64 of an IPv6 one.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
    }
}

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A credential, by a hash.
#[derive(Clone, Copy, Debug)]
struct Credential {
    print: u64,
    uses: Use,
}

/// How often a credential is good.
#[derive(Clone, Copy, Debug)]
enum Use {
    Often,
    Once,
}

/// A credential that is being looked at.
#[derive(Debug)]
#[must_use]
pub struct Attempt<'a> {
    quotas: &'a Quotas,
    address: u64,
    /// Who would be asked on this route, as far as this address goes.
    source: Option<u64>,
    credential: Option<Credential>,
    proven: bool,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    /// The credential is not good.
    Bad,
    /// The credential is good.
    Good,
    /// There was none to be looked at.
    Nothing,
    /// It could not be looked at.
    Unknown,
}

impl Attempt<'_> {
    /// Says what came of it.
    pub fn settle(self, finding: Finding) {
        match finding {
            Finding::Bad => self.fail(),
            Finding::Good => {
                self.give_back();
                self.remember();
            }
            Finding::Nothing | Finding::Unknown => self.give_back(),
        }
        if finding != Finding::Unknown {
            self.give_back_source();
        }
    }

    /// Holds what it may come to.
    fn pledge(&self) -> Result<(), QuotaError> {
        let now = self.quotas.now();
        let held = lock(&self.quotas.failures).hold(self.address, Share::PLEDGE, now);
        held.map_err(|Empty { wait }| QuotaError::Failures { wait })?;
        let Some(source) = self.source else {
            return Ok(());
        };
        let held = lock(&self.quotas.outages).hold(source, Share::PLEDGE, now);
        held.map_err(|Empty { wait }| {
            self.give_back();
            QuotaError::Outages { wait }
        })
    }

    fn fail(&self) {
        if let Some(credential) = self.credential {
            lock(self.quotas.memory(credential)).forget(credential.print);
        }
        let share = if self.proven {
            Share::WHOLE
        } else {
            Share::REST
        };
        lock(&self.quotas.failures).charge(self.address, share, self.quotas.now());
    }

    /// A ticket is used up.
    fn remember(&self) {
        let Some(credential) = self.credential else {
            return;
        };
        let mut memory = lock(self.quotas.memory(credential));
        match credential.uses {
            Use::Often => memory.remember(credential.print, self.quotas.now()),
            Use::Once => memory.forget(credential.print),
        }
    }

    fn give_back(&self) {
        if !self.proven {
            lock(&self.quotas.failures).give_back(self.address, Share::PLEDGE);
        }
    }

    fn give_back_source(&self) {
        if let Some(source) = self.source.filter(|_| !self.proven) {
            lock(&self.quotas.outages).give_back(source, Share::PLEDGE);
        }
    }
}

/// Why somebody has to wait. `Display` is for the operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuotaError {
    /// Too many session checks have failed from this address.
    #[error("too many session checks have failed from this address (limits.failures_per_minute)")]
    Failures {
        /// Until there is room for one more.
        wait: Duration,
    },
    /// What its credential would be asked about with has failed for this address again and again.
    #[error(
        "the session check has been down for too many from this address; nobody is asked for a moment"
    )]
    Outages {
        /// Until there is room for one more.
        wait: Duration,
    },
    /// The subject has opened too many sockets.
    #[error("this subject opens sockets too often (limits.opens_per_minute)")]
    Opens {
        /// Until there is room for one more.
        wait: Duration,
    },
}

impl Faulty for QuotaError {
    fn fault(&self) -> Fault {
        match self {
            Self::Failures { .. } | Self::Opens { .. } => Fault::TooMany,
            Self::Outages { .. } => Fault::SessionCheckDown,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let (Self::Failures { wait } | Self::Outages { wait } | Self::Opens { wait }) = self;
        Some(*wait)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use serde_json::Map;
    use tokio::time::advance;

    use super::*;
    use crate::id::{Issuer, Subject};

    const SECOND: Duration = Duration::from_secs(1);

    fn quotas(failures_per_minute: usize, opens_per_minute: usize) -> Quotas {
        Quotas::new(&Limits {
            sockets: 9,
            sockets_per_subject: 9,
            identities_per_subject: 9,
            opens_per_minute,
            failures_per_minute,
        })
    }

    fn person(issuer: &str, subject: &str) -> Person {
        Person::new(Issuer::new(issuer), Subject::new(subject), None, Map::new())
    }

    fn cookie(value: &'static str) -> Showing<'static> {
        Showing::new("redis", vec![value.as_bytes()])
    }

    fn bearer(value: &'static str) -> Showing<'static> {
        Showing::new("jwt", vec![value.as_bytes()])
    }

    fn route() -> RouteName {
        RouteName::new("/qlik")
    }

    /// Tries; whether it was let through.
    fn tries(quotas: &Quotas, address: &str, showing: &Showing<'_>, finding: Finding) -> bool {
        let attempt = quotas.attempt(address.parse().unwrap(), &route(), Some(showing));
        attempt.map(|attempt| attempt.settle(finding)).is_ok()
    }

    /// Comes without a credential; whether that was looked at.
    fn comes(quotas: &Quotas, address: &str) -> bool {
        let attempt = quotas.attempt(address.parse().unwrap(), &route(), None);
        attempt
            .map(|attempt| attempt.settle(Finding::Nothing))
            .is_ok()
    }

    /// How many of a hundred bad ones are looked at.
    fn guesses(quotas: &Quotas, address: &str) -> usize {
        let guess = || tries(quotas, address, &cookie("guess"), Finding::Bad);
        (0..100).filter(|_| guess()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_are_bounded_by_address() {
        let quotas = quotas(60, 1);
        assert_eq!(guesses(&quotas, "203.0.113.9"), 60);
        assert_eq!(guesses(&quotas, "203.0.113.9"), 0);
        assert_eq!(guesses(&quotas, "::ffff:203.0.113.9"), 0, "the same");
        assert_eq!(guesses(&quotas, "203.0.113.10"), 60, "another");
        assert_eq!(guesses(&quotas, "2001:db8:0:1::1"), 60);
        assert_eq!(guesses(&quotas, "2001:db8:0:1:ffff::2"), 0, "the same /64");
        assert_eq!(guesses(&quotas, "2001:db8:0:2::1"), 60, "another /64");
        advance(SECOND * 5).await;
        assert_eq!(guesses(&quotas, "203.0.113.9"), 5, "one a second");
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_bad_is_counted() {
        let quotas = quotas(2, 1);
        let address = "203.0.113.9";
        for _ in 0..1000 {
            assert!(tries(&quotas, address, &cookie("ada"), Finding::Good));
            assert!(comes(&quotas, address));
        }
        assert_eq!(guesses(&quotas, address), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_bounded_too() {
        let quotas = quotas(60, 1);
        let address = "203.0.113.9".parse().unwrap();
        let begin = || quotas.attempt(address, &route(), None);
        let under_way: Vec<_> = (0..1000).map_while(|_| begin().ok()).collect();
        assert_eq!(under_way.len(), 60 * 8 - 7);
        assert_eq!(
            begin().unwrap_err(),
            QuotaError::Failures { wait: SECOND / 8 }
        );
        for attempt in under_way {
            attempt.settle(Finding::Good);
        }
        assert_eq!(guesses(&quotas, "203.0.113.9"), 60, "all was given back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_counts_an_eighth() {
        let (quotas, address) = (quotas(2, 1), "203.0.113.1");
        for _ in 0..9 {
            drop(
                quotas
                    .attempt(address.parse().unwrap(), &route(), None)
                    .unwrap(),
            );
        }
        assert_eq!(guesses(&quotas, address), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_nobodys_failure_and_what_is_down_is_not_asked_without_end() {
        let (quotas, office) = (quotas(60, 1), "203.0.113.9");
        assert!(tries(&quotas, office, &cookie("ada"), Finding::Good));
        let asks = || tries(&quotas, office, &cookie("new"), Finding::Unknown);
        assert_eq!((0..2000).filter(|_| asks()).count(), 60 * 8 - 7);
        let again = quotas.attempt(office.parse().unwrap(), &route(), Some(&cookie("new")));
        let told = again.unwrap_err();
        assert_eq!(told.fault(), Fault::SessionCheckDown, "not its client's");
        assert_eq!(told.retry_after(), Some(SECOND / 8));

        assert!(tries(&quotas, office, &cookie("ada"), Finding::Unknown));
        assert!(
            tries(&quotas, office, &bearer("new"), Finding::Good),
            "of a kind that is up"
        );
        assert!(comes(&quotas, office));
        let other = RouteName::new("/other");
        let other = quotas.attempt(office.parse().unwrap(), &other, Some(&cookie("new")));
        other.unwrap().settle(Finding::Good);
        assert!(tries(
            &quotas,
            "203.0.113.10",
            &cookie("new"),
            Finding::Good
        ));
        advance(SECOND).await;
        for _ in 0..1000 {
            assert!(
                tries(&quotas, office, &cookie("new"), Finding::Good),
                "it is up again"
            );
        }
        let others = (0..100).filter(|_| tries(&quotas, office, &bearer("guess"), Finding::Bad));
        assert_eq!(others.count(), 60, "no failure was counted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_neighbour_whose_credential_was_good_is_let_through() {
        let quotas = quotas(60, 1);
        let office = "203.0.113.9";
        let bearer = bearer("ada");
        assert!(tries(&quotas, office, &cookie("ada"), Finding::Good));
        assert!(tries(&quotas, office, &bearer, Finding::Good));
        assert_eq!(guesses(&quotas, office), 60);
        for _ in 0..100 {
            assert!(tries(&quotas, office, &cookie("ada"), Finding::Good));
            assert!(tries(&quotas, office, &bearer, Finding::Good));
        }
        assert!(!tries(&quotas, office, &cookie("new"), Finding::Good));
        assert!(!comes(&quotas, office));
        advance(SECOND).await;
        assert!(tries(&quotas, office, &cookie("new"), Finding::Good));
        assert_eq!(guesses(&quotas, office), 1, "which took no budget");
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_was_good_once_fails_once() {
        let quotas = quotas(1, 1);
        let address = "203.0.113.9";
        assert!(tries(&quotas, address, &cookie("ada"), Finding::Good));
        assert_eq!(guesses(&quotas, address), 1);
        assert!(tries(&quotas, address, &cookie("ada"), Finding::Bad));
        assert!(!tries(&quotas, address, &cookie("ada"), Finding::Bad));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_that_was_given_is_let_through_once() {
        let (quotas, office) = (quotas(1, 1), "203.0.113.9");
        let ticket = Ticket::sample("given");
        quotas.expect(&ticket);
        assert_eq!(guesses(&quotas, office), 1);
        let guess = Ticket::sample("guess");
        assert!(!tries(&quotas, office, &guess.showing(), Finding::Good));
        assert!(tries(&quotas, office, &ticket.showing(), Finding::Good));
        assert!(!tries(&quotas, office, &ticket.showing(), Finding::Bad));
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_push_out_nobodys_credential() {
        let (quotas, office) = (quotas(1, 1), "203.0.113.9");
        assert!(tries(&quotas, office, &cookie("ada"), Finding::Good));
        assert_eq!(guesses(&quotas, office), 1);
        for ticket in 0..4 * PLACES {
            quotas.expect(&Ticket::sample(&ticket.to_string()));
        }
        assert!(tries(&quotas, office, &cookie("ada"), Finding::Good));
    }

    #[tokio::test(start_paused = true)]
    async fn opens_are_counted_by_issuer_and_subject() {
        let quotas = quotas(1, 120);
        let ada = person("idp", "ada");
        assert_eq!((0..200).filter(|_| quotas.open(&ada).is_ok()).count(), 120);
        let refused = quotas.open(&ada).unwrap_err();
        assert_eq!(refused, QuotaError::Opens { wait: SECOND / 2 });
        assert_eq!(refused.fault(), Fault::TooMany);
        assert_eq!(refused.retry_after(), Some(SECOND / 2));
        for other in [
            person("other", "ada"),
            person("idp", "eve"),
            person("id", "pada"),
        ] {
            assert!(quotas.open(&other).is_ok());
        }
        advance(SECOND * 10).await;
        assert_eq!((0..200).filter(|_| quotas.open(&ada).is_ok()).count(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn two_million_strangers_cost_nobody_anything() {
        let quotas = quotas(60, 120);
        let ada = person("idp", "ada");
        let worst = "203.0.113.9";
        assert!(tries(&quotas, worst, &cookie("ada"), Finding::Good));
        assert_eq!(guesses(&quotas, worst), 60);
        assert_eq!((0..200).filter(|_| quotas.open(&ada).is_ok()).count(), 120);
        let before = resident();
        for stranger in 0..2_000_000_u128 {
            let address = Ipv6Addr::from((0x2001_0db8 << 96) | (stranger << 64) | 1).into();
            let attempt = quotas.attempt(address, &route(), None);
            attempt.unwrap().settle(Finding::Bad);
        }
        let grown = resident().saturating_sub(before);
        // Other tests run beside; an entry for each stranger would be twice as much at the least.
        assert!(grown < 64 << 20, "{grown} bytes more");
        assert_eq!(guesses(&quotas, worst), 0, "the worst is not forgotten");
        assert!(quotas.open(&ada).is_err(), "nor is a subject");
        assert!(
            tries(&quotas, worst, &cookie("ada"), Finding::Good),
            "nor is a credential"
        );
    }

    /// The bytes of memory that this process uses.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
        pages << 12
    }

    #[test]
    fn nothing_of_a_credential_can_be_printed() {
        let quotas = quotas(1, 1);
        let showing = cookie("canary");
        let attempt = quotas.attempt(IpAddr::from([127, 0, 0, 1]), &route(), Some(&showing));
        let shown = format!("{:?} {showing:?}", attempt.unwrap());
        assert!(shown.contains("Showing(…)") && !shown.contains("canary"));
    }
}
