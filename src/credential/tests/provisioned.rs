//! Users made for people: what fails there stays there.

use std::time::Duration;

use serde_json::json;

use super::super::{Credentials, Keepers};
use super::support::{Reply, TokenServer, person, prepare_beside};
use crate::config::{Admins, Credential, LookupField, OAuthImpersonation, Provision};
use crate::fault::{Fault, Faulty};
use crate::person::ClaimPath;
use crate::template::Template;

/// Two routes of one client.
struct Tenant {
    /// People are made users.
    made: Credentials,
    /// People are users.
    known: Credentials,
    users: TokenServer,
    _tokens: TokenServer,
}

/// A tenant whose users' API says this alone.
async fn tenant(users: Reply) -> Tenant {
    let tokens = TokenServer::start(|_| Reply::token("t-1")).await;
    let users = TokenServer::start(move |_| users.clone()).await;
    let claim = |name: &str| Template::claim(ClaimPath::new(name));
    let mut admin = tokens.oauth();
    admin.client.id = "admin".to_owned();
    let provision = Provision {
        admin,
        users_url: format!("http://{}/api/v1/users", users.address())
            .parse()
            .unwrap(),
        name: claim("name"),
        email: None,
        admins: Admins::Refuse,
    };
    let keepers = Keepers::default();
    let impersonated = |provision| {
        let config = OAuthImpersonation {
            oauth: tokens.oauth(),
            field: LookupField::Subject,
            value: claim("sub"),
            provision,
        };
        let config = Credential::OAuthImpersonation(Box::new(config));
        prepare_beside(config, &keepers).unwrap()
    };
    Tenant {
        made: impersonated(Some(provision)),
        known: impersonated(None),
        users,
        _tokens: tokens,
    }
}

async fn fault(credentials: &Credentials, who: usize) -> Option<(Fault, Option<Duration>)> {
    let person = person(&format!("person-{who}"), &json!({"name": "N"}));
    let error = credentials.obtain(&person).await.err()?;
    Some((error.fault(), error.retry_after()))
}

#[tokio::test]
async fn users_that_cannot_be_looked_up_stop_no_token_of_others() {
    let tenant = tenant(Reply::error(500, "X", "broken")).await;
    for who in 0..20 {
        assert_eq!(
            fault(&tenant.made, who).await,
            Some((Fault::CredentialDown, None))
        );
    }
    assert_eq!(tenant.users.seen().len(), 5, "it has a breaker of its own");
    assert_eq!(fault(&tenant.known, 0).await, None);
}

#[tokio::test]
async fn a_429_of_the_users_api_is_heeded_there_alone() {
    let said = Reply::error(429, "X", "slowly").with_header("retry-after", "13");
    let tenant = tenant(said).await;
    for who in 0..20 {
        let (fault, wait) = fault(&tenant.made, who).await.unwrap();
        assert_eq!(fault, Fault::CredentialDown);
        let wait = wait.unwrap();
        assert!(Duration::from_secs(3) < wait && wait <= Duration::from_secs(13));
    }
    assert_eq!(tenant.users.seen().len(), 1);
    assert_eq!(fault(&tenant.known, 0).await, None);
}
