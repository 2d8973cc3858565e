//! The contenders: configs filled in, processes started on the core they are given, and stopped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::keys::Keys;
use super::meter::Meter;

/// How long a proxy may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which legs of a socket are TLS.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Legs {
    /// None.
    Plain,
    /// The client's.
    Tls,
    /// Both.
    Both,
}

impl Legs {
    /// How a row begins that is about these legs.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls-client",
            Self::Both => "tls-both",
        }
    }
}

/// A proxy, by what it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Make {
    Envoy,
    Haproxy,
    Nginx,
    Ours,
}

/// How a proxy is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) make: Make,
    /// The size of its buffers where its config names one.
    pub(super) buffer: u32,
    /// Worker threads or processes.
    pub(super) workers: u32,
}

/// Where programs and templates are, and what every config needs.
pub(super) struct Site {
    pub(super) templates: PathBuf,
    pub(super) run: PathBuf,
    pub(super) ours: PathBuf,
    pub(super) envoy: PathBuf,
    pub(super) keys: Keys,
    pub(super) engine: SocketAddr,
    pub(super) engine_tls: SocketAddr,
    /// The core that a proxy with one worker is held to.
    pub(super) core: Option<usize>,
}

/// A running proxy.
pub(super) struct Proxy {
    processes: Vec<Child>,
    doors: [u16; 3],
    /// What it has used.
    pub(super) meter: Meter,
}

impl Proxy {
    /// Where its door for these legs is.
    pub(super) fn door(&self, legs: Legs) -> SocketAddr {
        let [plain, tls, both] = self.doors;
        let port = match legs {
            Legs::Plain => plain,
            Legs::Tls => tls,
            Legs::Both => both,
        };
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn check_alive(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            if let Some(status) = process.try_wait()? {
                bail!("a proxy ended at once, {status}: see its log");
            }
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = Command::new("kill").arg(process.id().to_string()).status();
        }
        let deadline = Instant::now() + PATIENCE;
        for process in &mut self.processes {
            while matches!(process.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Site {
    /// Starts a proxy and waits until its doors are open.
    pub(super) fn start(&self, order: Order) -> anyhow::Result<Proxy> {
        let doors = [free_port()?, free_port()?, free_port()?];
        match order.make {
            Make::Ours => self.start_ours(order, doors),
            _ => self.start_peer(order, doors),
        }
    }

    /// Ours listens at one door: with TLS and without it are two processes.
    fn start_ours(&self, order: Order, doors: [u16; 3]) -> anyhow::Result<Proxy> {
        let [plain, tls, _] = doors;
        let template = self.template("qix-proxy.toml")?;
        let listen_tls = format!(
            "[listen.tls]\ncertificate = \"{}\"\nkey = \"{}\"",
            self.keys.certificate.display(),
            self.keys.key.display()
        );
        let mut processes = Vec::new();
        for (port, listen_tls) in [(plain, ""), (tls, listen_tls.as_str())] {
            let config = self
                .fill(&template, order, [port, free_port()?, 0])
                .replace("@LISTEN_TLS@", listen_tls);
            let path = self.write("qix-proxy", port, &config)?;
            let mut command = self.command(&self.ours, order);
            command.arg("run").arg("--config").arg(&path);
            processes.push(Self::spawn(command, &path)?);
        }
        let count = processes.len();
        Self::ready(processes, [plain, tls, tls], count)
    }

    fn start_peer(&self, order: Order, doors: [u16; 3]) -> anyhow::Result<Proxy> {
        let (name, template) = match order.make {
            Make::Nginx => ("nginx", "nginx.conf"),
            Make::Haproxy => ("haproxy", "haproxy.cfg"),
            Make::Envoy | Make::Ours => ("envoy", "envoy.json"),
        };
        let config = self.fill(&self.template(template)?, order, doors);
        let path = self.write(name, doors[0], &config)?;
        let mut command = match order.make {
            Make::Envoy | Make::Ours => self.command(&self.envoy, order),
            _ => self.command(&found(name)?, order),
        };
        match order.make {
            Make::Nginx => command.arg("-p").arg(&self.run).arg("-c").arg(&path),
            Make::Haproxy => command.arg("-db").arg("-f").arg(&path),
            Make::Envoy | Make::Ours => command
                .args([
                    "--disable-hot-restart",
                    "--log-level",
                    "error",
                    "--concurrency",
                ])
                .arg(order.workers.to_string())
                .arg("-c")
                .arg(&path),
        };
        let count = match order.make {
            // Its doors are open before its workers are born.
            Make::Nginx => 1 + order.workers as usize,
            _ => 1,
        };
        Self::ready(vec![Self::spawn(command, &path)?], doors, count)
    }

    fn template(&self, name: &str) -> anyhow::Result<String> {
        let path = self.templates.join(name);
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn fill(&self, template: &str, order: Order, ports: [u16; 3]) -> String {
        let file = |path: &Path| path.display().to_string();
        let [plain, tls, both] = ports.map(|port| port.to_string());
        [
            ("@RUN@", file(&self.run)),
            ("@WORKERS@", order.workers.to_string()),
            ("@BUFFER@", order.buffer.to_string()),
            ("@PLAIN@", plain),
            ("@TLS@", tls),
            ("@BOTH@", both),
            ("@ENGINE@", self.engine.port().to_string()),
            ("@ENGINE_TLS@", self.engine_tls.port().to_string()),
            ("@SERVICE@", self.keys.service.to_string()),
            ("@CA@", file(&self.keys.ca)),
            ("@CERTIFICATE@", file(&self.keys.certificate)),
            ("@KEY@", file(&self.keys.key)),
        ]
        .iter()
        .fold(template.to_owned(), |text, (key, value)| {
            text.replace(key, value)
        })
    }

    fn write(&self, name: &str, port: u16, config: &str) -> anyhow::Result<PathBuf> {
        // Envoy goes by the name.
        let ending = if name == "envoy" { "json" } else { "conf" };
        let path = self.run.join(format!("{name}-{port}.{ending}"));
        fs::write(&path, config)?;
        Ok(path)
    }

    fn command(&self, program: &Path, order: Order) -> Command {
        let cores = match self.core {
            Some(core) if order.workers == 1 => core.to_string(),
            _ => "0-1023".to_owned(),
        };
        let mut command = Command::new("taskset");
        command.args(["-c", &cores]).arg(program);
        command
    }

    fn spawn(mut command: Command, config: &Path) -> anyhow::Result<Child> {
        let log = File::create(config.with_extension("log"))?;
        command
            .env("QIX_IDENTITY_KEY", "0123456789abcdef0123456789abcdef")
            .env("QLIK_CLIENT_SECRET", "nobody-needs-to-know-this-one")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))
    }

    /// Waits until the doors are open and all of `count` processes are there.
    fn ready(processes: Vec<Child>, doors: [u16; 3], count: usize) -> anyhow::Result<Proxy> {
        let mut proxy = Proxy {
            processes,
            doors,
            meter: Meter::none(),
        };
        let deadline = Instant::now() + PATIENCE;
        for port in doors {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                proxy.check_alive()?;
                ensure!(Instant::now() < deadline, "a proxy does not open its door");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let roots: Vec<u32> = proxy.processes.iter().map(Child::id).collect();
        while proxy.meter.processes() != count {
            proxy.check_alive()?;
            ensure!(
                Instant::now() < deadline,
                "a proxy has {} processes instead of {count}",
                proxy.meter.processes()
            );
            std::thread::sleep(Duration::from_millis(20));
            proxy.meter = Meter::of(&roots);
        }
        Ok(proxy)
    }
}

/// A program in the path, or where Debian keeps servers.
pub(super) fn found(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin"]);
    let mut places = folders.map(|folder| Path::new(folder).join(name));
    places
        .find(|place| place.is_file())
        .with_context(|| format!("{name} is not installed"))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
