//! A real Redis on a free port, with a folder of its own; it ends with its value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, Pipeline, cmd};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::config::{RedisServer, RedisTls};

/// A `redis-server` of the machine.
pub(crate) struct RealRedis {
    address: SocketAddr,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl RealRedis {
    /// Starts one. There is no test of a store without a store: one that is not installed is a
    /// failure.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_on("--port", arguments).await
    }

    /// The same with TLS on its only port.
    pub(crate) async fn start_tls(arguments: &[&str]) -> Self {
        Self::start_on("--tls-port", &[&["--port", "0"], arguments].concat()).await
    }

    async fn start_on(port: &str, arguments: &[&str]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let own = [port, &address.port().to_string()].map(str::to_owned);
        let given = arguments.iter().map(|it| (*it).to_owned());
        let mut redis = Self {
            address,
            arguments: own.into_iter().chain(given).collect(),
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
            .args(["--dir", &self.folder.path().to_string_lossy()])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            panic!("redis-server cannot be started: install it (Debian: redis-server)");
        };
        self.process = Some(process);
        let address = self.address;
        // A test may hold tokio's clock.
        let listening = tokio::task::spawn_blocking(move || wait_for(address));
        listening.await.unwrap();
    }

    /// Lets it answer nobody, and its connections stay.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    /// Ends that.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Where it is.
    pub(crate) fn server(&self) -> RedisServer {
        RedisServer {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            database: 0,
            username: None,
            password: None,
            tls: RedisTls::Plain,
        }
    }

    /// The same for one who knows a password.
    pub(crate) fn server_for(&self, username: &str, password: &str) -> RedisServer {
        RedisServer {
            username: Some(username.to_owned()).filter(|name| !name.is_empty()),
            password: Some(SecretString::from(password)),
            ..self.server()
        }
    }

    /// Does something in it, as the app would.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connection().await;
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    /// Does several things in it, as the proxy would.
    pub(crate) async fn pipe(&self, all: &Pipeline) {
        let mut connection = self.connection().await;
        let () = all.query_async(&mut connection).await.unwrap();
    }

    /// The same with what is no text.
    pub(crate) async fn run_bytes(&self, words: &[&[u8]]) {
        let mut connection = self.connection().await;
        let mut command = cmd(std::str::from_utf8(words[0]).unwrap());
        command.arg(&words[1..]);
        let () = command.query_async(&mut connection).await.unwrap();
    }

    /// How often a command was used.
    pub(crate) async fn used(&self, command: &str) -> usize {
        let statistics: String = self.run(&["INFO", "commandstats"]).await;
        let line = format!("cmdstat_{command}:calls=");
        let calls = statistics.split_once(&line).map(|(_, rest)| rest);
        let calls = calls.and_then(|rest| rest.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = Client::open(format!("redis://{}", self.address)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

fn wait_for(address: SocketAddr) {
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < end, "redis-server does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for RealRedis {
    fn drop(&mut self) {
        self.stop();
    }
}
