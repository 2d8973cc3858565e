//! A stand-in for Qlik, for tests, the demo and the load harness.
//!
//! `tenant` is what a client of Qlik Cloud meets on the wire (token endpoint, websocket, faults by
//! script), `windows` the same for Qlik Sense Enterprise on Windows (virtual proxies, the proxy
//! service's API, the engine's own port), and `core` for a bare engine that checks bearers;
//! `engine` is what answers behind them all, and knows nothing of sockets or tokens.

pub mod certificates;
pub mod core;
pub mod engine;
mod jwt;
pub mod tenant;
pub mod windows;
