//! The endpoint over real sockets: what is asked, and what each kind of answer comes to.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::{CredentialError, Credentials, Keepers, Outcome};
use super::support::{
    Reply, SECRET, TIMEOUT, TokenServer, impersonation, machine, oauth, person, prepare,
    prepare_beside, secret, shown,
};
use crate::config::{ApiKey, ClientAuth, ClientProof, Credential, LookupField};
use crate::fault::{Fault, Faulty};

#[tokio::test]
async fn a_machine_asks_for_its_own_token() {
    let server = TokenServer::start(|_| Reply::token("t-1")).await;
    let credentials = machine(server.oauth());
    let credential = credentials
        .obtain(&person("ada", &json!({})))
        .await
        .unwrap();
    credentials
        .obtain(&person("bob", &json!({})))
        .await
        .unwrap();
    assert_eq!(shown(&credential), "Bearer t-1");
    let [seen] = &server.seen()[..] else {
        panic!("one fetch serves both")
    };
    assert_eq!(seen.request, "POST /oauth/token");
    assert_eq!(
        seen.body,
        json!({
            "client_id": "client-1",
            "client_secret": SECRET,
            "grant_type": "client_credentials",
            "scope": "user_default",
        })
    );
    assert!(seen.authorization.is_none() && !seen.origin);
    assert_eq!(seen.content_type.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn the_secret_can_go_as_basic() {
    let server = TokenServer::start(|_| Reply::token("t-1")).await;
    let mut oauth = server.oauth();
    oauth.client.proof = ClientProof::Secret(secret(SECRET), ClientAuth::Basic);
    machine(oauth)
        .obtain(&person("ada", &json!({})))
        .await
        .unwrap();
    let seen = server.seen().remove(0);
    let basic = format!("Basic {}", STANDARD.encode(format!("client-1:{SECRET}")));
    assert_eq!(seen.authorization, Some(basic));
    assert_eq!(
        seen.body,
        json!({
            "client_id": "client-1",
            "grant_type": "client_credentials",
            "scope": "user_default",
        })
    );
}

#[tokio::test]
async fn impersonation_asks_for_each_person() {
    for (field, name) in [
        (LookupField::Subject, "subject"),
        (LookupField::UserId, "userId"),
    ] {
        let server = TokenServer::start(|number| Reply::token(&format!("t-{number}"))).await;
        let credentials = impersonation(server.oauth(), field, "who");
        for who in ["a\"b", "c", "a\"b"] {
            let person = person("ada", &json!({"who": who}));
            credentials.obtain(&person).await.unwrap();
        }
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(
            seen[0].body,
            json!({
                "client_id": "client-1",
                "client_secret": SECRET,
                "grant_type": "urn:qlik:oauth:user-impersonation",
                "scope": "user_default",
                "user_lookup": {"field": name, "value": "a\"b"},
            })
        );
    }
}

#[tokio::test]
async fn who_cannot_be_looked_up_is_not_permitted_and_nobody_is_asked() {
    let server = TokenServer::start(|_| Reply::token("t")).await;
    let credentials = impersonation(server.oauth(), LookupField::Subject, "email");
    let ada = person("ada", &json!({"email": "ada@example.com"}));
    let error = credentials.obtain(&ada).await.unwrap_err();
    assert_eq!(error.fault(), Fault::NotPermitted);
    assert_eq!(
        error.to_string(),
        "nobody to look up at Qlik: claim `email` is an address without email_verified = true"
    );
    assert!(server.seen().is_empty());
}

/// A row: what the endpoint answers, the words of the operator's text, the fault of the client,
/// and what is counted.
type Row = (&'static str, Reply, &'static str, Fault, Outcome);

#[rustfmt::skip] // a row an answer
fn table() -> Vec<Row> {
    use Fault::{CredentialDown as Down, CredentialRefused as Refused};
    use Outcome::{FailedFinal, FailedPassing, Throttled};
    let good = || Reply::token("t");
    vec![
        ("slow", good().after(TIMEOUT * 20), "did not answer within 400 ms", Down, FailedPassing),
        ("html", good().with_header("content-type", "text/html"), "other than application/json", Down, FailedPassing),
        ("no type", good().with_header("content-type", ""), "other than application/json", Down, FailedPassing),
        ("not json", good().with_body("<html>".to_owned()), "not a JSON object with an access_token", Down, FailedPassing),
        ("wrong json", Reply::json(200, &json!({"token": "t"})), "not a JSON object with an access_token", Down, FailedPassing),
        ("wrong token", Reply::token("a\nb"), "that no header can carry", Down, FailedPassing),
        ("huge", good().with_body(" ".repeat(70_000)), "too large", Down, FailedPassing),
        ("redirect", Reply::token("t").with_status(302).with_header("location", "/elsewhere"), "redirect, which is never followed", Down, FailedPassing),
        ("temporary redirect", Reply::token("t").with_status(307).with_header("location", "/elsewhere"), "redirect, which is never followed", Down, FailedPassing),
        ("400", Reply::error(400, "OAUTH-14", "Invalid"), "status 400, code OAUTH-14, title \"Invalid\", traceId 000000000000abcd: client_id is unknown", Refused, FailedFinal),
        ("401", Reply::error(401, "OAUTH-5", "Unauthorized"), "no exchange is needed", Refused, FailedFinal),
        ("401 bare", Reply::json(401, &json!("x")), "status 401: client_id or client_secret is wrong", Refused, FailedFinal),
        ("403", Reply::error(403, "AUTH-5", "User is not a member of tenant"), "no member of the tenant", Refused, FailedFinal),
        ("403 html", Reply::json(403, &json!({})).with_header("content-type", "text/html"), "disabled or holds the maximum", Refused, FailedFinal),
        ("404", Reply::error(404, "x y", "z"), "check token_url", Refused, FailedFinal),
        ("429", Reply::error(429, "HTTP-429", "API rate limit").with_header("retry-after", "13"), "alone for 13 s: status 429, code HTTP-429, title \"API rate limit\"", Down, Throttled),
        ("429 huge", Reply::error(429, "", "").with_header("retry-after", "13").with_body("x".repeat(70_000)), "alone for 13 s", Down, Throttled),
        ("500", Reply::error(500, "X-1", "Oops"), "status 500, code X-1", Down, FailedPassing),
        ("503", Reply::json(503, &json!({})), "trouble of its own", Down, FailedPassing),
    ]
}

impl Reply {
    fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

#[tokio::test]
async fn each_answer_comes_to_one_outcome_and_one_fetch() {
    for (name, reply, text, fault, outcome) in table() {
        let server = TokenServer::start(move |_| reply.clone()).await;
        let credentials = machine(server.oauth());
        let ada = person("ada", &json!({}));
        let herd = join_all((0..5).map(|_| credentials.obtain(&ada))).await;
        let again = credentials.obtain(&ada).await;
        for error in herd.into_iter().chain([again]).map(Result::unwrap_err) {
            assert_eq!(error.fault(), fault, "{name}");
            assert!(error.to_string().contains(text), "{name}: {error}");
        }
        assert_eq!(server.seen().len(), 1, "{name}");
        assert_eq!(credentials.outcomes().count(outcome), 1, "{name}");
        assert_eq!(credentials.outcomes().count(Outcome::Held), 1, "{name}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_a_clear_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let credentials = machine(oauth(address));
    let error = credentials
        .obtain(&person("ada", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(error.fault(), Fault::CredentialDown);
    assert!(
        error
            .to_string()
            .contains("could not be reached: Connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_of_a_second_is_fetched_again() {
    let server = TokenServer::start(|number| {
        let body = json!({"access_token": format!("t-{number}"), "expires_in": 1});
        Reply::json(200, &body)
    })
    .await;
    let credentials = machine(server.oauth());
    let third = wait_for(&credentials, "Bearer t-3");
    let started = std::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(20), third)
        .await
        .unwrap();
    assert!(
        started.elapsed() >= Duration::from_millis(1400),
        "not before 70 % of its life"
    );
}

async fn wait_for(credentials: &Credentials, token: &str) {
    let ada = person("ada", &json!({}));
    while shown(&credentials.obtain(&ada).await.unwrap()) != token {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A head and half a body, and then silence or the end.
#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let half = |status: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\
             retry-after: 7\r\n\r\n{{\"access_token\":"
        )
    };
    for (status, end, text) in [
        ("200 OK", End::Silence, "did not answer within 400 ms"),
        ("200 OK", End::Hangup, "could not be reached: "),
        ("429 Wait", End::Silence, "alone for 7 s"),
        ("401 No", End::Hangup, "status 401"),
    ] {
        let address = mumble(half(status), end).await;
        let credentials = machine(oauth(address));
        let error = credentials
            .obtain(&person("ada", &json!({})))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(text),
            "{status} {end:?}: {error}"
        );
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Hangup,
    Silence,
}

async fn mumble(text: String, end: End) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(text.as_bytes()).await.unwrap();
        match end {
            End::Hangup => drop(stream),
            End::Silence => std::future::pending().await,
        }
    });
    address
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = TokenServer::start(|number| Reply::token(&format!("t-{number}"))).await;
    let credentials = machine(server.oauth());
    let ada = person("ada", &json!({}));
    let first = credentials.obtain(&ada).await.unwrap();
    let second = credentials.renew(&ada, &first).await.unwrap();
    assert_eq!(shown(&second), "Bearer t-2");
    let error = credentials.renew(&ada, &second).await.unwrap_err();
    assert_eq!(error.fault(), Fault::CredentialRefused);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn fixed_kinds_have_nothing_to_renew() {
    let api_key = |key: &str| Credential::ApiKey(ApiKey { key: secret(key) });
    let ada = person("ada", &json!({}));
    for (kind, expected) in [(api_key("k.e-y"), "Bearer k.e-y"), (Credential::None, "")] {
        let credentials = prepare(kind).unwrap();
        let credential = credentials.obtain(&ada).await.unwrap();
        assert_eq!(shown(&credential), expected);
        let error = credentials.renew(&ada, &credential).await.unwrap_err();
        assert_eq!(error.fault(), Fault::CredentialRefused);
    }
    for bad in ["", "two words", "line\nbreak", "schlüssel"] {
        let error = prepare(api_key(bad)).unwrap_err();
        assert!(matches!(error, CredentialError::BadKey));
    }
}

#[tokio::test]
async fn two_routes_of_one_client_share_what_is_kept() {
    let server = TokenServer::start(|_| Reply::token("one")).await;
    let keepers = Keepers::default();
    let route = |oauth| prepare_beside(Credential::OAuthClient(oauth), &keepers).unwrap();
    let one = route(server.oauth());
    let two = route(server.oauth());
    let mut narrow = server.oauth();
    narrow.scope = "other".to_owned();
    let other = route(narrow);
    let ada = person("ada", &json!({}));
    for credentials in [&one, &two, &one, &other] {
        assert_eq!(
            shown(&credentials.obtain(&ada).await.unwrap()),
            "Bearer one"
        );
    }
    assert_eq!(server.seen().len(), 2, "another scope is another client");
    assert_eq!(two.outcomes().count(Outcome::Cached), 1);
    assert_eq!(two.outcomes().count(Outcome::Fetched), 0);
}
