//! As `canary`, for the kinds that have other secrets: keys, the app's tokens, access codes, cookies.

use std::fmt::Write as _;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};
use url::Url;

use super::canary::listen;
use super::support::{
    PACE, Reply, SECRET, Seen, TIMEOUT, TokenServer, client, oauth, person, prepare, secret,
};
use crate::config::{
    ANY, Admins, Algorithm, AnonymousEmbed, ClientAuth, ClientProof, CloudJwt, Credential, KeyFile,
    LookupField, OAuthImpersonation, Provision, Secret, Shown, TokenExchange,
};
use crate::fault::{Fault, Faulty};
use crate::person::ClaimPath;
use crate::template::Template;

const APP_TOKEN: &str = "canary-app-token";

fn template(claim: &str) -> Template {
    Template::claim(ClaimPath::new(claim))
}

fn key() -> KeyFile {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    KeyFile {
        key: Secret {
            text: pair.serialize_pem().into_bytes().into(),
            file: None,
        },
        algorithm: Some(Algorithm::ES384),
        taken: ANY,
        key_id: Some("key-1".to_owned()),
    }
}

fn login(url: Url) -> Credential {
    Credential::CloudJwt(Box::new(CloudJwt {
        issuer: "https://app.example.com".to_owned(),
        key: key(),
        subject: template("sub"),
        name: template("sub"),
        email: template("sub"),
        groups: None,
        login_url: url,
        web_integration: None,
        life: Duration::from_mins(20),
        timeout: TIMEOUT,
        pace: PACE,
    }))
}

fn exchange(server: &TokenServer) -> Credential {
    Credential::TokenExchange(TokenExchange {
        client: client(server.address(), ClientAuth::Basic),
        scope: None,
        audience: None,
        shown: Shown::Query,
    })
}

fn signing(server: &TokenServer) -> Credential {
    let mut oauth = server.oauth();
    oauth.client.proof = ClientProof::Assertion(key());
    Credential::OAuthClient(oauth)
}

fn anonymous(url: Url) -> Credential {
    Credential::AnonymousEmbed(AnonymousEmbed {
        client_id: "embed".to_owned(),
        access_code: secret(SECRET),
        token_url: url,
        shown: Shown::Header,
        timeout: TIMEOUT,
        pace: PACE,
    })
}

fn provision(server: &TokenServer, users_url: Url) -> Credential {
    let mut admin = oauth(server.address());
    admin.client.id = "admin".to_owned();
    Credential::OAuthImpersonation(Box::new(OAuthImpersonation {
        oauth: server.oauth(),
        field: LookupField::Subject,
        value: template("sub"),
        provision: Some(Provision {
            admin,
            users_url,
            name: template("sub"),
            email: None,
            admins: Admins::Refuse,
        }),
    }))
}

/// Every word of a request that was a secret, as the server saw it.
fn words(seen: &Seen) -> Vec<String> {
    let bearer = seen
        .authorization
        .as_deref()
        .and_then(|it| it.split(' ').next_back());
    let body = seen.body.as_object().into_iter().flatten();
    let fields = body.filter(|(name, _)| ["client_assertion", "eac"].contains(&name.as_str()));
    let fields = fields.filter_map(|(_, value)| value.as_str());
    bearer
        .into_iter()
        .chain(fields)
        .map(str::to_owned)
        .collect()
}

/// Refuses everything, and quotes what a kind sends to it.
fn quote(status: u16, kind: usize) -> impl Fn(usize) -> Reply {
    let sent = match kind {
        0 | 4 => "",
        1 => APP_TOKEN,
        _ => SECRET,
    };
    move |_| Reply::error(status, "X-1", &format!("no: {sent}"))
}

#[tokio::test]
async fn no_canary_of_any_kind_is_seen_anywhere() {
    let (log, _guard) = listen();
    let mut shown = String::new();
    let mut secrets = vec!["canary".to_owned()];
    for status in [400, 401, 403, 429, 500] {
        for kind in 0..5 {
            let server = TokenServer::start(quote(status, kind)).await;
            let url = server.oauth().client.token_url;
            let credential = match kind {
                0 => login(url),
                1 => exchange(&server),
                2 => anonymous(url),
                3 => provision(&server, url),
                _ => signing(&server),
            };
            write!(shown, "{credential:?}").unwrap();
            let credentials = prepare(credential).unwrap();
            let ada = person("ada", &json!({})).bearing(APP_TOKEN.into());
            let error = credentials.obtain(&ada).await.unwrap_err();
            let expected = match status {
                429 | 500 => Fault::CredentialDown,
                _ => Fault::CredentialRefused,
            };
            assert_eq!(error.fault(), expected, "{kind} {status}");
            write!(shown, "{credentials:?} {ada:?} {error} {error:?}").unwrap();
            secrets.extend(server.seen().iter().flat_map(words));
        }
    }
    shown.push_str(&log.text());
    assert!(secrets.len() > 20, "assertions and JWTs were sent");
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} shows in {shown}");
    }
}

#[tokio::test]
async fn a_login_that_gives_no_session_is_no_session() {
    let page = || Reply::json(200, &Value::Null);
    let cookies = |lines: &[&str]| {
        let reply = lines.iter().fold(page(), |mut reply, line| {
            reply.headers.push(("set-cookie", (*line).to_owned()));
            reply
        });
        move |_: usize| reply.clone()
    };
    for (lines, good) in [
        (&["eas.sid=a", "_csrfToken=b"][..], true),
        (&["eas.sid=a"], false),
        (&["_csrfToken=b"], false),
        (&["eas.sid=", "_csrfToken=b"], false),
        (&["eas.sid=a", "eas.sid=c", "_csrfToken=b"], false),
        (&["eas.sid=a\\b", "_csrfToken=b"], false),
    ] {
        let server = TokenServer::start(cookies(lines)).await;
        let credentials = prepare(login(server.oauth().client.token_url)).unwrap();
        let got = credentials.obtain(&person("ada", &json!({}))).await;
        assert_eq!(got.is_ok(), good, "{lines:?}");
        if let Err(error) = got {
            assert_eq!(error.fault(), Fault::CredentialDown);
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_told_at_the_start() {
    let server = TokenServer::start(|_| Reply::token("t")).await;
    let mut oauth = server.oauth();
    let algorithm = Some(Algorithm::RS256);
    oauth.client.proof = ClientProof::Assertion(KeyFile { algorithm, ..key() });
    let error = prepare(Credential::OAuthClient(oauth)).unwrap_err();
    assert!(error.to_string().contains("the signing key is of no use"));
}
