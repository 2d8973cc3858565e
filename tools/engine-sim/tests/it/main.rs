//! The tenant as clients meet it, over real connections on loopback.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

mod binary;
mod cloud;
mod control;
mod live;
mod support;
mod token;
mod upgrade;
mod windows;
