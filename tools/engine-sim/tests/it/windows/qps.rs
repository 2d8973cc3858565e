//! The proxy service's API.

use engine_sim::{
    certificates::Certificates,
    windows::{VirtualProxy, Windows},
};
use http::StatusCode;
use reqwest::Method;
use serde_json::json;

use super::support::{XRFKEY, dial, http, methods, qps, receive, start, talk, upgrade};

async fn installation() -> Windows {
    let builder = Windows::builder().virtual_proxy("t", VirtualProxy::ticket());
    let builder = builder.virtual_proxy("", VirtualProxy::session());
    start(builder.virtual_proxy("s", VirtualProxy::session())).await
}

#[tokio::test]
async fn only_the_exports_client_with_the_key_twice_is_answered() {
    let windows = installation().await;
    let url = format!("{}/qps/t/ticket?xrfkey={XRFKEY}", windows.qps_url());
    let stranger = Certificates::made_for(&["127.0.0.1"]).unwrap();
    for client in [None, Some(&stranger)] {
        let request = http(&windows, client)
            .post(&url)
            .header("X-Qlik-Xrfkey", XRFKEY);
        assert!(request.send().await.is_err());
    }
    let http = http(&windows, Some(windows.certificates()));
    let answer = http.post(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("XSRF"));
}

#[tokio::test]
async fn what_is_no_user_or_no_proxy_is_refused() {
    let windows = installation().await;
    for (path, body, expected) in [
        (
            "/qps/t/ticket",
            json!({ "UserDirectory": "A\\B", "UserId": "ann" }),
            400,
        ),
        (
            "/qps/t/ticket",
            json!({ "UserDirectory": "CORP", "UserId": "" }),
            400,
        ),
        ("/qps/t/ticket", json!({ "UserDirectory": "CORP" }), 400),
        ("/qps/t/ticket", json!([]), 400),
        (
            "/qps/s/session",
            json!({ "UserDirectory": "CORP", "UserId": "ann" }),
            400,
        ),
        (
            "/qps/none/ticket",
            json!({ "UserDirectory": "CORP", "UserId": "ann" }),
            404,
        ),
        (
            "/qps/t/other",
            json!({ "UserDirectory": "CORP", "UserId": "ann" }),
            404,
        ),
    ] {
        let (status, _) = qps(&windows, Method::POST, path, Some(&body)).await;
        assert_eq!(status.as_u16(), expected, "{path} {body}");
    }
    assert_eq!(windows.tally().tickets_drawn, 0);
}

#[tokio::test]
async fn an_added_session_is_a_cookie_until_it_is_ended() {
    let windows = installation().await;
    let wish = |user: &str, id: &str| json!({ "UserDirectory": "CORP", "UserId": user, "Attributes": [], "SessionId": id });
    for (prefix, cookie) in [("", "X-Qlik-Session"), ("s/", "X-Qlik-Session-s")] {
        let add = format!("/qps/{prefix}session");
        let id = "0e5c-chosen";
        let (status, body) = qps(&windows, Method::POST, &add, Some(&wish("ann", id))).await;
        assert_eq!(
            (status, &body["SessionId"]),
            (StatusCode::CREATED, &json!(id))
        );
        let (status, _) = qps(&windows, Method::POST, &add, Some(&wish("ann", id))).await;
        assert_eq!(status, StatusCode::CREATED);
        let (status, _) = qps(&windows, Method::POST, &add, Some(&wish("bob", id))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);

        let url = format!("{}/{prefix}app/a", windows.url());
        let value = format!("{cookie}={id}");
        let request = upgrade(&url, &[("cookie", &value)]);
        let (mut client, _) = dial(&windows, request).await.unwrap();
        assert_eq!(methods(&talk(&mut client).await)[1], "OnConnected");
        assert_eq!(windows.sessions()[0].sockets, 1);

        let one = format!("/qps/{prefix}session/{id}");
        assert_eq!(
            qps(&windows, Method::GET, &one, None).await.1["UserId"],
            "ann"
        );
        assert_eq!(
            qps(&windows, Method::DELETE, &one, None).await.0,
            StatusCode::OK
        );
        assert_eq!(receive(&mut client).await["method"], "OnSessionClosed");
        assert_eq!(
            qps(&windows, Method::GET, &one, None).await.0,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn somebodys_sessions_are_listed_and_ended_by_their_name() {
    let windows = installation().await;
    for id in ["one", "two"] {
        let wish = json!({ "UserDirectory": "CO RP", "UserId": "ann", "SessionId": id });
        qps(&windows, Method::POST, "/qps/s/session", Some(&wish)).await;
    }
    let path = "/qps/s/user/CO%20RP/ann";
    let (_, listed) = qps(&windows, Method::GET, path, None).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    qps(&windows, Method::DELETE, path, None).await;
    assert_eq!(windows.sessions_of("CO RP\\ann"), 0);
    assert_eq!(windows.tally().sessions_ended, 2);
    assert!(windows.secrets().contains(&"one".to_owned()));
}
