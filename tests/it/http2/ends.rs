//! How a stream ends, and what its neighbours notice.

use std::time::Duration;

use bytes::Bytes;
use engine_sim::tenant::{LiveFault, Script};
use h2::Reason;
use h2::client::Builder;
use tokio::time::Instant;

use super::{line, secured, visit};
use crate::relaying::stands_still;
use crate::support::frames::{TEXT, masked};
use crate::support::http2::Ask;
use crate::support::{End, Recipe, soon, unique};

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"handle":-1,"method":"EngineVersion","params":[]}"#;

#[tokio::test]
async fn a_stream_that_is_reset_within_a_message_ends_alone() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let (world, authority) = secured(Recipe::default().access(access), "").await;
        let (ada, grace) = (unique("ada"), unique("grace"));
        let mut browser = world.visit_http2(&authority).await;
        let mut other = browser.open(visit(&world, &grace)).await;
        let (_down, mut up) = browser.streams(visit(&world, &ada)).await;
        let half = masked(TEXT, CALL);
        up.send_data(Bytes::copy_from_slice(&half[..20]), false)
            .unwrap();
        soon(world.tenant.until(|state| state.sockets_open == 2)).await;
        up.send_reset(Reason::CANCEL);
        let ended = line(&world, "socket ended", &ada).await;
        assert_eq!(ended.field("cause"), "vanished");
        assert_eq!(ended.field("side"), "client");
        soon(world.tenant.until(|state| state.sockets_open == 1)).await;
        other.is_alive().await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_a_close_ends_its_socket() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let ada = unique("ada");
    let mut browser = world.visit_http2(&authority).await;
    let (_down, mut up) = browser.streams(visit(&world, &ada)).await;
    up.send_data(Bytes::new(), true).unwrap();
    let ended = line(&world, "socket ended", &ada).await;
    assert_eq!(ended.field("cause"), "vanished");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_and_its_neighbours_are_not() {
    let recipe = Recipe::default().limits("write_stall = \"3s\"\n");
    let (world, authority) = secured(recipe, "").await;
    let (ada, grace) = (unique("ada"), unique("grace"));
    let mut settings = Builder::new();
    settings.initial_connection_window_size(4 << 20);
    let mut browser = world.visit_http2_with(&authority, &settings).await;
    let mut other = browser.open(visit(&world, &grace)).await;
    let (mut down, mut up) = browser.streams(visit(&world, &ada)).await;
    let huge = LiveFault::Huge {
        bytes: 16 << 20,
        fragment: None,
    };
    world.tenant.script(Script::Call(huge));
    up.send_data(Bytes::from(masked(TEXT, CALL)), false)
        .unwrap();
    let read = stands_still(&world).await;
    assert!(
        read < 2 << 20,
        "{read} bytes were read for a reader that takes nothing"
    );
    other.is_alive().await;
    // It is told that it is broken off, although it has taken no more than a window.
    let mut taken = 0;
    let reason = soon(async {
        loop {
            match down.data().await {
                Some(Ok(data)) => taken += data.len(),
                end => return end.unwrap().unwrap_err().reason(),
            }
        }
    });
    assert_eq!(reason.await, Some(Reason::CANCEL));
    assert!((60_000..70_000).contains(&taken), "{taken}");
    let ended = line(&world, "socket ended", &ada).await;
    assert_eq!(ended.field("cause"), "stalled");
    other.is_alive().await;
}

#[tokio::test]
async fn a_drain_closes_every_socket_and_then_the_connection() {
    let (mut world, authority) = secured(Recipe::default(), "").await;
    let ada = visit(&world, "ada");
    let again = visit(&world, "ada");
    let mut browser = world.visit_http2(&authority).await;
    let mut socket = browser.open(ada).await;
    let running = world.stop();
    assert_eq!(socket.closed().await.0, 4003);
    // A client that is told to come again goes elsewhere.
    let sender = browser.sender.clone();
    let again = async move {
        let mut sender = sender.ready().await?;
        let (answer, _up) = sender.send_request(again.into_request(), false)?;
        answer.await
    };
    assert!(soon(again).await.is_err());
    soon(&mut browser.over).await.unwrap().unwrap();
    soon(running).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_anything_open_is_ended() {
    let (world, authority) = secured(Recipe::default(), "idle = \"300ms\"").await;
    let mut browser = world.visit_http2(&authority).await;
    let begun = Instant::now();
    let mut ada = browser.open(visit(&world, "ada")).await;
    while begun.elapsed() < Duration::from_millis(900) {
        ada.is_alive().await;
    }
    assert_eq!(ada.close(1000).await, End::Closed(1000, String::new()));
    soon(&mut browser.over).await.unwrap().unwrap();
}

#[tokio::test]
async fn answers_that_are_not_read_do_not_keep_a_connection() {
    let (world, authority) = secured(Recipe::default(), "idle = \"200ms\"").await;
    let mut settings = Builder::new();
    settings.initial_window_size(0);
    let mut browser = world.visit_http2_with(&authority, &settings).await;
    let mut unread = Vec::new();
    for _ in 0..20 {
        let ask = Ask::new(http::Method::GET, "/qlik/nothing");
        let (answer, up) = browser.begin(ask).await;
        let answer = soon(answer).await.unwrap();
        assert_eq!(answer.status(), 404);
        unread.push((answer, up));
    }
    for (answer, _up) in &mut unread {
        let cut = soon(answer.body_mut().data()).await.unwrap().unwrap_err();
        assert_eq!(cut.reason(), Some(Reason::CANCEL));
    }
    soon(&mut browser.over).await.unwrap().unwrap();
}
