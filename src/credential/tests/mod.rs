//! The room as a whole: the keeper under a paused clock, the endpoint over real sockets.

mod canary;
mod canary_kinds;
mod customers;
mod endpoint;
mod keeper;
mod naming;
mod pacing;
mod pool;
mod provisioned;
mod stays;
mod support;
