//! Virtual proxies that know people by header, by ticket and by added sessions.

use std::time::Duration;

use engine_sim::{
    tenant::Speaks,
    windows::{Release, Strangers, VirtualProxy, Windows},
};
use futures_util::SinkExt;
use http::StatusCode;
use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::support::{
    call, cookie, dial, http, methods, qps, receive, refused, start, talk, upgrade,
};

#[tokio::test]
async fn a_header_names_the_person_and_the_101_sets_a_cookie() {
    let proxy = VirtualProxy::header("X-Person");
    let fixed = VirtualProxy::header("X-Person").directory("CORP");
    let builder = Windows::builder().virtual_proxy("", proxy);
    let windows = start(builder.virtual_proxy("hdr", fixed)).await;

    let url = format!("{}/app/engineData", windows.url());
    let request = upgrade(&url, &[("x-person", "OTHER\\ann")]);
    let (mut client, answer) = dial(&windows, request).await.unwrap();
    let heard = talk(&mut client).await;
    assert_eq!(
        heard[2]["result"]["qReturn"],
        "UserDirectory=OTHER; UserId=ann"
    );
    assert!(
        cookie(answer.headers())
            .unwrap()
            .starts_with("X-Qlik-Session=")
    );

    let url = format!("{}/hdr/app/engineData", windows.url());
    dial(&windows, upgrade(&url, &[("x-person", "ann")]))
        .await
        .unwrap();
    assert_eq!(windows.sessions_of("CORP\\ann"), 1);
    let bad = upgrade(&url, &[("x-person", "OTHER\\ann")]);
    let (mut client, _) = dial(&windows, bad).await.unwrap();
    call(&mut client, 1, "EngineVersion").await;
    assert_eq!(
        receive(&mut client).await["params"]["mustAuthenticate"],
        true
    );
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_good_once_for_a_minute_on_its_own_proxy() {
    let builder = Windows::builder().virtual_proxy("a", VirtualProxy::ticket());
    let strict = VirtualProxy::ticket().strangers(Strangers::Refused);
    let windows = start(builder.virtual_proxy("b", strict)).await;
    let ann = json!({ "UserDirectory": "CORP", "UserId": "ann", "Attributes": [] });
    let draw = async || {
        let (status, body) = qps(&windows, Method::POST, "/qps/b/ticket", Some(&ann)).await;
        assert_eq!(status, StatusCode::CREATED);
        body["Ticket"].as_str().unwrap().to_owned()
    };
    let url = |ticket: &str| format!("{}/b/app/a?QlikTicket={ticket}", windows.url());

    let ticket = draw().await;
    let (mut client, answer) = dial(&windows, upgrade(&url(&ticket), &[])).await.unwrap();
    talk(&mut client).await;
    let session = cookie(answer.headers()).unwrap();
    assert!(session.starts_with("X-Qlik-Session-b="));
    let again = refused(&windows, upgrade(&url(&ticket), &[])).await;
    assert_eq!(again, StatusCode::UNAUTHORIZED);
    let plain = format!("{}/b/app/a", windows.url());
    dial(&windows, upgrade(&plain, &[("cookie", &session)]))
        .await
        .unwrap();
    assert_eq!(windows.sessions_of("CORP\\ann"), 1);

    let old = draw().await;
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(
        refused(&windows, upgrade(&url(&old), &[])).await,
        StatusCode::UNAUTHORIZED
    );

    let elsewhere = format!("{}/a/app/a?QlikTicket={}", windows.url(), draw().await);
    let (mut client, _) = dial(&windows, upgrade(&elsewhere, &[])).await.unwrap();
    call(&mut client, 1, "EngineVersion").await;
    assert_eq!(
        receive(&mut client).await["params"]["mustAuthenticate"],
        true
    );
    let tally = windows.tally();
    assert_eq!((tally.tickets_drawn, tally.tickets_spent), (3, 1));
}

#[tokio::test]
async fn a_ticket_on_any_url_gives_the_cookie() {
    let windows = start(Windows::builder().virtual_proxy("t", VirtualProxy::ticket())).await;
    let ann = json!({ "UserDirectory": "CORP", "UserId": "ann" });
    let (_, body) = qps(&windows, Method::POST, "/qps/t/ticket", Some(&ann)).await;
    let ticket = body["Ticket"].as_str().unwrap();

    let url = format!("{}/t/hub?QlikTicket={ticket}", windows.url());
    let answer = http(&windows, None).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(cookie(answer.headers()).is_some());
    let answer = http(&windows, None).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn a_bad_cookie_is_asked_to_authenticate_and_then_there_is_silence() {
    let windows = start(Windows::builder().virtual_proxy("s", VirtualProxy::session())).await;
    let url = format!("{}/s/app/a", windows.url());
    let headers = [
        ("cookie", "X-Qlik-Session-s=bad"),
        ("origin", "https://localhost"),
    ];
    let (mut client, _) = dial(&windows, upgrade(&url, &headers)).await.unwrap();

    call(&mut client, 1, "EngineVersion").await;
    let asked = receive(&mut client).await;
    assert_eq!(asked["method"], "OnAuthenticationInformation");
    assert_eq!(asked["params"]["mustAuthenticate"], true);
    let login = asked["params"]["loginUri"].as_str().unwrap();
    assert!(login.starts_with("https://localhost/"), "{login}");
    call(&mut client, 2, "EngineVersion").await;
    windows.script(serde_json::from_value(json!({ "live": "ping" })).unwrap());
    let next = futures_util::StreamExt::next(&mut client).await;
    assert!(next.unwrap().unwrap().is_ping(), "an answer came");
    assert_eq!(windows.tally().sockets_asked, 1);
    assert!(windows.calls().is_empty());
}

#[tokio::test]
async fn nothing_is_said_before_the_first_message_unless_set() {
    let shy = VirtualProxy::header("x-person").directory("CORP");
    let bold = shy.clone().speaks(Speaks::AtOnce);
    let builder = Windows::builder().virtual_proxy("shy", shy);
    let windows = start(builder.virtual_proxy("bold", bold)).await;
    let open = async |prefix: &str| {
        let url = format!("{}/{prefix}/app/a", windows.url());
        let request = upgrade(&url, &[("x-person", "ann")]);
        dial(&windows, request).await.unwrap().0
    };

    let mut bold = open("bold").await;
    let heard = [receive(&mut bold).await, receive(&mut bold).await];
    assert_eq!(
        methods(&heard),
        ["OnAuthenticationInformation", "OnConnected"]
    );

    let mut shy = open("shy").await;
    windows.until(|state| state.sockets_open == 2).await;
    windows.script(serde_json::from_value(json!({ "live": "ping" })).unwrap());
    let first = futures_util::StreamExt::next(&mut shy).await;
    assert!(first.unwrap().unwrap().is_ping(), "it spoke first");
    assert_eq!(
        methods(&talk(&mut shy).await)[0],
        "OnAuthenticationInformation"
    );
}

#[tokio::test]
async fn a_ping_wedges_a_socket_through_the_proxy() {
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    let windows = start(Windows::builder().virtual_proxy("h", proxy)).await;
    let url = format!("{}/h/app/a", windows.url());
    let request = upgrade(
        &url,
        &[
            ("x-person", "ann"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ],
    );
    let (mut client, answer) = dial(&windows, request).await.unwrap();
    assert!(answer.headers().get("sec-websocket-extensions").is_none());
    talk(&mut client).await;

    client.send(Message::Ping("".into())).await.unwrap();
    call(&mut client, 2, "EngineVersion").await;
    windows.script(serde_json::from_value(json!({ "live": { "say": { "text": "{}" } } })).unwrap());
    windows.until(|state| state.pings_seen == 1).await;
    let seen = async |count: usize| {
        while windows.requests()[0].messages.len() < count {
            tokio::task::yield_now().await;
        }
    };
    seen(2).await;
    assert_eq!(windows.calls(), ["GetAuthenticatedUser"]);
}

#[tokio::test]
async fn the_rules_of_november_2024_can_hold_for_every_kind() {
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    let proxy = proxy.release(Release::November2024);
    let windows = start(Windows::builder().virtual_proxy("h", proxy)).await;
    let url = format!("{}/h/app/a", windows.url());
    let headers = [("x-person", "ann"), ("origin", "https://127.0.0.1")];
    assert_eq!(
        refused(&windows, upgrade(&url, &headers)).await,
        StatusCode::FORBIDDEN
    );

    let first = format!("{}/h/qps/csrftoken", windows.url());
    let request = http(&windows, None).get(first).header("x-person", "ann");
    let answer = request.send().await.unwrap();
    let csrf = answer.headers()["qlik-csrf-token"].to_str().unwrap();
    let url = format!("{url}?qlik-csrf-token={csrf}");
    let cookie = cookie(answer.headers()).unwrap();
    let headers = [("cookie", cookie.as_str()), headers[1]];
    dial(&windows, upgrade(&url, &headers)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_nobody_uses_ends_and_one_with_a_socket_does_not() {
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    let windows = start(Windows::builder().virtual_proxy("h", proxy)).await;
    let url = format!("{}/h/app/a", windows.url());
    let (mut client, _) = dial(&windows, upgrade(&url, &[("x-person", "ann")]))
        .await
        .unwrap();
    let (mut other, _) = dial(&windows, upgrade(&url, &[("x-person", "bob")]))
        .await
        .unwrap();
    talk(&mut client).await;
    talk(&mut other).await;
    drop(other);
    windows.until(|state| state.sockets_open == 1).await;

    tokio::time::advance(Duration::from_mins(31)).await;
    assert_eq!(windows.sessions_of("CORP\\ann"), 1);
    assert_eq!(windows.sessions_of("CORP\\bob"), 0);
}
