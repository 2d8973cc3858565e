//! Callers and answerers in one loop on one thread, so that driving a proxy costs little more than
//! the system calls it takes.

mod ear;
mod frames;
mod line;
mod wire;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;

use self::ear::Heard;
use self::line::{Answers, Line, Role};
pub(crate) use self::line::{KEY, Size, What, call_frame};
use self::wire::{Flow, Wire};

const SCRATCH: usize = 256 << 10;
/// Tokens from here on are doors.
const DOORS: usize = usize::MAX / 2;

/// All lines, and the loop that serves them.
#[derive(Debug)]
pub(crate) struct Rig {
    poll: Poll,
    events: Events,
    lines: Vec<Option<Box<Line>>>,
    free: Vec<usize>,
    doors: Vec<Door>,
    answers: Arc<Answers>,
    scratch: Vec<u8>,
    heard: Vec<Heard>,
    happened: Vec<(LineId, What)>,
    trouble: Option<String>,
}

/// A caller's line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LineId(usize);

/// A door behind which calls are answered.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

/// The TLS of a caller, and the name it expects.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

impl Rig {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            lines: Vec::new(),
            free: Vec::new(),
            doors: Vec::new(),
            answers: Arc::new(Answers::new()),
            scratch: vec![0; SCRATCH],
            heard: Vec::new(),
            happened: Vec::new(),
            trouble: None,
        })
    }

    /// Opens a door behind which calls are answered.
    pub(crate) fn listen(&mut self, tls: Option<Arc<ServerConfig>>) -> anyhow::Result<SocketAddr> {
        self.listen_at((Ipv4Addr::LOCALHOST, 0).into(), tls)
    }

    /// The same, at an address.
    pub(crate) fn listen_at(
        &mut self,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> anyhow::Result<SocketAddr> {
        let mut listener = TcpListener::bind(address)?;
        let token = Token(DOORS + self.doors.len());
        self.poll
            .registry()
            .register(&mut listener, token, Interest::READABLE)?;
        let address = listener.local_addr()?;
        self.doors.push(Door { listener, tls });
        Ok(address)
    }

    /// Begins to open a websocket with a whole upgrade request.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        trust: Option<&Trust>,
        request: Bytes,
    ) -> anyhow::Result<LineId> {
        let tcp = TcpStream::connect(address)?;
        let tls =
            trust.map(|trust| ClientConnection::new(Arc::clone(&trust.config), trust.name.clone()));
        let mut wire = Wire::new(tcp, tls.transpose()?.map(Into::into));
        wire.put(request)?;
        self.keep(Line::new(wire, Role::Caller(None)))
    }

    /// Calls on an open line. The time counts from `since`.
    pub(crate) fn call(&mut self, line: LineId, call: Bytes, since: Instant) -> anyhow::Result<()> {
        let line = self.lines.get_mut(line.0).and_then(Option::as_mut);
        let line = line.context("the line is closed")?;
        if let Err(error) = line.call(call, since) {
            self.trouble = Some(format!("a call failed: {error}"));
        }
        Ok(())
    }

    /// Closes a caller's line.
    pub(crate) fn close(&mut self, line: LineId) {
        self.forget(line.0);
    }

    /// How many lines it answers on.
    pub(crate) fn answering(&self) -> usize {
        let lines = self.lines.iter().flatten();
        lines
            .filter(|line| matches!(line.role, Role::Answerer(_)))
            .count()
    }

    /// Why the last line was lost.
    pub(crate) fn trouble(&self) -> &str {
        self.trouble.as_deref().unwrap_or("the connection ended")
    }

    /// Does what there is to do, waiting `patience` for it, and says what happened to callers.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        happened: &mut Vec<(LineId, What)>,
    ) -> anyhow::Result<()> {
        happened.clear();
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token() {
                Token(door) if door >= DOORS => self.accept(door - DOORS)?,
                Token(line) => self.serve(line, event),
            }
        }
        self.events = events;
        std::mem::swap(happened, &mut self.happened);
        Ok(())
    }

    fn accept(&mut self, door: usize) -> anyhow::Result<()> {
        loop {
            let Door { listener, tls } = &self.doors[door];
            let tcp = match listener.accept() {
                Ok((tcp, _)) => tcp,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("the answerer cannot accept"),
            };
            let tls = tls
                .as_ref()
                .map(|config| ServerConnection::new(Arc::clone(config)));
            let wire = Wire::new(tcp, tls.transpose()?.map(Into::into));
            self.keep(Line::new(wire, Role::Answerer(Arc::clone(&self.answers))))?;
        }
    }

    fn keep(&mut self, mut line: Line) -> anyhow::Result<LineId> {
        line.wire.tcp.set_nodelay(true)?;
        let place = self.free.pop().unwrap_or_else(|| {
            self.lines.push(None);
            self.lines.len() - 1
        });
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut line.wire.tcp, Token(place), both)?;
        self.lines[place] = Some(Box::new(line));
        Ok(LineId(place))
    }

    fn serve(&mut self, place: usize, event: &Event) {
        let Some(mut line) = self.lines.get_mut(place).and_then(Option::take) else {
            return;
        };
        let served = self.work(&mut line, LineId(place), event);
        let is_caller = matches!(line.role, Role::Caller(_));
        self.lines[place] = Some(line);
        match served {
            Ok(Flow::Open) => return,
            Ok(Flow::Ended) => {}
            Err(error) => self.trouble = Some(error.to_string()),
        }
        if is_caller {
            self.happened.push((LineId(place), What::Lost));
        } else {
            self.forget(place);
        }
    }

    fn work(&mut self, line: &mut Line, id: LineId, event: &Event) -> anyhow::Result<Flow> {
        if event.is_writable() {
            line.wire.flush()?;
        }
        if !event.is_readable() {
            return Ok(Flow::Open);
        }
        let Line { wire, ear, .. } = line;
        let mut heard = std::mem::take(&mut self.heard);
        let mut flow = wire.read(&mut self.scratch, &mut |part| ear.take(part, &mut heard))?;
        for one in &heard {
            match line.react(one)? {
                Some(What::Lost) => flow = Flow::Ended,
                Some(what) => self.happened.push((id, what)),
                None => {}
            }
        }
        heard.clear();
        self.heard = heard;
        Ok(flow)
    }

    fn forget(&mut self, place: usize) {
        if let Some(mut line) = self.lines[place].take() {
            let _ = self.poll.registry().deregister(&mut line.wire.tcp);
            self.free.push(place);
        }
    }
}
