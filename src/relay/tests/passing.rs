//! What passes: messages as they came, our own answers at boundaries, and nothing else.

use super::*;

#[tokio::test(start_paused = true)]
async fn bytes_pass_verbatim_both_ways() {
    for access in [any(), consumer()] {
        let mut bench = Bench::new(&access);
        let call = bench.call("GetActiveDoc", &json!([]));
        bench.client.write_all(&call).await.unwrap();
        assert_eq!(bench.engine_reads(call.len()).await, call);
        let answer = message_frame(&vec![b'x'; 300_000]);
        let (answer_sent, answer_read) = tokio::join!(
            bench.engine.write_all(&answer),
            read_exactly(&mut bench.client, answer.len())
        );
        answer_sent.unwrap();
        assert_eq!(answer_read, answer);
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_with_the_handshakes_comes_first() {
    let call = masked(
        0x81,
        br#"{"id":1,"handle":-1,"method":"GetActiveDoc","params":[]}"#,
    );
    let greeting = message_frame(b"{}");
    let mut bench = Bench::with(&any(), Some(LIMITS.client_ping), &call[..20], &greeting);
    bench.client.write_all(&call[20..]).await.unwrap();
    assert_eq!(bench.engine_reads(call.len()).await, call);
    assert_eq!(bench.client_reads(greeting.len()).await, greeting);
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_answered_and_the_session_goes_on() {
    let mut bench = Bench::new(&consumer());
    let denied = bench.call("DoReload", &json!([]));
    let allowed = bench.call("GetActiveDoc", &json!([]));
    bench
        .client
        .write_all(&[denied, allowed.clone()].concat())
        .await
        .unwrap();
    assert_eq!(
        bench.engine_reads(allowed.len()).await,
        allowed,
        "nothing of the denied call"
    );
    let answer = bench.client_message().await;
    assert_eq!(answer["error"]["code"], 5);
    assert_eq!(answer["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_lets_control_frames_by_and_goes_on_whole() {
    let mut bench = Bench::new(&consumer());
    let text = br#"{"id":1,"handle":-1,"method":"GetActiveDoc","params":[]}"#;
    let (first, last) = (masked(0x01, &text[..10]), masked(0x80, &text[10..]));
    let ping = ping_frame(b"between", Some(KEY));
    bench.client.write_all(&first).await.unwrap();
    bench.client.write_all(&ping).await.unwrap();
    assert_eq!(
        bench.engine_reads(ping.len()).await,
        ping,
        "the ping does not wait"
    );
    bench.client.write_all(&last).await.unwrap();
    let whole = [first, last].concat();
    assert_eq!(bench.engine_reads(whole.len()).await, whole);
}

#[tokio::test(start_paused = true)]
async fn our_answer_waits_for_the_end_of_the_engines_message_and_our_ping_for_its_frame() {
    let mut bench = Bench::new(&consumer());
    let mut first = message_frame(&[b'a'; 100]);
    first[0] = 0x01;
    let mut last = message_frame(&[b'b'; 100]);
    last[0] = 0x80;
    bench.engine.write_all(&first[..50]).await.unwrap();
    assert_eq!(bench.client_reads(50).await, first[..50]);
    let denied = bench.call("DoReload", &json!([]));
    bench.client.write_all(&denied).await.unwrap();
    sleep(LIMITS.client_ping + Duration::from_secs(1)).await;
    bench
        .engine
        .write_all(&[&first[50..], &last].concat())
        .await
        .unwrap();
    assert_eq!(bench.client_reads(52).await, first[50..]);
    assert_eq!(
        bench.client_frame().await.0,
        Opcode::Ping,
        "a ping may stand between fragments"
    );
    assert_eq!(bench.client_reads(last.len()).await, last);
    assert_eq!(bench.client_message().await["error"]["code"], 5);
}

#[tokio::test(start_paused = true)]
async fn denied_calls_do_not_pile_up_behind_an_engine_message_that_does_not_end() {
    let mut bench = Bench::new(&consumer());
    let mut first = message_frame(b"begun");
    first[0] = 0x01;
    bench.engine.write_all(&first).await.unwrap();
    bench.client_reads(first.len()).await;
    let denied = bench.call("DoReload", &json!([]));
    let flood = denied.repeat((1 << 20) / denied.len());
    let pushed = timeout(Duration::from_secs(5), bench.client.write_all(&flood)).await;
    assert!(pushed.is_err(), "the client is held back");
}
