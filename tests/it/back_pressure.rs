//! Slow readers before huge answers: what waits, waits in the engine, and costs the proxy a bounded
//! buffer. The proxy is a process of its own here, so that its memory can be seen.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::command_line::Process;
use crate::support::frames::{TEXT, masked};
use crate::support::{Bytes, Files, Mill, Recipe, Way, World, soon};

const SLOW: usize = 32;
/// How many of them are let read to the end.
const WHOLE: usize = 4;
const HUGE: usize = 64 << 20;
/// What a slow reader may cost, in bytes: one scratch, and what an allocator makes of it; less than
/// a hundredth of what waits for it.
const EACH: u64 = 512 << 10;
const PING: u8 = 0x89;

/// The resident memory of a process, in bytes.
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kilobytes << 10
}

/// 10 KB a second.
async fn sip(mut io: Bytes) -> Bytes {
    let mut sip = [0; 1000];
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        io.read_exact(&mut sip).await.unwrap();
    }
    io
}

fn huge() -> Vec<u8> {
    let mut frame = vec![TEXT, 127];
    frame.extend((HUGE as u64).to_be_bytes());
    frame.extend((0..HUGE).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[2]));
    frame
}

/// What slow readers cost who come this way, to a route with this access.
async fn beside(way: &Way, access: &str, answer: &'static [u8]) {
    let (mut mill, world, files) = (Mill::start().await, World::start().await, Files::new());
    let recipe = Recipe::default().access(access).listen(&way.listen(&files));
    let recipe = recipe.limits("client_ping = \"1h\"").engine(&mill.engine());
    let recipe = recipe.credential("kind = \"none\"");
    let log = "[log]\nformat = \"json\"\n";
    let path = files.write("proxy.toml", &recipe.process(log).toml(""));
    let mut process = Process::run(&world, &path);
    let at = process.door("public");

    let mut both_ends = async || {
        let client = way.open_at(&world, at, ["ada", "app"]).await;
        let (_, engine) = soon(mill.next()).await;
        (client, engine)
    };
    let (mut quick, mut quick_engine) = both_ends().await;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(both_ends().await);
    }
    let before = resident(process.id());

    let (mut sips, mut floods) = (JoinSet::new(), JoinSet::new());
    for (client, mut engine) in slow {
        sips.spawn(sip(client));
        floods.spawn(async move {
            // Whoever is not read to the end is cut.
            let _ = engine.write_all(answer).await;
        });
    }
    let (mut most, mut slowest, mut whole) = (0, Duration::ZERO, 0);
    while whole < WHOLE {
        let asked = Instant::now();
        echo(&mut quick, &mut quick_engine).await;
        slowest = slowest.max(asked.elapsed());
        most = most.max(resident(process.id()));
        if let Some(done) = sips.try_join_next() {
            finish(done.unwrap(), answer).await;
            whole += 1;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let growth = most.saturating_sub(before);
    println!(
        "{SLOW} slow readers cost {growth} bytes; a call beside them took {slowest:?} at most"
    );
    assert!(
        growth < EACH * SLOW as u64,
        "{growth} bytes for {SLOW} slow readers"
    );
    sips.abort_all();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_beside_a_huge_answer_costs_a_bounded_buffer() {
    let [plain, tls, _] = &Way::all();
    let answer = Vec::leak(huge());
    let [unread, read] = ["apps = \"any\"\nmethods = \"any\"", "apps = \"any\""];
    beside(plain, unread, answer).await;
    beside(plain, read, answer).await;
    beside(tls, unread, answer).await;
}

/// A ping to the engine and back.
async fn echo(client: &mut Bytes, engine: &mut TcpStream) {
    client.write_all(&masked(PING, b"quick")).await.unwrap();
    client.flush().await.unwrap();
    soon(engine.read_exact(&mut [0; 11])).await.unwrap();
    engine.write_all(b"\x89\x05quick").await.unwrap();
    let mut back = [0; 7];
    soon(client.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"\x89\x05quick");
}

/// Reads the rest of the answer at once: it is whole.
async fn finish(mut io: Bytes, answer: &[u8]) {
    let mut rest = vec![0; answer.len() - 20_000];
    soon(io.read_exact(&mut rest)).await.unwrap();
    assert!(rest == answer[20_000..], "not the answer that was sent");
}
