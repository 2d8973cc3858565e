//! The relay between two in-memory legs, under a paused clock; `splice` between sockets, in real time.

mod closing;
mod ends;
mod keep_alive;
mod passing;
mod splice;
mod trouble;
mod turns;
mod windows;

use std::sync::Arc;

use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::config::{Access, Apps, Flavour, Limits, Methods};
use crate::fault::CloseCode;
use crate::id::{AppId, Issuer, Subject};
use crate::live::Live;
use crate::person::Person;
use crate::policy::permit;
use crate::qix::{Document, Target};
use crate::record::{Cause, Ledger, Meters, Opening, Side};
use crate::ws::{
    Close, Cursor, Mask, Opcode, Sender, Step, Stream, Until, close_frame, message_frame,
    ping_frame, pong_frame, unmask_message,
};

const LIMITS: RelayLimits = RelayLimits {
    client_message: 4096,
    idle: Duration::from_mins(30),
    client_ping: Duration::from_secs(20),
    close_grace: Duration::from_secs(5),
    write_stall: Duration::from_mins(1),
};
const KEY: Mask = Mask([1, 2, 3, 4]);

struct Bench {
    client: DuplexStream,
    engine: DuplexStream,
    standing: watch::Sender<Standing>,
    live: Arc<Live>,
    task: JoinHandle<Ended>,
    calls: u64,
}

impl Bench {
    fn new(access: &Access) -> Self {
        Self::with(access, Some(LIMITS.client_ping), b"", b"")
    }

    fn with(
        access: &Access,
        ping: Option<Duration>,
        client_early: &[u8],
        engine_early: &[u8],
    ) -> Self {
        let (terms, leash, standing, live) = ties(access, ping);
        let ((client, client_io), (engine, engine_io)) = (duplex(8 << 10), duplex(8 << 10));
        let client_end = End {
            io: client_io,
            early: Bytes::copy_from_slice(client_early),
        };
        let engine_end = End {
            io: engine_io,
            early: Bytes::copy_from_slice(engine_early),
        };
        let record = record(&leash.seat);
        let relay = Relay::new(client_end, engine_end, terms, leash, record);
        let task = tokio::spawn(relay.run());
        Self {
            client,
            engine,
            standing,
            live,
            task,
            calls: 0,
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Vec<u8> {
        self.calls += 1;
        let call = json!({"id": self.calls, "handle": -1, "method": method, "params": params});
        masked(0x81, call.to_string().as_bytes())
    }

    async fn engine_reads(&mut self, length: usize) -> Vec<u8> {
        read_exactly(&mut self.engine, length).await
    }

    async fn client_reads(&mut self, length: usize) -> Vec<u8> {
        read_exactly(&mut self.client, length).await
    }

    async fn client_frame(&mut self) -> (Opcode, Vec<u8>) {
        frame(&mut self.client, Sender::Server).await
    }

    async fn engine_frame(&mut self) -> (Opcode, Vec<u8>) {
        frame(&mut self.engine, Sender::Client).await
    }

    async fn client_message(&mut self) -> Value {
        serde_json::from_slice(&self.client_frame().await.1).unwrap()
    }

    /// The next Close that the client gets.
    async fn client_close(&mut self) -> Close {
        loop {
            let (opcode, payload) = self.client_frame().await;
            if opcode == Opcode::Close {
                return Close::read(&payload);
            }
        }
    }

    async fn engine_close(&mut self) -> Close {
        loop {
            let (opcode, payload) = self.engine_frame().await;
            if opcode == Opcode::Close {
                return Close::read(&payload);
            }
        }
    }
}

/// What a relay is tied to, and what pulls at it.
fn ties(
    access: &Access,
    ping: Option<Duration>,
) -> (Terms, Leash, watch::Sender<Standing>, Arc<Live>) {
    let person = Person::new(Issuer::new("i"), Subject::new("ada"), None, Map::new());
    let target = Target {
        document: Document::App(AppId::new("app")),
        identity: None,
        ttl: None,
    };
    let limits = Limits {
        sockets: 9,
        sockets_per_subject: 9,
        identities_per_subject: 9,
        opens_per_minute: 9,
        failures_per_minute: 9,
    };
    let live = Live::new(limits);
    let seat = live
        .seat(
            &Arc::new(Ledger::new(Opening::sample(1, "id"))),
            &person,
            crate::live::Grounds::sample(),
        )
        .unwrap();
    let (standing, watch) = watch::channel(Standing::Valid { until: None });
    let terms = Terms {
        permit: permit(access, &person, &target).unwrap(),
        limits: Arc::new(LIMITS),
        engine_ping: ping,
        compression: Compression::None,
        flavour: Flavour::Engine,
    };
    let leash = Leash {
        standing: watch,
        activity: Activity::default(),
        seat,
        stay: Stay::default(),
    };
    (terms, leash, standing, live)
}

fn any() -> Access {
    Access {
        apps: Apps::Any,
        methods: Methods::Any,
        session_apps: false,
    }
}

fn consumer() -> Access {
    let apps = Apps::Listed(vec![AppId::new("app")]);
    Access {
        apps,
        methods: Methods::Consumer,
        session_apps: false,
    }
}

fn record(seat: &Seat) -> Record {
    let meters = Arc::new(Meters::new(&mut Registry::default()));
    Record::open(seat.socket().ledger(), Duration::ZERO, meters)
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let plain = message_frame(payload);
    let head = plain.len() - payload.len();
    let mut frame = plain[..head].to_vec();
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend(KEY.0);
    let mut body = payload.to_vec();
    KEY.apply(&mut body);
    frame.extend(body);
    frame
}

fn end<IO>(io: IO) -> End<IO> {
    let early = Bytes::new();
    End { io, early }
}

async fn read_exactly(io: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    io.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn rest(io: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Reads one frame, byte by byte, so that nothing of the next one is taken.
async fn frame(io: &mut DuplexStream, sender: Sender) -> (Opcode, Vec<u8>) {
    let mut cursor = Cursor::new(Stream {
        sender,
        reserved: 0,
        max_message: u64::MAX,
    });
    let mut raw = Vec::new();
    loop {
        let byte = [io.read_u8().await.unwrap()];
        match cursor.step(&mut byte.as_slice(), Until::FrameEnd).unwrap() {
            Some(Step::Control(control)) => return (control.opcode, control.payload),
            Some(Step::Data(bytes)) => raw.extend_from_slice(bytes),
            Some(Step::Header(bytes)) => raw.extend(bytes),
            None => continue,
        }
        if cursor.at_frame_boundary() {
            let mut payload = Vec::new();
            return (unmask_message(&raw, &mut payload), payload);
        }
    }
}
