//! Whose Qlik somebody is let into: a closed map from a claim's text, or one for all.
//!
//! The text only picks from the config's own list. It never becomes a part of a URL, a path or a
//! file's name.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Refusal;
use crate::config::{self, Access, Print, Route};
use crate::credential::Credentials;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::id::CustomerName;
use crate::person::{ClaimPath, Person};

/// A Qlik behind a route, with the hands that answer the last questions.
#[derive(Debug)]
pub struct Home {
    /// Whose it is; nobody's own where the route has no customers.
    pub customer: Option<CustomerName>,
    /// What may they open and do?
    pub access: Access,
    /// As whom does the engine see them?
    pub credentials: Credentials,
    /// Which Qlik?
    pub engine: Engine,
    /// What leads to this Qlik and to nobody else at it: its URL, and what is written of the credential.
    pub print: Print,
    /// The engine as configured.
    pub place: config::Engine,
}

impl Home {
    /// What a route's session checks were made of, and where this home leads.
    #[must_use]
    pub fn basis(&self, route: &Route) -> Print {
        Print::both(route.sessions_print, self.print)
    }
}

/// Every Qlik behind a route.
#[derive(Debug)]
pub enum Homes {
    /// One a customer.
    Customers {
        /// Where somebody's claims say whose they are.
        claim: ClaimPath,
        /// By the claim's text.
        by_text: HashMap<Box<str>, Arc<Home>>,
    },
    /// One for all.
    One(Arc<Home>),
}

impl Homes {
    /// The claim that says whose somebody is, and its text for each customer, by name; nothing where
    /// there is one for all.
    #[must_use]
    pub fn customers(&self) -> Option<(&ClaimPath, Vec<(&CustomerName, &str)>)> {
        let Self::Customers { claim, by_text } = self else {
            return None;
        };
        let named = by_text.iter();
        let named = named.filter_map(|(text, home)| Some((home.customer.as_ref()?, &**text)));
        let mut named: Vec<_> = named.collect();
        named.sort();
        Some((claim, named))
    }

    /// Somebody's: by the claim's exact text, and by nothing that is no text.
    pub fn of(&self, person: &Person) -> Result<&Arc<Home>, Refusal> {
        let (claim, by_text) = match self {
            Self::Customers { claim, by_text } => (claim, by_text),
            Self::One(home) => return Ok(home),
        };
        let told = person.claim(claim);
        let name = told.and_then(Value::as_str);
        if let Some(home) = name.and_then(|name| by_text.get(name)) {
            return Ok(home);
        }
        let why = match (told, name) {
            (None, _) => "the claim that names a customer is missing",
            (Some(_), None) => "the claim that names a customer is no text",
            (Some(_), Some(_)) => "no customer of the route is called so",
        };
        let refusal = Refusal {
            detail: Some(why.to_owned()),
            ..Fault::NoCustomer.into()
        };
        Err(match name {
            Some(name) => refusal.about(claim.as_str(), name),
            None => refusal.about("claim", claim.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Map, json};
    use url::Url;

    use super::*;
    use crate::config::{Apps, Credential, Flavour, Methods};
    use crate::credential::{Keepers, Lent};
    use crate::id::{Issuer, Subject};
    use crate::tls;

    fn home(customer: &str) -> Arc<Home> {
        let _ = tls::provider().install_default();
        let tls = tls::client_config(rustls::RootCertStore::empty());
        let http = tls::http_client(&tls, None).unwrap();
        let lent = Lent {
            http: &http,
            trust: None,
            certified: None,
            keepers: &Keepers::default(),
        };
        let place = config::Engine {
            url: Url::parse("http://127.0.0.1:1").unwrap(),
            ca: None,
            server_name: None,
            ping: None,
            session_ttl: Duration::ZERO,
            dial_timeout: Duration::ZERO,
            flavour: Flavour::Engine,
        };
        Arc::new(Home {
            customer: Some(CustomerName::new(customer)),
            access: Access {
                apps: Apps::Any,
                methods: Methods::Any,
                session_apps: false,
            },
            credentials: Credentials::new(Credential::None, lent).unwrap(),
            print: Print::default(),
            engine: Engine::new(&place, &Arc::new(tls), None).unwrap(),
            place,
        })
    }

    fn of(value: &Value) -> Result<String, Refusal> {
        let by_text = ["acme", "Acme"].map(|name| (name.into(), home(name)));
        let homes = Homes::Customers {
            claim: ClaimPath::new("/org/id"),
            by_text: by_text.into(),
        };
        let claims = Map::from_iter([("org".to_owned(), json!({ "id": value }))]);
        let ada = Person::new(Issuer::new("i"), Subject::new("ada"), None, claims);
        let home = homes.of(&ada)?;
        Ok(home.customer.as_ref().unwrap().to_string())
    }

    #[test]
    fn the_exact_text_picks_a_customer() {
        assert_eq!(of(&json!("acme")).unwrap(), "acme");
        assert_eq!(of(&json!("Acme")).unwrap(), "Acme");
    }

    #[test]
    fn whatever_else_a_claim_says_is_nobodys() {
        let odd = [
            json!("ACME"),
            json!(" acme"),
            json!("acme\0"),
            json!("acme/"),
            json!("../acme"),
            json!("https://evil.example"),
            json!(""),
            json!(null),
            json!(1),
            json!(true),
            json!(["acme"]),
            json!({"acme": "acme"}),
        ];
        for value in odd {
            let refused = of(&value).unwrap_err();
            assert_eq!(refused.fault, Fault::NoCustomer, "{value}");
        }
    }

    #[test]
    fn the_operator_hears_what_is_missing() {
        let told = |value: Value| of(&value).unwrap_err().to_string();
        assert!(told(json!("evil\nline")).ends_with("is called so (/org/id evil\\nline)"));
        assert!(told(json!(["acme"])).contains("is no text (claim /org/id)"));
    }
}
