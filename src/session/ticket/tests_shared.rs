//! Tickets that lie in a real Redis: given at one replica, taken at another.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;

use super::TicketStore;
use crate::config::{
    Algorithm, Carrier, Jwt, JwtKeys, Redis, RedisFormat, SessionCheck, Spring, TicketRules,
    TrustedHeader,
};
use crate::fault::{Fault, Faulty as _};
use crate::id::{AppId, Issuer};
use crate::line::Line;
use crate::person::ClaimPath;
use crate::session::error::{Outage, SessionError, Spoilt};
use crate::session::testing::{Mint, RealRedis, claims, cookie_name, replica_of, with};
use crate::session::{Client, Knock, Session, Sessions, Upgrade};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const KEY: u8 = 7;
const GROUPS: HeaderName = HeaderName::from_static("x-groups");
const USER: HeaderName = HeaderName::from_static("x-user");
const INGRESS: &str = "10.1.2.3";
const ELSEWHERE: &str = "10.2.2.3";
const ID: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
const STORED: &str = "spring:session:sessions:6ba7b810-9dad-41d1-80b4-00c04fd430c8";

/// A replica, by the key that it shares.
fn replica(redis: &RealRedis, key: u8) -> Sessions {
    // A second installation is refused, which is what is wanted.
    let _ = crate::tls::provider().install_default();
    let tls = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let line = Line::new(&redis.server(), Duration::from_secs(1), &Arc::new(tls)).unwrap();
    let store = TicketStore::new(Arc::new(line), "qix-proxy:", &vec![key; 32].into());
    let checks = vec![
        SessionCheck::Ticket(TicketRules {
            life: Duration::from_secs(30),
            carriers: vec![Carrier::Query],
        }),
        SessionCheck::Jwt(by_token()),
        SessionCheck::Redis(by_store(redis)),
        SessionCheck::TrustedHeader(by_ingress()),
    ];
    replica_of("r", checks, Some(&store)).unwrap()
}

fn by_token() -> Jwt {
    Jwt {
        cookie: Some(cookie_name("session")),
        keys: JwtKeys::Hmac(SECRET.to_vec().into()),
        algorithms: vec![Algorithm::HS256],
        issuer: Some(Issuer::new("https://idp.example")),
        audience: vec!["analytics".to_owned()],
        subject: ClaimPath::new("sub"),
        session: ClaimPath::new("sid"),
        leeway: Duration::ZERO,
        logout: None,
    }
}

fn by_store(redis: &RealRedis) -> Redis {
    Redis {
        server: redis.server(),
        cookie: cookie_name("SESSION"),
        prefix: "spring:session:sessions:".to_owned(),
        format: RedisFormat::Spring(Spring {
            subject: ClaimPath::new("sessionAttr:user"),
            claims: BTreeMap::new(),
            indexed: false,
        }),
        touch: None,
        cache: Duration::ZERO,
        recheck: Duration::from_secs(1),
        grace: Duration::from_mins(1),
        timeout: Duration::from_secs(1),
    }
}

fn by_ingress() -> TrustedHeader {
    TrustedHeader {
        peers: vec![crate::peer::Believed::Network(
            "10.1.0.0/16".parse().unwrap(),
        )],
        subject: USER,
        session: None,
        claims: BTreeMap::from([("groups".to_owned(), GROUPS)]),
        lists: BTreeMap::new(),
        max_age: Duration::from_hours(1),
    }
}

fn token() -> String {
    Mint::with_secret(SECRET).sign(&claims())
}

fn page(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let lines = lines.iter().cloned();
    let lines = lines.chain([(ORIGIN, "https://app.example.com")]);
    lines
        .map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn knock<'a>(headers: &'a HeaderMap, peer: &str) -> Knock<'a> {
    Knock {
        headers,
        client: Client::Browser,
        peer: crate::peer::Peer::Tcp(peer.parse::<IpAddr>().unwrap()),
        upgrade: None,
    }
}

/// A ticket for a page that shows this.
async fn draw(sessions: &Sessions, lines: &[(HeaderName, &str)]) -> Result<String, SessionError> {
    draw_for(sessions, lines, None).await
}

async fn draw_for(
    sessions: &Sessions,
    lines: &[(HeaderName, &str)],
    app: Option<AppId>,
) -> Result<String, SessionError> {
    let headers = page(lines);
    let knock = knock(&headers, INGRESS);
    let session = sessions.recognise(knock).await?;
    let ticket = sessions.ticket(session, knock, app).await?;
    Ok(ticket.expose().to_owned())
}

/// A websocket that brings a ticket and nothing else.
async fn open(sessions: &Sessions, ticket: &str) -> Result<Session, SessionError> {
    let (headers, query) = (page(&[]), format!("qix-ticket={ticket}"));
    let upgrade = Upgrade {
        query: Some(&query),
        document: "app-1",
    };
    let knock = Knock {
        upgrade: Some(upgrade),
        ..knock(&headers, ELSEWHERE)
    };
    sessions.identify(knock).await
}

async fn opens(sessions: Arc<Sessions>, ticket: String) -> bool {
    open(&sessions, &ticket).await.is_ok()
}

fn unknown<T>(outcome: Result<T, SessionError>) -> bool {
    outcome.is_err_and(|error| error == Spoilt::Unknown.into())
}

/// The one ticket that lies there: its key and its value.
async fn only_ticket(redis: &RealRedis) -> (String, Vec<u8>) {
    let keys: Vec<String> = redis.run(&["KEYS", "qix-proxy:ticket:*"]).await;
    let [key] = &keys[..] else {
        panic!("{keys:?}");
    };
    (key.clone(), redis.run(&["GET", key]).await)
}

async fn put(redis: &RealRedis, key: &str, value: &[u8]) {
    redis.run_bytes(&[b"SET", key.as_bytes(), value]).await;
}

#[tokio::test]
async fn a_ticket_of_one_replica_opens_the_same_session_at_another_once() {
    let redis = RealRedis::start(&[]).await;
    let (one, two) = (replica(&redis, KEY), replica(&redis, KEY));
    let stored = format!("SESSION={}", STANDARD.encode(ID));
    let () = redis
        .run(&["HSET", STORED, "sessionAttr:user", "bob"])
        .await;
    let by_bearer = format!("Bearer {}", token());
    let by_cookie = format!("theme=dark; session={}", token());
    let ways: [(&str, &[(HeaderName, &str)]); 4] = [
        ("ada", &[(AUTHORIZATION, &by_bearer)]),
        ("ada", &[(COOKIE, &by_cookie)]),
        ("bob", &[(COOKIE, &stored)]),
        ("eve", &[(USER, "eve")]),
    ];
    for (subject, shown) in ways {
        let ticket = draw_for(&one, shown, Some(AppId::new("app-1")))
            .await
            .unwrap();
        let session = open(&two, &ticket).await.unwrap();
        assert_eq!(session.person().subject().as_str(), subject);
        assert_eq!(session.app(), Some(&AppId::new("app-1")));
        assert!(unknown(open(&two, &ticket).await) && unknown(open(&one, &ticket).await));
    }
    let left: Vec<String> = redis.run(&["KEYS", "qix-proxy:*"]).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_session_by_ticket_goes_on_as_its_own_does() {
    let redis = RealRedis::start(&[]).await;
    let (one, two) = (replica(&redis, KEY), replica(&redis, KEY));
    let stored = format!("SESSION={}", STANDARD.encode(ID));
    let () = redis
        .run(&["HSET", STORED, "sessionAttr:user", "bob"])
        .await;
    let ticket = draw(&one, &[(COOKIE, &stored)]).await.unwrap();
    let session = open(&two, &ticket).await.unwrap();
    let () = redis.run(&["DEL", STORED]).await;
    let mut standing = session.standing();
    let ended = standing.wait_for(|_| !session.is_valid());
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await;
    assert!(ended.is_ok(), "it is watched where it was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_come_at_once_one_gets_it() {
    let redis = RealRedis::start(&[]).await;
    let replicas = [0; 4].map(|_| Arc::new(replica(&redis, KEY)));
    for _ in 0..10 {
        let bearer = format!("Bearer {}", token());
        let ticket = draw(&replicas[0], &[(AUTHORIZATION, &bearer)])
            .await
            .unwrap();
        let mut racing = JoinSet::new();
        for number in 0..20 {
            let (sessions, ticket) = (Arc::clone(&replicas[number % 4]), ticket.clone());
            racing.spawn(opens(sessions, ticket));
        }
        let opened = racing.join_all().await;
        assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
    }
}

#[tokio::test]
async fn what_lies_there_tells_nothing_and_is_gone_in_time() {
    let redis = RealRedis::start(&[]).await;
    let one = replica(&redis, KEY);
    let bearer = format!("Bearer {}", token());
    let ticket = draw(&one, &[(AUTHORIZATION, &bearer)]).await.unwrap();
    let (key, value) = only_ticket(&redis).await;
    assert!(!key.contains(&ticket));
    for secret in [
        token().as_str(),
        &ticket,
        "ada",
        "s-1",
        "https",
        "bearer",
        "headers",
    ] {
        let found = memchr::memmem::find(&value, secret.as_bytes());
        assert_eq!(found, None, "{secret}");
    }
    let life: u64 = redis.run(&["PTTL", &key]).await;
    assert!((20_000..=30_000).contains(&life), "{life}");
    let () = redis.run(&["PEXPIRE", &key, "1"]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(unknown(open(&one, &ticket).await));
}

#[tokio::test]
async fn whoever_has_the_redis_makes_no_ticket_and_bends_none() {
    let redis = RealRedis::start(&[]).await;
    let (one, stranger) = (replica(&redis, KEY), replica(&redis, KEY + 1));
    let foreign = draw(&stranger, &[(USER, "root")]).await.unwrap();
    assert!(
        unknown(open(&one, &foreign).await),
        "sealed under another key"
    );
    for position in [0, 11, 12, 60, usize::MAX] {
        let ticket = draw(&one, &[(USER, "eve")]).await.unwrap();
        let (key, mut value) = only_ticket(&redis).await;
        let position = position.min(value.len() - 1);
        value[position] ^= 1;
        put(&redis, &key, &value).await;
        assert!(unknown(open(&one, &ticket).await), "{position}");
    }
    let eves = draw(&one, &[(USER, "eve")]).await.unwrap();
    let (eves_key, eves_value) = only_ticket(&redis).await;
    assert!(open(&one, &eves).await.is_ok());
    let adas = draw(&one, &[(USER, "ada")]).await.unwrap();
    let (adas_key, adas_value) = only_ticket(&redis).await;
    put(&redis, &eves_key, &adas_value).await;
    assert!(unknown(open(&one, &eves).await), "another's in its place");
    for value in [&[][..], &adas_value[..11], &adas_value[..12], &eves_value] {
        put(&redis, &adas_key, value).await;
        assert!(unknown(open(&one, &adas).await));
    }
}

#[tokio::test]
async fn a_session_that_is_over_or_another_by_then_opens_nothing() {
    let redis = RealRedis::start(&[]).await;
    let (one, two) = (replica(&redis, KEY), replica(&redis, KEY));
    let stored = format!("SESSION={}", STANDARD.encode(ID));
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let () = redis
            .run(&["HSET", STORED, "sessionAttr:user", "bob"])
            .await;
        tickets.push(draw(&one, &[(COOKIE, &stored)]).await.unwrap());
    }
    let () = redis
        .run(&["HSET", STORED, "sessionAttr:user", "eve"])
        .await;
    assert!(
        unknown(open(&two, &tickets[0]).await),
        "another is logged in to it"
    );
    let () = redis.run(&["DEL", STORED]).await;
    let refused = open(&two, &tickets[1]).await.unwrap_err();
    assert_eq!(refused.fault(), Fault::NotSignedIn);
    let soon = with("exp", (jsonwebtoken::get_current_timestamp() + 2).into());
    let bearer = format!("Bearer {}", Mint::with_secret(SECRET).sign(&soon));
    let ticket = draw(&one, &[(AUTHORIZATION, &bearer)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let refused = open(&two, &ticket).await.unwrap_err();
    assert_eq!(refused.fault(), Fault::NotSignedIn);
}

#[tokio::test]
async fn without_the_redis_there_are_no_tickets_and_no_way_in() {
    let mut redis = RealRedis::start(&[]).await;
    let one = replica(&redis, KEY);
    let bearer = format!("Bearer {}", token());
    let drawn = draw(&one, &[(AUTHORIZATION, &bearer)]).await.unwrap();
    redis.stop();
    let refused = [
        open(&one, &drawn).await.unwrap_err(),
        draw(&one, &[(AUTHORIZATION, &bearer)]).await.unwrap_err(),
    ];
    for error in refused {
        let SessionError::Down {
            outage: Outage::Transport(_),
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(error.fault(), Fault::SessionCheckDown);
    }
    redis.resume().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(unknown(open(&one, &drawn).await), "Redis forgot it");
    let drawn = draw(&one, &[(AUTHORIZATION, &bearer)]).await.unwrap();
    assert!(open(&one, &drawn).await.is_ok());
}

#[tokio::test]
async fn a_redis_that_may_only_be_read_is_left_for_the_one_that_its_name_leads_to() {
    let redis = RealRedis::start(&[]).await;
    let one = replica(&redis, KEY);
    draw(&one, &[(USER, "ada")]).await.unwrap();
    let () = redis.run(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let clients: String = redis.run(&["CLIENT", "LIST"]).await;
    let error = draw(&one, &[(USER, "ada")]).await.unwrap_err();
    assert_eq!(error.fault(), Fault::SessionCheckDown);
    let left: String = redis.run(&["CLIENT", "LIST"]).await;
    let first = |list: &str| list.split(' ').next().unwrap().to_owned();
    assert_ne!(first(&clients), first(&left), "it dialled again");
    let () = redis.run(&["REPLICAOF", "NO", "ONE"]).await;
    draw(&one, &[(USER, "ada")]).await.unwrap();
}

#[tokio::test]
async fn one_person_has_so_many_and_each_is_so_large() {
    let redis = RealRedis::start(&[]).await;
    let (one, two) = (replica(&redis, KEY), replica(&redis, KEY));
    for _ in 0..64 {
        draw(&one, &[(USER, "ada")]).await.unwrap();
    }
    let crowded = draw(&one, &[(USER, "ada")]).await.unwrap_err();
    assert_eq!(crowded, SessionError::Crowded);
    assert!(draw(&one, &[(USER, "eve")]).await.is_ok());
    assert!(draw(&two, &[(USER, "ada")]).await.is_ok());
    let groups = "x".repeat(40_000);
    let large = draw(&one, &[(USER, "bob"), (GROUPS, &groups)]).await;
    assert!(matches!(large, Err(SessionError::Denied(_))), "{large:?}");
}

#[tokio::test]
async fn nothing_of_it_shows() {
    let redis = RealRedis::start(&[]).await;
    let one = replica(&redis, KEY);
    let shown = format!("{one:?}");
    assert!(
        !shown.contains("0707") && !shown.contains("7, 7"),
        "{shown}"
    );
}
