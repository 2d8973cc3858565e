//! Faults by script: what they are called, and the queues in which they wait for their moment.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use serde::Deserialize;
use tokio::sync::mpsc;

use super::lock::hold;

/// One fault and its moment. In JSON `{"token": …}`, `{"live": {"close": {"code": 4003}}}`, ….
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// At the next token request.
    Token(TokenFault),
    /// At the next upgrade, before the bearer is looked at.
    Upgrade(UpgradeFault),
    /// At once, on every websocket that is open.
    Live(LiveFault),
    /// On the next websocket to open, after its greeting.
    Next(LiveFault),
    /// At the next call on any websocket: shaping its answer, taking its place, or before it.
    Call(LiveFault),
    /// At once: every token minted so far is refused from now on; API keys are not.
    ExpireTokens,
}

/// What goes wrong at the token endpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenFault {
    /// A documented error; `code` is `HTTP-<status>` when not said.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// Qlik's code, such as `OAUTH-14`.
        #[serde(default)]
        code: Option<String>,
        /// The error's detail.
        #[serde(default)]
        detail: Option<String>,
    },
    /// 429 with this `Retry-After`, in seconds.
    RateLimit {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The right answer, later.
    Delay {
        /// How much later.
        ms: u64,
    },
    /// The right answer, once [`StandIn::release`](super::StandIn::release) says so.
    Hold,
    /// No answer as long as the client waits.
    Silence,
    /// The connection closed without an answer.
    Drop,
    /// A web page instead of JSON.
    Html {
        /// The HTTP status; 200 is the nastiest.
        status: u16,
    },
    /// A token after this much JSON that means nothing.
    Huge {
        /// Bytes of padding.
        bytes: usize,
    },
    /// 200 with half a JSON text.
    Garbage,
    /// 307 to there.
    Redirect {
        /// The `Location`.
        location: String,
    },
    /// A token that lives so long, and says so in `expires_in` and `expires_at`.
    ExpiresIn {
        /// Its life.
        seconds: u64,
    },
    /// As `ExpiresIn`, but said in `expires_at` alone.
    ExpiresAtOnly {
        /// Its life.
        seconds: u64,
    },
    /// The right answer without a word about its life.
    NoExpiry,
}

/// What goes wrong at an upgrade.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UpgradeFault {
    /// A plain status; its body holds a canary when not said.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: Option<String>,
    },
    /// The right answer, later.
    Delay {
        /// How much later.
        ms: u64,
    },
    /// The right answer, once [`StandIn::release`](super::StandIn::release) says so.
    Hold,
    /// 200 with a body, and no upgrade.
    NoUpgrade,
    /// 101 with an accept key that is not the right one.
    WrongAccept,
    /// 101 with a subprotocol that nobody offered.
    UnofferedProtocol,
    /// 101 with an extension that nobody offered.
    UnofferedExtension,
    /// 302 to there.
    Redirect {
        /// The `Location`.
        location: String,
    },
    /// The greeting in the very packet of the 101.
    EarlyGreeting,
    /// No greeting, ever.
    NoGreeting,
    /// No answer as long as the client waits.
    Silence,
    /// The connection closed without an answer.
    Drop,
}

/// What happens to a websocket that is open.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LiveFault {
    /// A Close; without a code when none is said.
    Close {
        /// The code.
        #[serde(default)]
        code: Option<u16>,
        /// The reason.
        #[serde(default)]
        reason: String,
    },
    /// The connection closed without a Close, between two frames.
    Drop,
    /// The connection closed in the middle of a text frame.
    DieMidFrame,
    /// A huge text; the call's answer at `call`, a notification otherwise.
    Huge {
        /// Bytes of the message.
        bytes: usize,
        /// Bytes of a fragment at the most; one single frame when not said.
        #[serde(default)]
        fragment: Option<usize>,
    },
    /// A ping.
    Ping,
    /// The call's answer (or a notification) in small fragments, with a ping between any two.
    Fragmented,
    /// This text message.
    Say {
        /// The message.
        text: String,
    },
    /// A fatal notice, such as `OnLicenseAccessDenied`, and then a Close.
    Notice {
        /// Its name.
        method: String,
        /// Its text.
        #[serde(default)]
        message: String,
    },
    /// A binary message.
    Binary,
    /// Nothing is read any more.
    StopReading,
    /// Reading goes on.
    StartReading,
    /// No answer to the call.
    Mute,
}

/// The queues of one tenant, and the sockets that can be told at once.
#[derive(Default)]
pub(crate) struct Stage {
    queues: Mutex<Queues>,
    live: Mutex<HashMap<u64, mpsc::UnboundedSender<LiveFault>>>,
}

#[derive(Default)]
struct Queues {
    sockets: u64,
    tokens: VecDeque<TokenFault>,
    upgrades: VecDeque<UpgradeFault>,
    nexts: VecDeque<LiveFault>,
    calls: VecDeque<LiveFault>,
}

impl Stage {
    pub(crate) fn take(&self, script: Script) {
        let mut queues = hold(&self.queues);
        match script {
            Script::Token(fault) => queues.tokens.push_back(fault),
            Script::Upgrade(fault) => queues.upgrades.push_back(fault),
            Script::Next(fault) => queues.nexts.push_back(fault),
            Script::Call(fault) => queues.calls.push_back(fault),
            Script::Live(fault) => self.tell(&fault),
            Script::ExpireTokens => {}
        }
    }

    pub(crate) fn token(&self) -> Option<TokenFault> {
        hold(&self.queues).tokens.pop_front()
    }

    pub(crate) fn upgrade(&self) -> Option<UpgradeFault> {
        hold(&self.queues).upgrades.pop_front()
    }

    pub(crate) fn next(&self) -> Option<LiveFault> {
        hold(&self.queues).nexts.pop_front()
    }

    pub(crate) fn call(&self) -> Option<LiveFault> {
        hold(&self.queues).calls.pop_front()
    }

    /// A socket that is open now and can be told faults until it is `left`.
    pub(crate) fn join(&self) -> (u64, mpsc::UnboundedReceiver<LiveFault>) {
        let (teller, told) = mpsc::unbounded_channel();
        let mut queues = hold(&self.queues);
        queues.sockets += 1;
        hold(&self.live).insert(queues.sockets, teller);
        (queues.sockets, told)
    }

    pub(crate) fn leave(&self, socket: u64) {
        hold(&self.live).remove(&socket);
    }

    pub(crate) fn clear(&self) {
        let mut queues = hold(&self.queues);
        *queues = Queues {
            sockets: queues.sockets,
            ..Queues::default()
        };
    }

    fn tell(&self, fault: &LiveFault) {
        for socket in hold(&self.live).values() {
            // A socket that is just ending no longer listens, and needs no fault.
            let _ = socket.send(fault.clone());
        }
    }
}
