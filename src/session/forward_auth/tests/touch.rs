//! Whoever is at work is not cut: the app is told so, at most once a recheck.

use super::*;

/// Real time here: what is waited for is what the app was asked, in any order.
const OFTEN: Duration = Duration::from_millis(20);

fn touching(server: &Server, app: &Server) -> ForwardAuth {
    ForwardAuth {
        touch: Some(app.url("/touch")),
        recheck: OFTEN,
        ..config(server)
    }
}

/// Waits until the endpoint was asked some times more.
async fn until_asked_more(server: &Server) {
    server.until_asked(server.count() + 4).await;
}

#[tokio::test]
async fn the_app_is_told_of_work_once_between_two_looks_and_of_nothing_else() {
    let server = Server::start(ada()).await;
    let app = Server::start(Reply::status(204)).await;
    let session = browse(&route(touching(&server, &app)), "sid=abc")
        .await
        .unwrap();
    until_asked_more(&server).await;
    assert_eq!(app.count(), 0);
    for _ in 0..100 {
        session.activity().note();
    }
    app.until_asked(1).await;
    until_asked_more(&server).await;
    assert_eq!(app.count(), 1);
    let told = &app.asked()[0];
    assert_eq!(told.method, "GET");
    assert_eq!(told.uri.path(), "/touch");
    assert_eq!(told.headers[COOKIE], "sid=abc");
    session.activity().note();
    app.until_asked(2).await;
}

#[tokio::test]
async fn an_app_that_cannot_be_told_ends_nobody() {
    let server = Server::start(ada()).await;
    let app = Server::start(Reply::status(500)).await;
    let session = browse(&route(touching(&server, &app)), "sid=abc")
        .await
        .unwrap();
    for status in [500, 404, 401, 302] {
        app.answer(Reply::status(status));
        session.activity().note();
        app.until_asked(app.count() + 1).await;
        until_asked_more(&server).await;
        assert_eq!(
            standing(&session),
            Standing::Valid { until: None },
            "{status}"
        );
    }
}

#[tokio::test]
async fn work_is_told_of_after_a_yes_alone() {
    let server = Server::start(ada()).await;
    let app = Server::start(Reply::status(204)).await;
    let session = browse(&route(touching(&server, &app)), "sid=abc")
        .await
        .unwrap();
    server.answer(Reply::status(503));
    until_asked_more(&server).await;
    session.activity().note();
    until_asked_more(&server).await;
    assert_eq!(app.count(), 0, "nothing during an outage");
    server.answer(ada());
    app.until_asked(1).await;
    let told = app.count();
    server.answer(Reply::status(401));
    until(|| standing(&session) == Standing::Ended).await;
    assert_eq!(app.count(), told, "nobody is told of who is denied");
}
