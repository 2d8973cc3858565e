//! Connections that ask for nothing, where there are no more seats.

use std::time::Duration;

use engine_sim::engine::SALES_APP;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Authority, Files, Recipe, World, soon};

/// Seats for ten, and much time for a head.
const FEW: &str = "connections = 10\nhead_timeout = \"10min\"\n";

/// Connects this often, and says these bytes and nothing more.
async fn stall(world: &World, said: &[u8], times: usize) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..times {
        let mut tcp = TcpStream::connect(world.proxy.public).await.unwrap();
        tcp.write_all(said).await.unwrap();
        silent.push(tcp);
    }
    silent
}

#[tokio::test]
async fn half_a_head_keeps_nobody_out_and_costs_nobody_their_socket() {
    let world = Recipe::default().listen(FEW).start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let mut silent = stall(&world, b"GET /qlik/app/x HTTP/1.1\r\nhost:", 30).await;
    world
        .visit("grace", SALES_APP)
        .open()
        .await
        .is_alive()
        .await;
    ada.is_alive().await;
    // The first has made room, and not because of its own time.
    let mut byte = [0];
    let read = soon(silent[0].read(&mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn half_a_handshake_keeps_nobody_out() {
    let (authority, files) = (Authority::new(), Files::new());
    let recipe = Recipe::default().listen(FEW);
    let mut world = recipe.listen(&authority.door(&files)).start().await;
    let _silent = stall(&world, &[0x16, 3, 1, 1], 12).await;
    world.trust(&authority);
    world.visit("ada", SALES_APP).open().await.is_alive().await;
}

#[tokio::test]
async fn where_there_is_room_nobody_is_hurried() {
    let world = Recipe::default().listen(FEW).start().await;
    let mut silent = stall(&world, b"GET /nothing HTTP/1.1\r\n", 5).await;
    for _ in 0..20 {
        world.visit("ada", SALES_APP).open().await.close(1000).await;
    }
    // Longer than anybody has who is hurried.
    sleep(Duration::from_millis(1500)).await;
    for tcp in &mut silent {
        tcp.write_all(b"host: app.example.com\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        soon(tcp.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
}
