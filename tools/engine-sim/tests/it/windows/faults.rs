//! Faults by script, at the credential and on the socket.

use engine_sim::{
    tenant::{LiveFault, Script, TokenFault, UpgradeFault},
    windows::{VirtualProxy, Windows},
};
use futures_util::StreamExt;
use http::StatusCode;

use super::support::{
    Client, Signer, call, dial, http, methods, receive, refused, start, talk, upgrade,
};

async fn installation() -> Windows {
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    start(Windows::builder().virtual_proxy("h", proxy)).await
}

async fn open(windows: &Windows) -> Client {
    let url = format!("{}/h/app/a", windows.url());
    let request = upgrade(&url, &[("x-person", "ann")]);
    dial(windows, request).await.unwrap().0
}

#[tokio::test]
async fn fatal_notices_come_by_script_and_then_a_close() {
    let windows = installation().await;
    let notice = |method: &str| LiveFault::Notice {
        method: method.to_owned(),
        message: "by script".to_owned(),
    };
    windows.script(Script::Call(notice("OnLicenseAccessDenied")));
    let mut client = open(&windows).await;
    call(&mut client, 1, "EngineVersion").await;
    let heard = [
        receive(&mut client).await,
        receive(&mut client).await,
        receive(&mut client).await,
    ];
    let expected = [
        "OnAuthenticationInformation",
        "OnConnected",
        "OnLicenseAccessDenied",
    ];
    assert_eq!(methods(&heard), expected);
    assert_eq!(heard[2]["params"]["message"], "by script");
    assert!(client.next().await.unwrap().unwrap().is_close());

    let mut client = open(&windows).await;
    talk(&mut client).await;
    windows.script(Script::Live(notice("OnSessionTimedOut")));
    assert_eq!(receive(&mut client).await["method"], "OnSessionTimedOut");
}

#[tokio::test]
async fn upgrades_and_bootstraps_fail_by_script() {
    let signer = Signer::new();
    let proxy = VirtualProxy::jwt(&signer.public).unwrap();
    let windows = start(Windows::builder().virtual_proxy("jwt", proxy)).await;
    let url = format!("{}/jwt/qps/csrftoken", windows.url());
    windows.script(Script::Token(TokenFault::Html { status: 200 }));
    let get = || {
        http(&windows, None)
            .get(&url)
            .bearer_auth(signer.jwt("ann"))
            .send()
    };
    let answer = get().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().get("qlik-csrf-token").is_none());
    assert_eq!(get().await.unwrap().status(), StatusCode::NO_CONTENT);

    windows.script(Script::Upgrade(UpgradeFault::Refuse {
        status: 503,
        body: None,
    }));
    let url = format!("{}/jwt/app/a", windows.url());
    let status = refused(&windows, upgrade(&url, &[])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(windows.state().token_fetches, 2);
}

#[tokio::test]
async fn sessions_are_lost_without_a_word_or_ended_with_one() {
    let windows = installation().await;
    let mut client = open(&windows).await;
    talk(&mut client).await;
    windows.forget_sessions();
    assert!(windows.sessions().is_empty());
    talk(&mut client).await;

    let mut other = open(&windows).await;
    talk(&mut other).await;
    windows.end_sessions();
    assert_eq!(receive(&mut other).await["method"], "OnSessionLoggedOut");
    assert!(other.next().await.unwrap().unwrap().is_close());
    windows.reset();
    assert_eq!(windows.tally(), engine_sim::windows::Tally::default());
}

#[tokio::test]
async fn every_secret_is_known_to_the_test() {
    let signer = Signer::new();
    let proxy = VirtualProxy::jwt(&signer.public).unwrap();
    let windows = start(Windows::builder().virtual_proxy("jwt", proxy)).await;
    let jwt = signer.jwt("ann");
    let url = format!("{}/jwt/qps/csrftoken", windows.url());
    let answer = http(&windows, None)
        .get(url)
        .bearer_auth(&jwt)
        .send()
        .await
        .unwrap();
    let csrf = answer.headers()["qlik-csrf-token"]
        .to_str()
        .unwrap()
        .to_owned();
    let cookie = super::support::cookie(answer.headers()).unwrap();
    let (_, id) = cookie.split_once('=').unwrap();
    for secret in [jwt.as_str(), &csrf, id] {
        assert!(
            windows.secrets().iter().any(|kept| kept == secret),
            "{secret}"
        );
    }
}
