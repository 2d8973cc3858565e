//! How a socket ends, and with which code.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_clients_close_and_the_engines_answer_pass() {
    let mut bench = Bench::new(&consumer());
    let close = close_frame(CloseCode::NORMAL, "done", Some(KEY));
    bench.client.write_all(&close).await.unwrap();
    assert_eq!(bench.engine_reads(close.len()).await, close);
    bench
        .engine
        .write_all(&close_frame(CloseCode::NORMAL, "", None))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NORMAL));
    assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_a_close_is_not_waited_for() {
    let mut bench = Bench::new(&consumer());
    bench
        .client
        .write_all(&close_frame(CloseCode(3001), "", Some(KEY)))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode(3001)));
    assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn the_engines_codes_pass_but_those_that_enigma_swallows() {
    let table: [(&[u8], u16); 6] = [
        (b"\x0f\xa3by engine", 4003),
        (b"\x10\x6c", 4204),
        (b"\x03\xe8", 4200), // 1000
        (b"\x0f\xa0", 4200), // 4000
        (b"", 4200),
        (b"\x01", 4200),
    ];
    for (payload, expected) in table {
        let mut bench = Bench::new(&consumer());
        let mut close = ping_frame(payload, None);
        close[0] = 0x88;
        bench.engine.write_all(&close).await.unwrap();
        let (_, said) = bench.client_frame().await;
        assert_eq!(
            Close::read(&said),
            Close::Code(CloseCode(expected)),
            "{payload:?}"
        );
        assert!(!said.ends_with(b"by engine"), "the reason is ours");
        bench
            .client
            .write_all(&close_frame(CloseCode(expected), "", Some(KEY)))
            .await
            .unwrap();
        assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Engine));
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_vanishes_is_told_between_frames_and_breaks_off_within_one() {
    let mut bench = Bench::new(&consumer());
    drop(bench.engine);
    bench.engine = duplex(1).0;
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NETWORK));

    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&message_frame(&[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.client_reads(50).await;
    drop(bench.engine);
    assert_eq!(
        rest(&mut bench.client).await,
        b"",
        "no Close within a frame"
    );
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Engine)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_within_a_frame_breaks_the_engines_leg() {
    let mut bench = Bench::new(&any());
    bench
        .client
        .write_all(&masked(0x81, &[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.engine_reads(50).await;
    drop(bench.client);
    assert_eq!(
        rest(&mut bench.engine).await,
        b"",
        "no Close within a frame"
    );
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Client)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_closes_after_the_frame_that_is_on_its_way() {
    let mut bench = Bench::new(&consumer());
    let frame = message_frame(&[b'x'; 100]);
    bench.engine.write_all(&frame[..50]).await.unwrap();
    bench.client_reads(50).await;
    let until = Some(Instant::now() + Duration::from_secs(7));
    bench.standing.send(Standing::Valid { until }).unwrap();
    sleep(Duration::from_secs(8)).await;
    bench.engine.write_all(&frame[50..]).await.unwrap();
    bench
        .engine
        .write_all(&message_frame(b"late"))
        .await
        .unwrap();
    assert_eq!(bench.client_reads(frame.len() - 50).await, frame[50..]);
    assert_eq!(
        bench.client_close().await,
        Close::Code(CloseCode::SESSION),
        "not what came later"
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_never_ends_is_cut_after_the_grace() {
    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&message_frame(&[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.client_reads(50).await;
    let before = Instant::now();
    bench.standing.send(Standing::Ended).unwrap();
    assert_eq!(rest(&mut bench.client).await, b"");
    assert_eq!(before.elapsed().as_secs(), LIMITS.close_grace.as_secs());
    assert_eq!(bench.task.await.unwrap().cause, Cause::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_can_ask_about_is_no_session_that_ended() {
    let mut bench = Bench::new(&consumer());
    bench.standing.send(Standing::Unknown).unwrap();
    let told = bench.client_close().await;
    assert_eq!(told, Close::Code(CloseCode::DEPENDENCY));
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    drop(bench.client);
    drop(bench.engine);
    let cause = bench.task.await.unwrap().cause;
    assert_eq!(
        (cause, cause.label()),
        (Cause::SessionCheckDown, "session_check_down")
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_with_4003() {
    let mut bench = Bench::new(&consumer());
    bench.live.drain();
    assert_eq!(
        bench.client_close().await,
        Close::Code(CloseCode::TERMINATING)
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    bench
        .client
        .write_all(&close_frame(CloseCode::TERMINATING, "", Some(KEY)))
        .await
        .unwrap();
    bench
        .engine
        .write_all(&close_frame(CloseCode::GOING_AWAY, "", None))
        .await
        .unwrap();
    let before = Instant::now();
    assert_eq!(bench.task.await.unwrap().cause, Cause::Drained);
    assert!(
        before.elapsed() < LIMITS.close_grace,
        "both answered: nothing to wait for"
    );
    bench.live.emptied().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_refused_on_every_route() {
    for access in [any(), consumer()] {
        let mut bench = Bench::new(&access);
        let call = bench.call("GetActiveDoc", &json!([]));
        let big = masked(0x81, &vec![b' '; LIMITS.client_message + 1]);
        bench
            .client
            .write_all(&[call.clone(), big].concat())
            .await
            .unwrap();
        assert_eq!(bench.engine_reads(call.len()).await, call);
        assert_eq!(bench.client_close().await, Close::Code(CloseCode::TOO_BIG));
        assert_eq!(
            bench.engine_close().await,
            Close::Code(CloseCode::GOING_AWAY)
        );
        assert_eq!(bench.task.await.unwrap().cause, Cause::TooBig);
    }
}

#[tokio::test(start_paused = true)]
async fn endless_empty_fragments_are_refused() {
    let mut bench = Bench::new(&consumer());
    bench.client.write_all(&masked(0x01, b"")).await.unwrap();
    let empty = masked(0x00, b"").repeat(2000);
    let (_, ended) = tokio::join!(bench.client.write_all(&empty), bench.task);
    assert_eq!(ended.unwrap().cause, Cause::TooBig);
}

#[tokio::test(start_paused = true)]
async fn broken_frames_end_the_socket_with_1002() {
    let mut bench = Bench::new(&consumer());
    bench
        .client
        .write_all(&message_frame(b"unmasked"))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::PROTOCOL));
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Protocol(Side::Client)
    );

    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&masked(0x81, b"masked"))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NETWORK));
    assert_eq!(bench.engine_close().await, Close::Code(CloseCode::PROTOCOL));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_and_costs_one_scratch() {
    let mut bench = Bench::new(&any());
    let flood = message_frame(&vec![b'x'; 10 << 20]);
    let pushed = timeout(Duration::from_secs(30), bench.engine.write_all(&flood));
    assert!(
        pushed.await.is_err(),
        "the engine is held back, not buffered"
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    drop(bench.engine);
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Stalled(Side::Client)
    );
}
