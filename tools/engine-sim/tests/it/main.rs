//! The tenant as clients meet it, over real connections on loopback.

mod binary;
mod control;
mod live;
mod support;
mod token;
mod upgrade;
