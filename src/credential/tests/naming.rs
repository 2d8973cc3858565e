//! What makes two credentials the same: those that are set up alike share a keeper, and nothing that
//! is written of one may differ.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::super::kinds::Source;
use super::super::{Credentials, Keepers};
use super::support::{PACE, SECRET, TIMEOUT, client, oauth, prepare_beside, secret};
use crate::config::{
    Admins, AnonymousEmbed, ClientAuth, ClientProof, Credential, LookupField, OAuthImpersonation,
    Pace, Provision, Shown, TokenExchange,
};
use crate::person::ClaimPath;
use crate::template::Template;

/// What is changed, and how.
type Change<C> = (&'static str, fn(&mut C));

/// Set up alike and with one change, the first time and again: nothing is thrown away where nothing
/// changed, and nothing kept where something did.
fn told_apart<C>(set_up: impl Fn() -> C, wrap: impl Fn(C) -> Credential, changes: &[Change<C>]) {
    let keepers = Keepers::default();
    let prepare = |config| prepare_beside(wrap(config), &keepers).unwrap();
    let first = prepare(set_up());
    assert!(is_shared(&first, &prepare(set_up())), "nothing changed");
    for (what, change) in changes {
        let mut other = set_up();
        change(&mut other);
        assert!(!is_shared(&first, &prepare(other)), "{what}");
    }
}

fn is_shared(one: &Credentials, other: &Credentials) -> bool {
    match (&one.source, &other.source) {
        (Source::Kept { keeper, .. }, Source::Kept { keeper: other, .. }) => {
            Arc::ptr_eq(keeper, other)
        }
        _ => unreachable!("each of them is kept"),
    }
}

fn address() -> SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

fn url(path: &str) -> Url {
    Url::parse(&format!("https://tenant.example.com{path}")).unwrap()
}

fn claim() -> Template {
    Template::claim(ClaimPath::new("sub"))
}

const SLOWER: Pace = Pace {
    per_minute: 5,
    queue: PACE.queue,
};
const IMPATIENT: Pace = Pace {
    per_minute: PACE.per_minute,
    queue: Duration::from_millis(7),
};
const LONGER: Duration = Duration::from_secs(77);

#[test]
fn whatever_is_written_of_a_client_counts() {
    let set_up = || oauth(address());
    told_apart(
        set_up,
        Credential::OAuthClient,
        &[
            ("client_id", |it| it.client.id = "another".into()),
            ("client_secret", |it| {
                it.client.proof = ClientProof::Secret(secret("another"), ClientAuth::Body);
            }),
            ("client_auth", |it| {
                it.client.proof = ClientProof::Secret(secret(SECRET), ClientAuth::Basic);
            }),
            ("token_url", |it| it.client.token_url = url("/other/token")),
            ("scope", |it| it.scope = "offline".into()),
            ("timeout", |it| it.client.timeout = LONGER),
            ("fetches_per_minute", |it| it.client.pace = SLOWER),
            ("fetch_queue", |it| it.client.pace = IMPATIENT),
        ],
    );
}

#[test]
fn whatever_is_written_of_who_makes_users_counts() {
    let set_up = || OAuthImpersonation {
        oauth: oauth(address()),
        field: LookupField::Subject,
        value: claim(),
        provision: Some(provision()),
    };
    let wrap = |config| Credential::OAuthImpersonation(Box::new(config));
    told_apart(
        set_up,
        wrap,
        &[
            ("provision", |it| it.provision = None),
            ("users_url", |it| admin(it).users_url = url("/other/users")),
            ("admins", |it| admin(it).admins = Admins::Impersonate),
            ("client_id", |it| admin(it).admin.client.id = "x".into()),
            ("client_secret", |it| {
                let proof = ClientProof::Secret(secret("another"), ClientAuth::Body);
                admin(it).admin.client.proof = proof;
            }),
            ("client_auth", |it| {
                let proof = ClientProof::Secret(secret(SECRET), ClientAuth::Basic);
                admin(it).admin.client.proof = proof;
            }),
            ("token_url", |it| {
                admin(it).admin.client.token_url = url("/other/token");
            }),
            ("scope", |it| admin(it).admin.scope = "admin.users".into()),
            ("timeout", |it| admin(it).admin.client.timeout = LONGER),
            ("fetches_per_minute", |it| {
                admin(it).admin.client.pace = SLOWER;
            }),
            ("fetch_queue", |it| {
                admin(it).admin.client.pace = IMPATIENT;
            }),
        ],
    );
}

fn provision() -> Provision {
    let mut admin = oauth(address());
    admin.client.id = "admin".into();
    Provision {
        admin,
        users_url: url("/api/v1/users"),
        name: claim(),
        email: None,
        admins: Admins::Refuse,
    }
}

fn admin(config: &mut OAuthImpersonation) -> &mut Provision {
    config.provision.as_mut().unwrap()
}

#[test]
fn whatever_is_written_of_guests_counts() {
    let set_up = || AnonymousEmbed {
        client_id: "embed".into(),
        access_code: secret(SECRET),
        token_url: url("/oauth/token/anonymous-embed"),
        shown: Shown::Header,
        timeout: TIMEOUT,
        pace: PACE,
    };
    told_apart(
        set_up,
        Credential::AnonymousEmbed,
        &[
            ("client_id", |it| it.client_id = "another".into()),
            ("access_code", |it| it.access_code = secret("another")),
            ("token_url", |it| it.token_url = url("/other")),
            ("shown", |it| it.shown = Shown::Query),
            ("timeout", |it| it.timeout = LONGER),
            ("fetches_per_minute", |it| it.pace = SLOWER),
            ("fetch_queue", |it| it.pace = IMPATIENT),
        ],
    );
}

#[test]
fn whatever_is_written_of_an_exchange_counts() {
    let set_up = || TokenExchange {
        client: client(address(), ClientAuth::Basic),
        scope: None,
        audience: None,
        shown: Shown::Query,
    };
    told_apart(
        set_up,
        Credential::TokenExchange,
        &[
            ("scope", |it| it.scope = Some("user_default".into())),
            ("audience", |it| it.audience = Some("qlik".into())),
            ("shown", |it| it.shown = Shown::Header),
            ("fetches_per_minute", |it| it.client.pace = SLOWER),
        ],
    );
}
