//! A virtual proxy that takes JWTs, under the rules of November 2024 and under those before.

use engine_sim::windows::{Release, VirtualProxy, Windows};
use http::StatusCode;
use serde_json::json;

use super::support::{
    Client, Signer, cookie, dial, http, methods, receive, refused, start, talk, upgrade,
};

const ORIGIN: &str = "https://127.0.0.1";

async fn guarded(signer: &Signer) -> Windows {
    let proxy = VirtualProxy::jwt(&signer.public).unwrap();
    start(Windows::builder().virtual_proxy("jwt", proxy)).await
}

/// The status of a bootstrap, its cookie and its csrf token.
async fn bootstrap(windows: &Windows, jwt: &str) -> (StatusCode, Option<(String, String)>) {
    let url = format!("{}/jwt/qps/csrftoken", windows.url());
    let request = http(windows, None).get(url).bearer_auth(jwt);
    let answer = request.send().await.unwrap();
    let csrf = answer.headers().get("qlik-csrf-token");
    let csrf = csrf.map(|csrf| csrf.to_str().unwrap().to_owned());
    (answer.status(), cookie(answer.headers()).zip(csrf))
}

async fn enter(windows: &Windows, jwt: &str) -> (String, String) {
    let (status, phase) = bootstrap(windows, jwt).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    phase.unwrap()
}

async fn open(windows: &Windows, cookie: &str, csrf: &str) -> Client {
    let url = format!(
        "{}/jwt/app/engineData?qlik-csrf-token={csrf}",
        windows.url()
    );
    let request = upgrade(&url, &[("cookie", cookie), ("origin", ORIGIN)]);
    dial(windows, request).await.unwrap().0
}

#[tokio::test]
async fn cookie_csrf_in_the_query_and_an_allowed_origin_open_a_socket() {
    let signer = Signer::new();
    let windows = guarded(&signer).await;
    let (cookie, csrf) = enter(&windows, &signer.jwt("ann")).await;
    assert!(cookie.starts_with("X-Qlik-Session-jwt="), "{cookie}");

    let mut client = open(&windows, &cookie, &csrf).await;
    let heard = talk(&mut client).await;

    let expected = ["OnAuthenticationInformation", "OnConnected", "result"];
    assert_eq!(methods(&heard), expected);
    assert_eq!(heard[0]["params"]["mustAuthenticate"], false);
    assert_eq!(heard[0]["params"]["userId"], "ann");
    assert_eq!(
        heard[2]["result"]["qReturn"],
        "UserDirectory=CORP; UserId=ann"
    );
    assert_eq!(windows.tally().bootstraps, 1);
    assert_eq!(windows.sessions_of("CORP\\ann"), 1);
}

#[tokio::test]
async fn any_rule_of_november_2024_broken_is_403() {
    let signer = Signer::new();
    let windows = guarded(&signer).await;
    let jwt = signer.jwt("ann");
    let bearer = format!("Bearer {jwt}");
    let (cookie, csrf) = enter(&windows, &jwt).await;
    let (_, other) = enter(&windows, &signer.jwt("bob")).await;
    let plain = format!("{}/jwt/app/engineData", windows.url());
    let good = format!("{plain}?qlik-csrf-token={csrf}");
    let foreign = format!("{plain}?qlik-csrf-token={other}");
    let cookie = cookie.as_str();
    for (url, headers) in [
        (&plain, vec![("origin", ORIGIN), ("authorization", &bearer)]),
        (&good, vec![("origin", ORIGIN)]),
        (
            &good,
            vec![("origin", ORIGIN), ("cookie", "X-Qlik-Session-jwt=made-up")],
        ),
        (&plain, vec![("origin", ORIGIN), ("cookie", cookie)]),
        (
            &plain,
            vec![
                ("origin", ORIGIN),
                ("cookie", cookie),
                ("qlik-csrf-token", &csrf),
            ],
        ),
        (&foreign, vec![("origin", ORIGIN), ("cookie", cookie)]),
        (&good, vec![("cookie", cookie)]),
        (
            &good,
            vec![("cookie", cookie), ("origin", "https://app.example")],
        ),
        (&good, vec![("cookie", cookie), ("origin", "null")]),
        (
            &good,
            vec![
                ("cookie", cookie),
                ("origin", ORIGIN),
                ("authorization", &bearer),
            ],
        ),
    ] {
        let status = refused(&windows, upgrade(url, &headers)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{url} {headers:?}");
    }
}

#[tokio::test]
async fn a_host_on_the_allow_list_is_an_origin_on_any_port() {
    let signer = Signer::new();
    let proxy = VirtualProxy::jwt(&signer.certificate).unwrap();
    let proxy = proxy
        .hosts(&["app.example"])
        .cookie("Mine")
        .attributes("sub", "[CORP]");
    let windows = start(Windows::builder().virtual_proxy("jwt", proxy)).await;
    let jwt = signer.sign(&json!({ "sub": "ann" }));
    let (cookie, csrf) = enter(&windows, &jwt).await;
    assert!(cookie.starts_with("Mine="), "{cookie}");

    let url = format!("{}/jwt/app/a?qlik-csrf-token={csrf}", windows.url());
    let allowed = [
        ("cookie", cookie.as_str()),
        ("origin", "https://app.example:8443"),
    ];
    assert!(dial(&windows, upgrade(&url, &allowed)).await.is_ok());
    let own = [("cookie", cookie.as_str()), ("origin", ORIGIN)];
    let status = refused(&windows, upgrade(&url, &own)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_jwt_that_is_not_good_is_401_and_an_unlinked_proxy_400() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let unlinked = VirtualProxy::jwt(&signer.public).unwrap().unlinked();
    let proxy = VirtualProxy::jwt(&signer.public).unwrap();
    let builder = Windows::builder().virtual_proxy("jwt", proxy);
    let windows = start(builder.virtual_proxy("lost", unlinked)).await;
    for jwt in [
        stranger.jwt("ann"),
        signer.sign(&json!({ "userId": "ann", "userDirectory": "CORP", "exp": 1_000_000 })),
        signer.sign(&json!({ "userId": "ann", "userDirectory": "CORP", "nbf": 4_000_000_000_u64 })),
        signer.sign(&json!({ "sub": "ann", "userDirectory": "CORP" })),
        "ey.no.jwt".to_owned(),
    ] {
        let (status, phase) = bootstrap(&windows, &jwt).await;
        assert_eq!((status, phase), (StatusCode::UNAUTHORIZED, None), "{jwt}");
    }
    let url = format!("{}/lost/qps/csrftoken", windows.url());
    let request = http(&windows, None).get(url).bearer_auth(signer.jwt("ann"));
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    assert!(windows.sessions().is_empty());
}

#[tokio::test]
async fn sockets_of_one_cookie_are_one_session_and_the_sixth_bootstrap_is_too_many() {
    let signer = Signer::new();
    let windows = guarded(&signer).await;
    let jwt = signer.jwt("ann");
    let (first, first_csrf) = enter(&windows, &jwt).await;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(open(&windows, &first, &first_csrf).await);
    }
    assert_eq!(windows.sessions_of("CORP\\ann"), 1);
    for _ in 0..4 {
        enter(&windows, &jwt).await;
    }
    let (sixth, sixth_csrf) = enter(&windows, &jwt).await;

    let mut client = open(&windows, &sixth, &sixth_csrf).await;
    super::support::call(&mut client, 1, "EngineVersion").await;
    let notice = receive(&mut client).await;

    assert_eq!(notice["method"], "OnMaxParallelSessionsExceeded");
    assert_eq!(notice["params"]["severity"], "fatal");
    assert!(
        futures_util::StreamExt::next(&mut client)
            .await
            .unwrap()
            .unwrap()
            .is_close()
    );
    assert_eq!(windows.tally().sockets_over_limit, 1);
    talk(&mut clients[15]).await;
    let (bob, csrf) = enter(&windows, &signer.jwt("bob")).await;
    let heard = talk(&mut open(&windows, &bob, &csrf).await).await;
    assert_eq!(methods(&heard)[0], "OnAuthenticationInformation");
}

#[tokio::test]
async fn spellings_that_differ_in_their_case_are_one_person() {
    let signer = Signer::new();
    let proxy = VirtualProxy::jwt(&signer.public).unwrap();
    let builder = Windows::builder().virtual_proxy("jwt", proxy);
    let windows = start(builder.sessions_a_person(1)).await;
    let (ann, csrf) = enter(&windows, &signer.jwt("ann")).await;
    let heard = talk(&mut open(&windows, &ann, &csrf).await).await;
    assert_eq!(methods(&heard)[0], "OnAuthenticationInformation");
    let (other, csrf) = enter(&windows, &signer.jwt("Ann")).await;
    let mut client = open(&windows, &other, &csrf).await;
    super::support::call(&mut client, 1, "EngineVersion").await;
    let notice = receive(&mut client).await;
    assert_eq!(notice["method"], "OnMaxParallelSessionsExceeded");
    assert_eq!(windows.sessions_of("corp\\ANN"), 2);
    let spelt = windows.sessions().into_iter().map(|one| one.person.id);
    assert_eq!(
        spelt.collect::<Vec<_>>(),
        ["ann", "ann"],
        "as they first came"
    );
}

#[tokio::test]
async fn before_2024_a_bearer_on_the_upgrade_is_enough_and_costs_a_session_each() {
    let signer = Signer::new();
    let proxy = VirtualProxy::jwt(&signer.public)
        .unwrap()
        .release(Release::Before2024);
    let windows = start(Windows::builder().virtual_proxy("jwt", proxy)).await;
    let url = format!("{}/jwt/app/engineData", windows.url());
    let bearer = format!("Bearer {}", signer.jwt("ann"));
    let by_bearer = || upgrade(&url, &[("authorization", &bearer)]);

    let (mut client, answer) = dial(&windows, by_bearer()).await.unwrap();
    talk(&mut client).await;
    dial(&windows, by_bearer()).await.unwrap();
    assert_eq!(windows.sessions_of("CORP\\ann"), 2);
    let cookie = cookie(answer.headers()).unwrap();
    let with_cookie = upgrade(&url, &[("authorization", &bearer), ("cookie", &cookie)]);
    dial(&windows, with_cookie).await.unwrap();
    assert_eq!(windows.sessions_of("CORP\\ann"), 2);

    let bad = upgrade(&url, &[("authorization", "Bearer bad")]);
    assert_eq!(refused(&windows, bad).await, StatusCode::UNAUTHORIZED);
    let foreign = [
        ("authorization", bearer.as_str()),
        ("origin", "https://evil.example"),
    ];
    let status = refused(&windows, upgrade(&url, &foreign)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn logging_out_ends_all_of_somebodys_sessions_on_that_proxy() {
    let signer = Signer::new();
    let windows = guarded(&signer).await;
    let (cookie, csrf) = enter(&windows, &signer.jwt("ann")).await;
    enter(&windows, &signer.jwt("ann")).await;
    enter(&windows, &signer.jwt("bob")).await;
    let mut client = open(&windows, &cookie, &csrf).await;
    talk(&mut client).await;

    let url = format!("{}/jwt/qps/user", windows.url());
    let request = http(&windows, None)
        .delete(url)
        .header("cookie", cookie.as_str());
    request.send().await.unwrap();

    assert_eq!(receive(&mut client).await["method"], "OnSessionLoggedOut");
    assert_eq!(windows.sessions_of("CORP\\ann"), 0);
    assert_eq!(windows.sessions_of("CORP\\bob"), 1);
    let url = format!("{}/jwt/app/a?qlik-csrf-token={csrf}", windows.url());
    let late = upgrade(&url, &[("cookie", &cookie), ("origin", ORIGIN)]);
    assert_eq!(refused(&windows, late).await, StatusCode::FORBIDDEN);
}
