//! A real Redis on a free port, with a folder of its own; it ends with its value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, cmd};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{soon, until};

/// A `redis-server` of the machine.
pub(crate) struct RealRedis {
    address: SocketAddr,
    folder: TempDir,
    process: Option<Child>,
}

impl RealRedis {
    /// Starts one. There is no test of a store without a store: one that is not installed is a
    /// failure.
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut redis = Self {
            address,
            folder: tempfile::tempdir().unwrap(),
            process: None,
        };
        redis.resume().await;
        redis
    }

    /// Stops it, as a crash would; what it held is lost.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts it again at the same place.
    pub(crate) async fn resume(&mut self) {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.address.port().to_string()])
            .args(["--dir", &self.folder.path().to_string_lossy()])
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            panic!("redis-server cannot be started: install it (Debian: redis-server)");
        };
        self.process = Some(process);
        let address = self.address;
        until(|| TcpStream::connect(address).is_ok()).await;
    }

    /// Lets it hang, with every connection open, until `thaw`.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let process = self.process.as_ref().unwrap().id();
        let command = format!("kill -{name} {process}");
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.unwrap().success(), "{command}");
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The table that makes a proxy a replica.
    pub(crate) fn table(&self) -> String {
        format!("[replicas]\nurl = \"{}\"\n", self.url())
    }

    /// The same for a user who may do what the documents say and nothing else.
    pub(crate) async fn table_for_user(&self) -> String {
        let may = "+xadd +xrange +time +set +getdel +get +pttl +eval +del +pexpire";
        let may: Vec<&str> = may.split(' ').collect();
        let user = [
            "ACL",
            "SETUSER",
            "proxy",
            "on",
            ">canary-of-redis",
            "~qix-proxy:*",
        ];
        let _: String = self.run(&[&user[..], &may].concat()).await;
        let password = self.folder.path().join("password");
        std::fs::write(&password, "canary-of-redis").unwrap();
        let password = password.display();
        let table = self.table();
        format!("{table}username = \"proxy\"\npassword = {{ file = \"{password}\" }}\n")
    }

    /// Does something in it.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connection().await;
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    /// How often a command was used.
    pub(crate) async fn used(&self, command: &str) -> usize {
        let statistics: String = self.run(&["INFO", "commandstats"]).await;
        let line = format!("cmdstat_{command}:calls=");
        let calls = statistics.split_once(&line).map(|(_, rest)| rest);
        let calls = calls.and_then(|rest| rest.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
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

    async fn connection(&self) -> MultiplexedConnection {
        let client = Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for RealRedis {
    fn drop(&mut self) {
        self.stop();
    }
}
