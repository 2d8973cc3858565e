//! The pure rooms of the proxy, by themselves.

#[path = "../src/fault.rs"]
pub mod fault;
#[path = "../src/id.rs"]
pub mod id;
#[path = "../src/qix/mod.rs"]
pub mod qix;
#[path = "../src/ws/mod.rs"]
pub mod ws;
