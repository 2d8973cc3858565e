//! What a relay is tied to: alone, or in a proxy where everything is on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use http::Version;
use prometheus_client::registry::Registry;
use qix_proxy::config::{Access, Apps, Flavour, Limits, Methods, Print, RelayLimits};
use qix_proxy::credential::Stay;
use qix_proxy::id::{AppId, ConnectionId, EngineIdentity, Issuer, RouteName, SessionId, Subject};
use qix_proxy::live::{Grounds, Live, Seat};
use qix_proxy::person::Person;
use qix_proxy::policy::{Permit, permit};
use qix_proxy::qix::{Document, Target};
use qix_proxy::record::{Ledger, Meters, Opening, Record};
use qix_proxy::relay::{Compression, Leash, Terms};
use qix_proxy::session::{Activity, Standing};
use serde_json::Map;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::LONG;

/// How many other sockets are there where everything is on, and whose they are.
const OTHERS: u64 = 5_000;
const PEOPLE: u64 = 500;
const NO_LIMITS: Limits = Limits {
    sockets: usize::MAX,
    sockets_per_subject: usize::MAX,
    identities_per_subject: usize::MAX,
    opens_per_minute: usize::MAX,
    failures_per_minute: usize::MAX,
};
const LIMITS: Limits = Limits {
    sockets: 10_000,
    sockets_per_subject: 50,
    identities_per_subject: 20,
    opens_per_minute: 120,
    failures_per_minute: 60,
};

/// What the relays of a process share.
pub(crate) struct House {
    live: Arc<Live>,
    meters: Arc<Meters>,
    standing: watch::Sender<Standing>,
    activity: Activity,
    engine_ping: Option<Duration>,
    _others: Vec<Seat>,
}

impl House {
    /// One socket, of a session that nobody watches, and no limits.
    pub(crate) fn quiet() -> Self {
        Self::within(NO_LIMITS)
    }

    fn within(limits: Limits) -> Self {
        Self {
            live: Live::new(limits),
            meters: Arc::new(Meters::new(&mut Registry::default())),
            standing: watch::Sender::new(Standing::Valid { until: None }),
            activity: Activity::default(),
            engine_ping: None,
            _others: Vec::new(),
        }
    }

    /// Thousands of sockets of hundreds of people, all of them counted, records written, both ends
    /// pinged, a session that expires, is watched, and is prolonged by work.
    pub(crate) fn crowded() -> Result<Self> {
        let log = tracing_subscriber::fmt().json().with_writer(std::io::sink);
        log.try_init().map_err(|error| anyhow!(error))?;
        let house = Self::within(LIMITS);
        let until = Some(Instant::now() + LONG);
        house.standing.send_replace(Standing::Valid { until });
        let activity = Activity::watched();
        tokio::spawn(watch_over(house.standing.clone(), activity.clone()));
        let permit = admission(&Access {
            apps: Apps::Any,
            methods: Methods::Any,
            session_apps: false,
        })?;
        let seats = (1..=OTHERS).map(|number| house.seat(number, permit.clone()));
        Ok(Self {
            _others: seats.collect::<Result<_>>()?,
            activity,
            engine_ping: Some(LONG),
            ..house
        })
    }

    /// A socket of this house.
    pub(crate) fn admit(&self, access: &Access) -> Result<(Terms, Leash, Record)> {
        let permit = admission(access)?;
        let seat = self.seat(0, permit.clone())?;
        let meters = Arc::clone(&self.meters);
        let record = Record::open(seat.socket().ledger(), Duration::ZERO, meters);
        let terms = Terms {
            permit,
            limits: Arc::new(RelayLimits {
                client_message: 1 << 20,
                idle: LONG,
                client_ping: LONG,
                close_grace: LONG,
                write_stall: LONG,
            }),
            engine_ping: self.engine_ping,
            compression: Compression::None,
            flavour: Flavour::Engine,
        };
        let leash = Leash {
            standing: self.standing.subscribe(),
            seat,
            activity: self.activity.clone(),
            stay: Stay::default(),
        };
        Ok((terms, leash, record))
    }

    fn seat(&self, number: u64, permit: Permit) -> Result<Seat> {
        let opening = Opening {
            id: ConnectionId(number),
            client: [127, 0, 0, 1].into(),
            http: Version::HTTP_11,
            route: RouteName::new("route"),
            app: "app".into(),
            subject: subject(number).into(),
            session: Some(format!("session-{number}").into()),
            customer: None,
            identity: EngineIdentity::new(format!("identity-{number}")),
        };
        let grounds = Grounds {
            origin: None,
            app: None,
            permit,
            basis: Print::default(),
        };
        let seat = self
            .live
            .seat(&Arc::new(Ledger::new(opening)), &person(number), grounds);
        seat.map_err(|fault| anyhow!("{fault:?}"))
    }
}

fn admission(access: &Access) -> Result<Permit> {
    let target = Target {
        document: Document::App(AppId::new("app")),
        identity: None,
        ttl: None,
    };
    permit(access, &person(0), &target).map_err(|fault| anyhow!("{fault:?}"))
}

fn person(number: u64) -> Person {
    let session = SessionId::new(format!("session-{number}"));
    let subject = Subject::new(subject(number));
    Person::new(Issuer::new("issuer"), subject, Some(session), Map::new())
}

fn subject(number: u64) -> String {
    format!("person-{}", number % PEOPLE)
}

/// Looks after a session as the session checks do: whoever has been at work lives on.
async fn watch_over(standing: watch::Sender<Standing>, activity: Activity) {
    loop {
        sleep(LONG / 2).await;
        if activity.take() {
            let until = Some(Instant::now() + LONG);
            standing.send_replace(Standing::Valid { until });
        }
    }
}

/// A route that relays unread.
pub(crate) fn unread() -> Access {
    Access {
        apps: Apps::Any,
        methods: Methods::Any,
        session_apps: false,
    }
}

/// A route that reads.
pub(crate) fn reading() -> Access {
    Access {
        apps: Apps::Listed(vec![AppId::new("app")]),
        methods: Methods::Consumer,
        session_apps: false,
    }
}
