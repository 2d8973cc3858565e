//! What goes out: TLS settings, HTTP clients and the egress proxy, and the hands of each route that
//! are lent them.

use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rustls::{ClientConfig, RootCertStore};
use secrecy::SecretSlice;

use super::stock::Stock;
use super::{REPLICAS_LIMIT, StartError};
use crate::config::{
    self, Access, Customers, EgressProxy, Flavour, Outbound, Print, Qlik, Route, SessionCheck,
};
use crate::credential::{self, Credentials, Keepers, Outcomes, Pool};
use crate::engine::Engine;
use crate::gate::{Home, Homes, IdentityKey, Lane, Tokens};
use crate::id::{CustomerName, RouteName};
use crate::line::{Line, LineError};
use crate::person::ClaimPath;
use crate::probe::{Commons, Kept, Probe};
use crate::replicas::Replicas;
use crate::session::{Lent, Sessions, TicketStore};
use crate::tls::{self, TlsError};

/// Where replicas keep tickets and, where they share them, credentials.
type Stores = (TicketStore, Option<Pool>);

/// What outgoing connections share, built once and lent to the hands.
pub(super) struct Outgoing {
    roots: RootCertStore,
    tls: Arc<ClientConfig>,
    http: reqwest::Client,
    egress: Option<EgressProxy>,
    print: Print,
}

impl Outgoing {
    pub(super) fn new(outbound: Outbound, print: Print) -> Result<Self, TlsError> {
        let roots = tls::system_roots(outbound.ca.as_deref())?;
        Self::trusting(roots, outbound.proxy, print)
    }

    /// The outgoing side of an engine with CAs of its own.
    fn of(&self, ca: &Path) -> Result<Self, TlsError> {
        Self::trusting(tls::file_roots(ca)?, self.egress.clone(), self.print)
    }

    fn trusting(
        roots: RootCertStore,
        egress: Option<EgressProxy>,
        print: Print,
    ) -> Result<Self, TlsError> {
        let tls = tls::client_config(roots.clone());
        Ok(Self {
            roots,
            http: tls::http_client(&tls, egress.as_ref())?,
            tls: Arc::new(tls),
            egress,
            print,
        })
    }

    /// What is shared with other replicas: what they tell each other, and where tickets and
    /// credentials lie.
    pub(super) fn kin(
        &self,
        (replicas, key): (&config::Replicas, &SecretSlice<u8>),
        routes: &[Route],
        registry: &mut Registry,
    ) -> Result<(Arc<Replicas>, Stores), StartError> {
        let line = Arc::new(Line::new(&replicas.server, REPLICAS_LIMIT, &self.tls)?);
        let tickets = TicketStore::new(Arc::clone(&line), &replicas.prefix, key);
        let keys = Some(&replicas.credential_keys).filter(|keys| !keys.is_empty());
        let pool = keys.map(|keys| Pool::new(Arc::clone(&line), &replicas.prefix, key, keys));
        let memory = longest_memory(routes);
        let replicas = Replicas::new(replicas, key, line, memory, registry);
        Ok((Arc::new(replicas), (tickets, pool)))
    }

    /// What is shared with other replicas, to be tried.
    pub(super) fn commons(&self, replicas: &config::Replicas) -> Result<Commons, LineError> {
        let line = Arc::new(Line::new(&replicas.server, REPLICAS_LIMIT, &self.tls)?);
        let kept = match replicas.credential_keys.as_slice() {
            [] => Kept::Nothing,
            _ => Kept::Credentials,
        };
        Ok(Commons::new(line, &replicas.prefix, kept))
    }

    /// The clients that a credential is fetched with: one for all, and one with its certificate.
    fn fetchers(&self, home: &config::Home) -> Result<Fetchers, TlsError> {
        let windows = home.engine.flavour == Flavour::Windows;
        let name = home.engine.server_name.as_deref().filter(|_| windows);
        let egress = self.egress.as_ref();
        let client = |config| tls::http_client(&tls::named(config, &self.roots, name)?, egress);
        let certified = home.credential.api_certificate();
        let certified = certified.map(|files| {
            let config = tls::certified_config(self.roots.clone(), files)?;
            client(config)
        });
        Ok(Fetchers {
            plain: match name {
                None => self.http.clone(),
                Some(_) => client(tls::client_config(self.roots.clone()))?,
            },
            certified: certified.transpose()?,
        })
    }

    /// What the engine is dialled with.
    fn dialler(&self, home: &config::Home) -> Result<Arc<ClientConfig>, TlsError> {
        Ok(match home.credential.engine_certificate() {
            None => tls::engine_config(&self.tls),
            Some(files) => {
                let config = tls::certified_config(self.roots.clone(), files)?;
                tls::engine_config(&config)
            }
        })
    }

    /// Gives a route its hands. What `before` has of it goes on where nothing that it was made of
    /// has changed.
    pub(super) fn lane(
        &self,
        mut route: Route,
        stock: &Stock,
        before: Option<&Lane>,
    ) -> Result<Lane, StartError> {
        let (checks, qlik) = (mem::take(&mut route.sessions), mem::take(&mut route.qlik));
        let tokens = Tokens::for_any(qlik.homes());
        let minded = qlik.deciding_claims(&route.access).into();
        let print = Print::both(route.sessions_print, self.print);
        let print = Print::both(print, Print::of_text(&format!("{minded:?}")));
        let same = before.filter(|lane| lane.print == print && lane.tokens == tokens);
        let sessions = match same {
            Some(lane) => Arc::clone(&lane.sessions),
            None => Arc::new(sessions(
                &route.name,
                checks,
                tokens,
                self.lent(stock, &minded),
            )?),
        };
        let outcomes = before.map_or_else(Arc::default, |lane| Arc::clone(&lane.outcomes));
        let furnishing = Furnishing {
            outgoing: self,
            access: &route.access,
            keepers: &stock.keepers,
            outcomes: &outcomes,
        };
        Ok(Lane {
            print,
            tokens,
            sessions,
            homes: furnishing.homes(qlik)?,
            outcomes,
            route: Arc::new(route),
        })
    }

    /// What the checks of a route are lent.
    fn lent<'a>(&'a self, stock: &'a Stock, minded: &'a Arc<[ClaimPath]>) -> Lent<'a> {
        Lent {
            http: &self.http,
            tls: &self.tls,
            pseudonyms: &stock.pseudonyms,
            tickets: stock.tickets.as_ref(),
            minded,
        }
    }

    /// A route's hands without its sessions.
    pub(super) fn probe(&self, mut route: Route, keepers: &Keepers) -> Result<Probe, StartError> {
        let qlik = mem::take(&mut route.qlik);
        let furnishing = Furnishing {
            outgoing: self,
            access: &route.access,
            keepers,
            outcomes: &Arc::default(),
        };
        Ok(Probe {
            homes: furnishing.homes(qlik)?,
            identities: IdentityKey::random().ok_or(StartError::NoRandomness)?,
            route,
        })
    }
}

fn sessions(
    route: &RouteName,
    checks: Vec<SessionCheck>,
    tokens: Tokens,
    lent: Lent<'_>,
) -> Result<Sessions, StartError> {
    let sessions = Sessions::new(route, checks, lent)?;
    Ok(match tokens {
        Tokens::Forgotten => sessions,
        Tokens::Kept => sessions.keeping_tokens(),
    })
}

/// What the homes of one route are made with.
struct Furnishing<'a> {
    outgoing: &'a Outgoing,
    access: &'a Access,
    keepers: &'a Keepers,
    outcomes: &'a Arc<Outcomes>,
}

impl Furnishing<'_> {
    fn homes(&self, qlik: Qlik) -> Result<Homes, StartError> {
        let Customers { claim, list } = match qlik {
            Qlik::Customers(customers) => customers,
            Qlik::One(home) => {
                let home = self.home(None, self.access.clone(), *home)?;
                return Ok(Homes::One(Arc::new(home)));
            }
        };
        let homes = list.into_iter().map(|customer| {
            let access = customer.access.unwrap_or_else(|| self.access.clone());
            let home = self.home(Some(customer.name), access, customer.home)?;
            Ok((customer.value.into(), Arc::new(home)))
        });
        let by_text = homes.collect::<Result<_, StartError>>()?;
        Ok(Homes::Customers { claim, by_text })
    }

    fn home(
        &self,
        customer: Option<CustomerName>,
        access: Access,
        home: config::Home,
    ) -> Result<Home, StartError> {
        let own = home.engine.ca.as_deref();
        let own = own.map(|ca| self.outgoing.of(ca)).transpose()?;
        let qlik = own.as_ref().unwrap_or(self.outgoing);
        let (fetchers, dialler) = (qlik.fetchers(&home)?, qlik.dialler(&home)?);
        let means = Print::both(self.outgoing.print, home.seen);
        let lent = credential::Lent {
            http: &fetchers.plain,
            trust: home.engine.ca.as_deref(),
            certified: fetchers.certified.as_ref(),
            keepers: &self.keepers.of(customer.as_ref(), means),
        };
        let credentials = Credentials::new(home.credential, lent)?;
        Ok(Home {
            customer,
            access,
            credentials: credentials.counting_in(self.outcomes),
            print: Print::both(Print::of_text(home.engine.url.as_str()), home.print),
            engine: Engine::new(&home.engine, &dialler, qlik.egress.as_ref())?,
            place: home.engine,
        })
    }
}

/// How long the longest of all logouts counts.
fn longest_memory(routes: &[Route]) -> Duration {
    let checks = routes.iter().flat_map(|route| &route.sessions);
    let memories = checks.filter_map(|check| match check {
        SessionCheck::Jwt(jwt) => jwt.remembers(),
        _ => None,
    });
    memories.max().unwrap_or_default()
}

/// The clients that a credential is fetched with.
struct Fetchers {
    plain: reqwest::Client,
    certified: Option<reqwest::Client>,
}
