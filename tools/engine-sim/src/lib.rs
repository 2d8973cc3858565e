//! A stand-in for a Qlik Cloud tenant, for tests, the demo and the load harness.
//!
//! `tenant` is what a client meets on the wire (token endpoint, websocket, faults by script);
//! `engine` is what answers behind it, and knows nothing of sockets or tokens.

pub mod engine;
pub mod tenant;
