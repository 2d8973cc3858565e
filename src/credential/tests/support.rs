//! A token endpoint on a free port that says what it is told to, and people to ask for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use url::Url;

use super::super::explain::{Refusal, Said};
use super::super::{Credential, CredentialError, Credentials, Keepers, Lent};
use crate::config;
use crate::config::{
    ClientAuth, ClientProof, LookupField, OAuth, OAuthClient, OAuthImpersonation, Pace, Secret,
};
use crate::id::{Issuer, Subject};
use crate::person::{ClaimPath, Person};
use crate::template::Template;

pub(super) const SECRET: &str = "canary-secret-4711";
pub(super) const TIMEOUT: Duration = Duration::from_millis(400);

/// The default.
pub(super) const PACE: Pace = Pace {
    per_minute: 80,
    queue: Duration::from_secs(15),
};

/// What the endpoint answers.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) delay: Duration,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
            delay: Duration::ZERO,
        }
    }

    pub(super) fn token(token: &str) -> Self {
        Self::json(200, &json!({"access_token": token, "expires_in": 21600}))
    }

    pub(super) fn error(status: u16, code: &str, title: &str) -> Self {
        let errors = json!([{"code": code, "title": title, "status": status.to_string()}]);
        Self::json(
            status,
            &json!({"errors": errors, "traceId": "000000000000abcd"}),
        )
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn with_body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    pub(super) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// What the endpoint was asked.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) request: String,
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) origin: bool,
    pub(super) body: Value,
}

type Script = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

/// A token endpoint.
pub(super) struct TokenServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: AbortHandle,
}

impl TokenServer {
    /// Starts one whose `n`-th answer (from 1) the script gives.
    pub(super) async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let task = tokio::spawn(listen(listener, Arc::new(script), Arc::clone(&seen)));
        Self {
            address,
            seen,
            task: task.abort_handle(),
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn oauth(&self) -> OAuth {
        oauth(self.address)
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, script: Script, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
    }
}

async fn serve(stream: TcpStream, script: Script, seen: Arc<Mutex<Vec<Seen>>>) {
    let service =
        service_fn(move |request| answer(request, Arc::clone(&script), Arc::clone(&seen)));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen {
            request: format!("{} {}", head.method, head.uri),
            authorization: text(&head.headers, AUTHORIZATION),
            content_type: text(&head.headers, CONTENT_TYPE),
            origin: head.headers.contains_key("origin"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        seen.len()
    };
    let reply = script(number);
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(reply.body.into())).unwrap())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

pub(super) fn oauth(address: SocketAddr) -> OAuth {
    OAuth {
        client: client(address, ClientAuth::Body),
        scope: "user_default".to_owned(),
    }
}

pub(super) fn client(address: SocketAddr, auth: ClientAuth) -> OAuthClient {
    OAuthClient {
        id: "client-1".to_owned(),
        proof: ClientProof::Secret(secret(SECRET), auth),
        token_url: Url::parse(&format!("http://{address}/oauth/token")).unwrap(),
        timeout: TIMEOUT,
        pace: PACE,
    }
}

pub(super) fn secret(text: &str) -> Secret {
    Secret {
        text: text.as_bytes().to_vec().into(),
        file: None,
    }
}

pub(super) fn machine(oauth: OAuth) -> Credentials {
    prepare(config::Credential::OAuthClient(oauth)).unwrap()
}

pub(super) fn impersonation(oauth: OAuth, field: LookupField, claim: &str) -> Credentials {
    let value = Template::claim(ClaimPath::new(claim));
    let config = OAuthImpersonation {
        oauth,
        field,
        value,
        provision: None,
    };
    prepare(config::Credential::OAuthImpersonation(Box::new(config))).unwrap()
}

/// Prepares a credential that shares no keeper with another.
pub(super) fn prepare(config: config::Credential) -> Result<Credentials, CredentialError> {
    prepare_beside(config, &Keepers::default())
}

pub(super) fn prepare_beside(
    config: config::Credential,
    keepers: &Keepers,
) -> Result<Credentials, CredentialError> {
    let lent = Lent {
        http: &http(),
        trust: None,
        certified: None,
        keepers,
    };
    Credentials::new(config, lent)
}

pub(super) fn http() -> reqwest::Client {
    let _ = crate::tls::provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .build()
        .unwrap()
}

pub(super) fn person(subject: &str, claims: &Value) -> Person {
    let claims = claims.as_object().cloned().unwrap_or_default();
    Person::new(Issuer::new("app"), Subject::new(subject), None, claims)
}

/// The `Authorization` that a credential puts on the upgrade.
pub(super) fn shown(credential: &Credential) -> String {
    let mut headers = credential.injection().headers();
    let Some((name, value)) = headers.next() else {
        return String::new();
    };
    assert_eq!(name, AUTHORIZATION);
    assert!(value.is_sensitive());
    assert!(headers.next().is_none());
    value.to_str().unwrap().to_owned()
}

/// A refusal that says nothing but its status.
pub(super) fn refusal(status: u16) -> Arc<Refusal> {
    let status = StatusCode::from_u16(status).unwrap();
    Arc::new(Refusal::new(status, &Said::default(), &[]))
}
