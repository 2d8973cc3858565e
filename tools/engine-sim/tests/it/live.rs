//! Sockets that are open: messages, keep-alive, closes and faults.

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{
        CloseFrame,
        frame::{Frame, coding::Data, coding::OpCode},
    },
};

use engine_sim::tenant::{LiveFault, Script, Tenant};

use crate::support::{Client, KEY, call, closed, dial, next, open, receive, request, tenant};

fn close(code: Option<u16>) -> LiveFault {
    LiveFault::Close {
        code,
        reason: "by script".to_owned(),
    }
}

/// A fault at the next call of a socket that was just opened.
async fn faulty_call(fault: LiveFault) -> (Tenant, Client) {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    tenant.script(Script::Call(fault));
    call(&mut client, 7, "EngineVersion").await;
    (tenant, client)
}

#[tokio::test]
async fn messages_are_recorded_in_order_and_fragments_are_joined() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    let text = r#"{"jsonrpc":"2.0","id":1,"handle":-1,"method":"First","params":[]}"#;
    let (left, right) = text.split_at(20);
    let fragment = |text: &str, data, last| {
        Message::Frame(Frame::message(text.to_owned(), OpCode::Data(data), last))
    };
    client
        .send(fragment(left, Data::Text, false))
        .await
        .unwrap();
    client.send(Message::Ping("".into())).await.unwrap();
    client
        .send(fragment(right, Data::Continue, true))
        .await
        .unwrap();
    call(&mut client, 2, "Second").await;
    client.close(None).await.unwrap();
    tenant.until(|state| state.sockets_open == 0).await;

    assert_eq!(tenant.calls(), ["First", "Second"]);
    assert_eq!(tenant.requests()[0].messages[0], text);
    assert_eq!(tenant.state().pings_seen, 1);
}

#[tokio::test]
async fn a_ping_is_answered_and_a_ping_by_script_is_sent() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    client.send(Message::Ping("here".into())).await.unwrap();
    assert_eq!(next(&mut client).await, Message::Pong("here".into()));

    tenant.script(Script::Live(LiveFault::Ping));
    assert!(next(&mut client).await.is_ping());
    client.flush().await.unwrap();
    tenant.until(|state| state.pongs_seen == 1).await;
}

#[tokio::test]
async fn a_binary_message_closes_with_1003() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    client.send(Message::binary("{}")).await.unwrap();
    assert_eq!(closed(&mut client).await.unwrap().0, 1003);
}

#[tokio::test]
async fn text_that_is_no_json_is_a_parse_error() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    client.send(Message::text("{")).await.unwrap();
    assert_eq!(receive(&mut client).await["error"]["code"], -32700);
}

#[tokio::test]
async fn closes_by_script_reach_every_open_socket_and_their_answers_are_kept() {
    let tenant = tenant().await;
    let mut first = open(&tenant, "/app/a").await;
    let mut second = open(&tenant, "/app/b").await;
    tenant.script(Script::Live(close(Some(4003))));
    for client in [&mut first, &mut second] {
        assert_eq!(closed(client).await, Some((4003, "by script".to_owned())));
        assert!(client.next().await.is_none());
    }
    let state = tenant.until(|state| state.sockets_open == 0).await;
    assert_eq!(state.close_answers, [4003, 4003]);
    assert!(state.close_codes.is_empty());
}

#[tokio::test]
async fn a_close_can_have_no_code() {
    let tenant = tenant().await;
    tenant.script(Script::Next(close(None)));
    let mut client = open(&tenant, "/app/a").await;
    assert_eq!(closed(&mut client).await, None);
}

#[tokio::test]
async fn closes_of_clients_are_counted_by_code() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    client
        .close(Some(CloseFrame {
            code: 4000.into(),
            reason: "".into(),
        }))
        .await
        .unwrap();
    let mut silent = open(&tenant, "/app/a").await;
    silent.close(None).await.unwrap();
    let state = tenant.until(|state| state.sockets_open == 0).await;
    assert_eq!(state.close_codes, [4000, 1005]);
    assert_eq!(state.aborts, 0);
}

#[tokio::test]
async fn a_drop_ends_without_a_close() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    tenant.script(Script::Live(LiveFault::Drop));
    assert!(broken(&mut client).await);
}

#[tokio::test]
async fn a_death_in_mid_frame_leaves_a_frame_half_sent() {
    let (_tenant, mut client) = faulty_call(LiveFault::DieMidFrame).await;
    let mut rest = Vec::new();
    let io = client.get_mut();
    // Either end of a connection that died is fine, as long as it ends inside the frame.
    let _ = tokio::io::AsyncReadExt::read_to_end(io, &mut rest).await;
    assert_eq!(rest[0], 0x81);
    assert!(
        rest.len() > 2 && rest.len() < 2 + usize::from(rest[1]),
        "{rest:?}"
    );
}

#[tokio::test]
async fn a_huge_answer_carries_the_id_of_its_call() {
    for fragment in [None, Some(10_000)] {
        let (_tenant, mut client) = faulty_call(LiveFault::Huge {
            bytes: 300_000,
            fragment,
        })
        .await;
        let Message::Text(text) = next(&mut client).await else {
            panic!("expected text")
        };
        assert_eq!(text.len(), 300_000);
        assert!(text.starts_with(r#"{"jsonrpc":"2.0","id":7,"#));
    }
}

#[tokio::test]
async fn a_huge_answer_is_one_frame_unless_fragments_are_asked_for() {
    // FIN, text and 127 for a 64-bit length; text alone and 126 for a 16-bit length.
    for (fragment, expected) in [(None, [0x81, 127]), (Some(10_000), [0x01, 126])] {
        let (_tenant, mut client) = faulty_call(LiveFault::Huge {
            bytes: 70_000,
            fragment,
        })
        .await;
        let mut head = [0; 2];
        tokio::io::AsyncReadExt::read_exact(client.get_mut(), &mut head)
            .await
            .unwrap();
        assert_eq!(head, expected);
    }
}

#[tokio::test]
async fn fragments_come_with_pings_between_and_join_to_one_message() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    tenant.script(Script::Live(LiveFault::Fragmented));
    let mut pings = 0;
    let text = loop {
        match next(&mut client).await {
            Message::Ping(_) => pings += 1,
            Message::Text(text) => break text,
            other => panic!("{other:?}"),
        }
    };
    assert!(pings > 2);
    assert!(text.contains("OnProgress"));
}

#[tokio::test]
async fn a_binary_message_and_a_text_of_ones_own_can_be_sent() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    tenant.script(Script::Live(LiveFault::Binary));
    tenant.script(Script::Live(LiveFault::Say {
        text: json!({"a": 1}).to_string(),
    }));
    assert!(next(&mut client).await.is_binary());
    assert_eq!(receive(&mut client).await, json!({"a": 1}));
}

#[tokio::test]
async fn a_socket_that_stopped_reading_sees_nothing_until_it_starts_again() {
    let tenant = tenant().await;
    tenant.script(Script::Next(LiveFault::StopReading));
    let mut client = open(&tenant, "/app/a").await;
    // The engine takes nothing any more: at some point the kernel's buffers are full.
    let filling = "x".repeat(1024 * 1024);
    let flood = async {
        loop {
            client.send(Message::text(filling.clone())).await.unwrap();
        }
    };
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, flood).await.is_err());
    assert!(tenant.requests()[0].messages.is_empty());

    tenant.script(Script::Live(LiveFault::StartReading));
    client.flush().await.unwrap();
    client.close(None).await.unwrap();
    tenant.until(|state| state.close_codes == [1005]).await;
    assert!(!tenant.requests()[0].messages.is_empty());
}

#[tokio::test]
async fn a_muted_call_gets_no_answer_and_the_next_one_does() {
    let (_tenant, mut client) = faulty_call(LiveFault::Mute).await;
    client.send(Message::text("{")).await.unwrap();
    assert_eq!(receive(&mut client).await["error"]["code"], -32700);
}

#[tokio::test]
async fn an_unmasked_frame_is_a_violation() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    let unmasked = [0x81, 2, b'{', b'}'];
    tokio::io::AsyncWriteExt::write_all(client.get_mut(), &unmasked)
        .await
        .unwrap();
    let state = tenant.until(|state| state.sockets_open == 0).await;
    assert_eq!(state.violations.len(), 1, "{state:?}");
}

#[tokio::test]
async fn a_stop_closes_every_socket_with_1001() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    let stop = tokio::spawn(tenant.stop());
    assert_eq!(closed(&mut client).await.unwrap().0, 1001);
    assert!(client.next().await.is_none());
    stop.await.unwrap();
}

async fn broken(client: &mut Client) -> bool {
    let end = client.next().await;
    matches!(
        end,
        Some(Err(Error::Io(_)
            | Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake
            )))
    )
}

#[tokio::test]
async fn sockets_of_one_user_app_and_identity_share_a_session_and_others_do_not() {
    let tenant = tenant().await;
    let mut states = Vec::new();
    let mut clients = Vec::new();
    for path in [
        "/app/a/identity/x",
        "/app/a/identity/x",
        "/app/a/identity/y",
        "/app/b/identity/x",
    ] {
        let (mut client, _) = dial(request(&tenant, path, Some(KEY))).await.unwrap();
        states.push(receive(&mut client).await["params"]["qSessionState"].clone());
        clients.push(client);
    }
    let created = "SESSION_CREATED";
    assert_eq!(states, [created, "SESSION_ATTACHED", created, created]);
}

#[tokio::test]
async fn a_call_that_the_engine_does_not_know_is_kept() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    call(&mut client, 1, "Frobnicate").await;
    assert_eq!(receive(&mut client).await["error"]["code"], -32601);
    assert_eq!(tenant.unknown(), ["Frobnicate"]);
}
