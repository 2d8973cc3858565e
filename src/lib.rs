//! qix-proxy: the reverse proxy for the Qlik engine websocket.
//!
//! The map, from the doors down; imports run downward only (a test holds it). `main`, `runtime` and
//! `proxy` stand above: they put the house together.
//!
//! ```text
//! 5 doors   server  admin  telemetry                                    what the world knocks on
//! 4 flow    gate  relay  live  revoked  replicas  quota  record  probe  the story of a connection
//! 3 hands   session  credential  engine                                 each owns one outside thing, none knows another
//! 2 wires   flight  line  random  tls                                   what hands reach outside with
//! 1 pure    config  route  ws  qix  policy  budget  forwarded  rfc3339  template  no sockets, no clocks: time is a parameter
//! 0 words   id  fault  peer  person  revocation  injection              the nouns everything else is said in
//! ```

pub mod admin;
pub mod budget;
pub mod config;
pub mod credential;
pub mod engine;
pub mod fault;
pub mod flight;
pub mod forwarded;
pub mod gate;
pub mod id;
pub mod injection;
pub mod line;
pub mod live;
pub mod peer;
pub mod person;
pub mod policy;
pub mod probe;
pub mod proxy;
pub mod qix;
pub mod quota;
pub mod random;
pub mod record;
pub mod relay;
pub mod replicas;
pub mod revocation;
pub mod revoked;
pub mod rfc3339;
pub mod route;
pub mod server;
pub mod session;
pub mod telemetry;
pub mod template;
pub mod tls;
pub mod ws;
