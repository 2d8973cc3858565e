//! Tickets good and bad, at the door of a whole route.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{COOKIE, SEC_WEBSOCKET_PROTOCOL};
use serde_json::Map;
use tokio::sync::watch;
use tokio::time::{advance, sleep};

use super::*;
use crate::config::SessionCheck;
use crate::fault::{Fault, Faulty as _};
use crate::id::{Issuer, Subject};
use crate::person::Person;
use crate::session::error::Twice;
use crate::session::testing::sessions_of;
use crate::session::{Client, Session, Sessions, Standing, Upgrade};

const HERE: &str = "https://app.example.com";
const THERE: &str = "https://other.example.com";
const APP: &str = "app-1";

fn tickets(route: &str, carriers: &[Carrier]) -> Sessions {
    let rules = TicketRules {
        life: Duration::from_secs(30),
        carriers: carriers.to_vec(),
    };
    let checks = vec![SessionCheck::Ticket(rules)];
    sessions_of(route, checks).unwrap()
}

fn both() -> Sessions {
    tickets("r", &[Carrier::Query, Carrier::Subprotocol])
}

fn session_of(subject: &str) -> (Session, watch::Sender<Standing>) {
    let (sender, standing) = watch::channel(Standing::Valid { until: None });
    let person = Person::new(Issuer::new("idp"), Subject::new(subject), None, Map::new());
    let session = Session {
        person,
        standing,
        activity: crate::session::Activity::default(),
        app: None,
    };
    (session, sender)
}

fn from(origin: &str) -> HeaderMap {
    HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap())])
}

/// A plain request of a page.
fn plain(headers: &HeaderMap) -> Knock<'_> {
    Knock {
        headers,
        client: Client::Browser,
        peer: crate::peer::Peer::Tcp(Ipv4Addr::LOCALHOST.into()),
        upgrade: None,
    }
}

async fn issue(sessions: &Sessions, app: Option<&str>) -> String {
    let (session, _) = session_of("ada");
    let ticket = sessions
        .ticket(session, plain(&from(HERE)), app.map(AppId::new))
        .await;
    ticket.unwrap().expose().to_owned()
}

async fn knock(
    sessions: &Sessions,
    headers: &HeaderMap,
    query: &str,
) -> Result<Session, SessionError> {
    let upgrade = Upgrade {
        query: Some(query),
        document: APP,
    };
    let knock = Knock {
        headers,
        client: Client::Browser,
        peer: crate::peer::Peer::Tcp(Ipv4Addr::LOCALHOST.into()),
        upgrade: Some(upgrade),
    };
    sessions.identify(knock).await
}

async fn by_query(sessions: &Sessions, ticket: &str) -> Result<Session, SessionError> {
    knock(sessions, &from(HERE), &format!("a=b&qix-ticket={ticket}")).await
}

async fn opens(sessions: Arc<Sessions>, ticket: String) -> bool {
    by_query(&sessions, &ticket).await.is_ok()
}

fn protocols(lists: &[&str]) -> HeaderMap {
    let mut headers = from(HERE);
    for list in lists {
        let list = HeaderValue::from_str(list).unwrap();
        headers.append(SEC_WEBSOCKET_PROTOCOL, list);
    }
    headers
}

#[tokio::test]
async fn a_ticket_opens_the_session_it_was_made_for_once() {
    let sessions = both();
    let (session, sender) = session_of("ada");
    let ticket = sessions
        .ticket(session, plain(&from(HERE)), None)
        .await
        .unwrap();
    let opened = by_query(&sessions, ticket.expose()).await.unwrap();
    assert_eq!(opened.person().subject().as_str(), "ada");
    assert_eq!(opened.app(), None);
    let again = by_query(&sessions, ticket.expose()).await;
    assert_eq!(again.unwrap_err(), Spoilt::Unknown.into());
    sender.send(Standing::Ended).unwrap();
    assert_eq!(
        *opened.standing().borrow(),
        Standing::Ended,
        "the same watch"
    );
}

#[tokio::test]
async fn a_ticket_comes_as_a_subprotocol_too_and_is_echoed_alone() {
    let sessions = both();
    let ticket = issue(&sessions, None).await;
    let item = format!("qix-ticket.{ticket}");
    let headers = protocols(&["chat", &format!("json , {item}")]);
    assert_eq!(sessions.subprotocol(&headers).unwrap(), item.as_str());
    assert!(knock(&sessions, &headers, "").await.is_ok());
    let query_only = tickets("r", &[Carrier::Query]);
    assert_eq!(query_only.subprotocol(&headers), None);
    for strange in ["chat", "qix-ticket.", "qix-ticket.x", "qix-ticket.\"evil\""] {
        assert_eq!(sessions.subprotocol(&protocols(&[strange])), None);
    }
}

#[tokio::test]
async fn only_the_carriers_of_the_route_carry() {
    for (carriers, by_url, by_protocol) in [
        ([Carrier::Query], true, false),
        ([Carrier::Subprotocol], false, true),
    ] {
        let sessions = tickets("r", &carriers);
        let ticket = issue(&sessions, None).await;
        assert_eq!(by_query(&sessions, &ticket).await.is_ok(), by_url);
        let ticket = issue(&sessions, None).await;
        let headers = protocols(&[&format!("qix-ticket.{ticket}")]);
        let outcome = knock(&sessions, &headers, "").await;
        assert_eq!(outcome.is_ok(), by_protocol);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_uses_at_once_have_one_winner() {
    let sessions = Arc::new(both());
    for _ in 0..50 {
        let ticket = issue(&sessions, None).await;
        let go = || tokio::spawn(opens(Arc::clone(&sessions), ticket.clone()));
        let (one, two) = tokio::join!(go(), go());
        assert!(one.unwrap() ^ two.unwrap());
    }
}

#[tokio::test]
async fn a_bad_ticket_is_refused_each_for_its_reason() {
    let sessions = both();
    let foreign = issue(&tickets("another", &[Carrier::Query]), None).await;
    let good = issue(&sessions, None).await;
    let table = [
        (foreign, Spoilt::Unknown),
        ("A".repeat(43), Spoilt::Unknown),
        (String::new(), Spoilt::Malformed),
        (good[1..].to_owned(), Spoilt::Malformed),
        (format!("{good}="), Spoilt::Malformed),
        (format!("{}%41", &good[..42]), Spoilt::Malformed),
        ("x".repeat(10_000), Spoilt::Malformed),
    ];
    for (ticket, expected) in table {
        let error = by_query(&sessions, &ticket).await.unwrap_err();
        assert_eq!(error, expected.into(), "{ticket}");
        assert_eq!(error.fault(), Fault::NotSignedIn);
        let shown = format!("{error} {error:?}");
        assert!(ticket.is_empty() || !shown.contains(&ticket));
    }
    assert!(by_query(&sessions, &good).await.is_ok(), "it was not tried");
}

#[tokio::test]
async fn a_ticket_of_another_origin_or_app_is_refused_and_spent() {
    let sessions = both();
    let ticket = issue(&sessions, None).await;
    let query = format!("qix-ticket={ticket}");
    for elsewhere in [from(THERE), HeaderMap::new()] {
        let ticket = issue(&sessions, None).await;
        let refused = knock(&sessions, &elsewhere, &format!("qix-ticket={ticket}")).await;
        assert_eq!(refused.unwrap_err(), Spoilt::Origin.into());
        let spent = by_query(&sessions, &ticket).await;
        assert_eq!(spent.unwrap_err(), Spoilt::Unknown.into());
    }
    assert!(knock(&sessions, &from(HERE), &query).await.is_ok());
    let other = issue(&sessions, Some("app-2")).await;
    let refused = by_query(&sessions, &other).await.unwrap_err();
    assert_eq!(refused, Spoilt::App.into());
    assert_eq!(refused.fault(), Fault::NotPermitted);
    let own = issue(&sessions, Some(APP)).await;
    let opened = by_query(&sessions, &own).await.unwrap();
    assert_eq!(opened.app(), Some(&AppId::new(APP)));
}

#[tokio::test]
async fn what_stands_twice_is_a_bad_request() {
    let sessions = both();
    let ticket = issue(&sessions, None).await;
    let headers = protocols(&[&format!("qix-ticket.{ticket}")]);
    let twice = [
        (
            from(HERE),
            format!("qix-ticket={ticket}&qix-ticket={ticket}"),
        ),
        (headers, format!("qix-ticket={ticket}")),
        (protocols(&["qix-ticket.a", "qix-ticket.b"]), String::new()),
    ];
    for (headers, query) in twice {
        let error = knock(&sessions, &headers, &query).await.unwrap_err();
        assert_eq!(error, SessionError::Ambiguous(Twice::Ticket));
        assert_eq!(error.fault(), Fault::BadRequest);
    }
    assert!(by_query(&sessions, &ticket).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ticket_ends_with_its_time_and_with_its_session() {
    let sessions = both();
    let (session, sender) = session_of("ada");
    let late = sessions
        .ticket(session, plain(&from(HERE)), None)
        .await
        .unwrap();
    assert_eq!(sender.receiver_count(), 1);
    advance(Duration::from_secs(30)).await;
    let refused = by_query(&sessions, late.expose()).await;
    assert_eq!(refused.unwrap_err(), Spoilt::Unknown.into());
    sleep(Duration::from_millis(1)).await;
    assert_eq!(sender.receiver_count(), 0, "nothing of it is kept");
    let (session, sender) = session_of("ada");
    let ended = sessions
        .ticket(session, plain(&from(HERE)), None)
        .await
        .unwrap();
    sender.send(Standing::Ended).unwrap();
    let refused = by_query(&sessions, ended.expose()).await;
    assert_eq!(refused.unwrap_err(), Spoilt::Unknown.into());
}

#[tokio::test]
async fn a_ticket_of_a_session_that_nobody_could_ask_about_is_no_ticket_of_one_that_ended() {
    let sessions = both();
    for (standing, fault) in [
        (Standing::Unknown, Fault::SessionCheckDown),
        (Standing::Changed, Fault::NotSignedIn),
        (Standing::Ended, Fault::NotSignedIn),
    ] {
        let (session, sender) = session_of("ada");
        let ticket = sessions.ticket(session, plain(&from(HERE)), None).await;
        sender.send(standing).unwrap();
        let refused = by_query(&sessions, ticket.unwrap().expose()).await;
        assert_eq!(refused.unwrap_err().fault(), fault, "{standing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_person_fills_their_own_place_alone() {
    let sessions = both();
    let take = async |subject: &str| {
        let (session, _) = session_of(subject);
        sessions.ticket(session, plain(&from(HERE)), None).await
    };
    let first = take("ada").await.unwrap();
    for _ in 1..64 {
        take("ada").await.unwrap();
    }
    let crowded = take("ada").await.unwrap_err();
    assert_eq!(crowded, SessionError::Crowded);
    assert_eq!(crowded.fault(), Fault::TooMany);
    assert!(take("eve").await.is_ok());
    assert!(by_query(&sessions, first.expose()).await.is_ok());
    assert!(take("ada").await.is_ok(), "a used one makes room");
    assert!(take("ada").await.is_err());
    sleep(Duration::from_secs(31)).await;
    assert!(take("ada").await.is_ok(), "an expired one makes room");
}

#[tokio::test]
async fn a_plain_request_opens_nothing_by_ticket() {
    let sessions = both();
    let ticket = issue(&sessions, None).await;
    let mut headers = protocols(&[&format!("qix-ticket.{ticket}")]);
    let cookie = HeaderValue::from_str(&format!("qix-ticket={ticket}")).unwrap();
    headers.insert(COOKIE, cookie);
    let knock = Knock {
        headers: &headers,
        client: Client::Browser,
        peer: crate::peer::Peer::Tcp(Ipv4Addr::LOCALHOST.into()),
        upgrade: None,
    };
    let outcome = sessions.identify(knock).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Missing);
}

#[tokio::test]
async fn nothing_of_a_ticket_shows() {
    let sessions = both();
    let (session, _) = session_of("ada");
    let ticket = sessions
        .ticket(session, plain(&from(HERE)), None)
        .await
        .unwrap();
    let text = ticket.expose().to_owned();
    assert_eq!(text.len(), 43);
    let upgrade = Upgrade {
        query: Some(&text),
        document: APP,
    };
    let protocol = sessions.subprotocol(&protocols(&[&format!("qix-ticket.{text}")]));
    let shown = format!("{ticket:?} {sessions:?} {upgrade:?} {protocol:?}");
    assert!(!shown.contains(&text), "{shown}");
}
