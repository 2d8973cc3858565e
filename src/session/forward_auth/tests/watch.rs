//! As long as a socket is open its session is asked about, and ends when the app says so.

use tokio::time::Instant;

use super::super::super::moment::Moment;
use super::*;

/// Lets one recheck come round and waits until the app was asked about it.
async fn recheck(clock: &HeldClock, server: &Server) {
    let before = server.count();
    clock.advance(RECHECK).await;
    server.until_asked(before + 1).await;
}

async fn until_unknown(session: &Session) {
    until(|| standing(session) == Standing::Unknown).await;
}

async fn until_ended(session: &Session) {
    until(|| standing(session) == Standing::Ended).await;
}

/// Lets everything that is ready run, sockets included.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_no_ends_every_socket_at_once() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let one = browse(&sessions, "sid=abc").await.unwrap();
    let two = browse(&sessions, "sid=abc").await.unwrap();
    recheck(&clock, &server).await;
    settle().await;
    assert_eq!(standing(&one), Standing::Valid { until: None });
    server.answer(Reply::status(401));
    recheck(&clock, &server).await;
    until_ended(&one).await;
    until_ended(&two).await;
    assert!(browse(&sessions, "sid=abc").await.is_err());
}

#[tokio::test]
async fn many_sockets_cost_one_asking_a_recheck() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(browse(&sessions, "sid=abc").await.unwrap());
    }
    for round in 2..6 {
        recheck(&clock, &server).await;
        settle().await;
        assert_eq!(server.count(), round);
    }
}

#[tokio::test]
async fn the_watch_ends_with_the_last_socket() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let session = browse(&sessions, "sid=abc").await.unwrap();
    let watched = tasks();
    let copy = session.standing();
    drop(session);
    recheck(&clock, &server).await;
    settle().await;
    assert_eq!(tasks(), watched);
    drop(copy);
    clock.advance(SECOND).await;
    until(|| tasks() < watched).await;
    clock.advance(RECHECK * 3).await;
    settle().await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn somebody_else_ends_it_and_is_let_in_as_themselves() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "sid=abc").await.unwrap();
    server.answer(grace());
    recheck(&clock, &server).await;
    until_ended(&session).await;
    let session = browse(&sessions, "sid=abc").await.unwrap();
    assert_eq!(session.person().subject().as_str(), "grace");
}

#[tokio::test]
async fn a_newcomers_answer_counts_for_those_who_are_in() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let first = browse(&sessions, "sid=abc").await.unwrap();
    clock.advance(SECOND).await;
    server.answer(grace());
    let second = browse(&sessions, "sid=abc").await.unwrap();
    assert_eq!(standing(&first), Standing::Ended);
    clock.advance(SECOND).await;
    server.answer(Reply::status(403));
    assert!(browse(&sessions, "sid=abc").await.is_err());
    assert_eq!(standing(&second), Standing::Ended);
}

#[tokio::test]
async fn a_failing_endpoint_ends_it_after_the_grace_and_lets_nobody_in() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "sid=abc").await.unwrap();
    server.answer(Reply::status(503));
    let begun = Instant::now() + RECHECK;
    recheck(&clock, &server).await;
    while Instant::now() + SECOND < begun + GRACE {
        settle().await;
        assert_eq!(standing(&session), Standing::Valid { until: None });
        let outcome = browse(&sessions, "sid=abc").await.unwrap_err();
        assert_eq!(outcome.fault(), Fault::SessionCheckDown);
        clock.advance(SECOND).await;
    }
    settle().await;
    assert_eq!(standing(&session), Standing::Valid { until: None });
    clock.advance(SECOND).await;
    until_unknown(&session).await;
}

#[tokio::test]
async fn a_hanging_endpoint_ends_it_when_the_grace_is_over() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let mut config = config(&server);
    config.grace = Duration::from_secs(7);
    let session = browse(&route(config), "sid=abc").await.unwrap();
    server.hold();
    recheck(&clock, &server).await;
    settle().await;
    clock.advance(RECHECK).await;
    settle().await;
    assert_eq!(standing(&session), Standing::Valid { until: None });
    clock.advance(SECOND * 2).await;
    until_unknown(&session).await;
}

#[tokio::test]
async fn an_endpoint_that_recovers_in_time_ends_nothing() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let session = browse(&route(config(&server)), "sid=abc").await.unwrap();
    for reply in [Reply::status(500), ada(), Reply::status(500), ada()] {
        server.answer(reply);
        for _ in 0..4 {
            recheck(&clock, &server).await;
            settle().await;
            assert_eq!(standing(&session), Standing::Valid { until: None });
        }
    }
}

#[tokio::test]
async fn times_beyond_every_clock_are_taken() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let mut config = config(&server);
    config.cache = Duration::MAX;
    config.grace = Duration::MAX;
    let sessions = route(config);
    let session = browse(&sessions, "sid=abc").await.unwrap();
    server.answer(Reply::status(500));
    recheck(&clock, &server).await;
    settle().await;
    assert_eq!(standing(&session), Standing::Valid { until: None });
    assert!(browse(&sessions, "sid=abc").await.is_ok());
}

#[tokio::test]
async fn the_end_moves_on_when_the_app_says_so() {
    let clock = HeldClock::stop();
    let lasting = |hours: u64| {
        let expires = hour_ahead() + (hours - 1) * 3600;
        Reply::json(json!({"user": {"id": "ada"}, "expires": expires}).to_string())
    };
    let server = Server::start(lasting(1)).await;
    let session = browse(&route(config(&server)), "sid=abc").await.unwrap();
    let end = || match standing(&session) {
        Standing::Valid { until: Some(until) } => until - Instant::now(),
        other => panic!("{other:?}"),
    };
    assert!(end() > Duration::from_mins(59) && end() <= Duration::from_hours(1) + SECOND);
    server.answer(lasting(2));
    recheck(&clock, &server).await;
    until(|| end() > Duration::from_mins(118)).await;
    let mut standing = session.standing();
    standing.mark_unchanged();
    recheck(&clock, &server).await;
    settle().await;
    assert!(!standing.has_changed().unwrap());
}

#[tokio::test]
async fn an_end_that_moved_on_at_the_last_moment_ends_nothing() {
    let lasting = |millis: u32| {
        let expires = Moment::now().unix() + f64::from(millis) / 1000.0;
        Reply::json(json!({"user": {"id": "ada"}, "expires": expires}).to_string())
    };
    let server = Server::start(lasting(300)).await;
    let session = browse(&route(config(&server)), "sid=abc").await.unwrap();
    let end = || match standing(&session) {
        Standing::Valid { until: Some(until) } => until,
        other => panic!("{other:?}"),
    };
    let first = end();
    server.answer(lasting(60_000));
    server.until_asked(2).await;
    until(|| end() > first).await;
    assert!(Instant::now() < first, "the socket would be closed by now");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn strangers_do_not_stand_in_the_way_of_those_who_are_in() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = Arc::new(route(config(&server)));
    let session = browse(&sessions, "sid=abc").await.unwrap();
    server.hold();
    let mut strangers = tokio::task::JoinSet::new();
    for stranger in 0..400 {
        let sessions = Arc::clone(&sessions);
        strangers.spawn(async move {
            browse(&sessions, &format!("sid={stranger}"))
                .await
                .map(drop)
        });
    }
    server.until_asked(1 + 256).await;
    settle().await;
    assert_eq!(server.count(), 1 + 256);
    let asked_about_her = || {
        let asked = server.asked();
        let about = asked.iter().map(|asked| &asked.headers[COOKIE]);
        about.filter(|cookie| *cookie == "sid=abc").count()
    };
    server.answer(Reply::status(401));
    clock.advance(SECOND).await;
    let again = {
        let sessions = Arc::clone(&sessions);
        tokio::spawn(async move { browse(&sessions, "sid=abc").await.is_err() })
    };
    until(|| asked_about_her() == 2).await;
    clock.advance(SECOND * 4).await;
    until(|| asked_about_her() == 3).await;
    server.release();
    until_ended(&session).await;
    let outcomes = strangers.join_all().await;
    assert!(outcomes.iter().all(Result::is_err));
    assert!(again.await.unwrap());
}
