//! The app's own session store: a real Redis on a free port, which ends with its value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, FromRedisValue, cmd};
use tempfile::TempDir;
use tokio::time::sleep;

use super::soon;

/// A `redis-server` of the machine.
pub(crate) struct Store {
    address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Store {
    /// Starts one; one that is not installed is a failure.
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--dir", &folder.path().to_string_lossy()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server cannot be started: install it (Debian: redis-server)");
        let store = Self {
            address,
            process,
            _folder: folder,
        };
        soon(async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        store
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Does something in it, as the app would.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    /// Waits until a command was used that many times more.
    pub(crate) async fn until_used(&self, command: &str, more: usize) {
        let target = self.used(command).await + more;
        soon(async {
            while self.used(command).await < target {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// How often a command was used.
    pub(crate) async fn used(&self, command: &str) -> usize {
        let statistics: String = self.run(&["INFO", "commandstats"]).await;
        let line = format!("cmdstat_{command}:calls=");
        let calls = statistics.split_once(&line).map(|(_, rest)| rest);
        let calls = calls.and_then(|rest| rest.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
