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

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone() {
    let mut bench = Bench::new(&any());
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    drop(bench.engine);
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Client)
    );
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
