//! Pings, pongs and idleness.

use super::*;

#[tokio::test(start_paused = true)]
async fn pongs_to_our_own_pings_are_swallowed_and_others_pass() {
    let mut bench = Bench::new(&any());
    sleep(LIMITS.client_ping).await;
    let (opcode, tag) = bench.client_frame().await;
    assert_eq!(opcode, Opcode::Ping);
    let (opcode, engine_tag) = bench.engine_frame().await;
    assert_eq!((opcode, &engine_tag), (Opcode::Ping, &tag));
    bench
        .client
        .write_all(&pong_frame(&tag, Some(KEY)))
        .await
        .unwrap();
    bench
        .engine
        .write_all(&pong_frame(&tag, None))
        .await
        .unwrap();
    let theirs = pong_frame(b"theirs", Some(KEY));
    bench.client.write_all(&theirs).await.unwrap();
    assert_eq!(bench.engine_reads(theirs.len()).await, theirs);
    let theirs = pong_frame(b"theirs", None);
    bench.engine.write_all(&theirs).await.unwrap();
    assert_eq!(bench.client_reads(theirs.len()).await, theirs);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_must_not_be_pinged_never_is() {
    let mut bench = Bench::with(&any(), None, b"", b"");
    bench
        .client
        .write_all(&ping_frame(b"hello", Some(KEY)))
        .await
        .unwrap();
    assert_eq!(
        bench.client_frame().await,
        (Opcode::Pong, b"hello".to_vec())
    );
    bench
        .client
        .write_all(&pong_frame(b"unasked", Some(KEY)))
        .await
        .unwrap();
    sleep(3 * LIMITS.client_ping / 2).await;
    let call = bench.call("GetActiveDoc", &json!([]));
    bench.client.write_all(&call).await.unwrap();
    assert_eq!(
        bench.engine_reads(call.len()).await,
        call,
        "the first bytes the engine sees"
    );
}

/// Answers the next ping, after a while.
async fn answer_ping(bench: &mut Bench, after: Duration) {
    let (opcode, tag) = bench.client_frame().await;
    assert_eq!(opcode, Opcode::Ping);
    sleep(after).await;
    let pong = pong_frame(&tag, Some(KEY));
    bench.client.write_all(&pong).await.unwrap();
}

/// How long after this moment the engine hears that the client is gone.
async fn lasts(mut bench: Bench) -> u64 {
    let begun = Instant::now();
    let gone = Close::Code(CloseCode::GOING_AWAY);
    assert_eq!(bench.engine_close().await, gone);
    drop(bench.engine);
    let ended = bench.task.await.unwrap();
    assert_eq!(ended.cause, Cause::Vanished(Side::Client));
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone() {
    let mut bench = Bench::with(&any(), None, b"", b"");
    for _ in 0..5 {
        answer_ping(&mut bench, Duration::ZERO).await;
    }
    // It is asked 20 seconds later, and has as long to answer as a reader has.
    assert_eq!(lasts(bench).await, 20 + 60);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_read_what_it_was_sent_before_it_answers_a_ping() {
    let mut bench = Bench::with(&any(), None, b"", b"");
    let answer = message_frame(&[b'x'; 3000]);
    bench.engine.write_all(&answer).await.unwrap();
    assert_eq!(bench.client_reads(answer.len()).await, answer);
    answer_ping(&mut bench, Duration::from_secs(59)).await;
    // It is asked once more a second later.
    assert_eq!(lasts(bench).await, 1 + 60);
}

#[tokio::test(start_paused = true)]
async fn idleness_ends_the_socket_though_pings_are_answered() {
    let mut bench = Bench::new(&any());
    loop {
        let (opcode, payload) = bench.client_frame().await;
        if opcode == Opcode::Close {
            assert_eq!(Close::read(&payload), Close::Code(CloseCode::IDLE));
            break;
        }
        bench
            .client
            .write_all(&pong_frame(&payload, Some(KEY)))
            .await
            .unwrap();
        let (_, tag) = bench.engine_frame().await;
        bench
            .engine
            .write_all(&pong_frame(&tag, None))
            .await
            .unwrap();
    }
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
}
