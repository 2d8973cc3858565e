//! Qlik Sense Enterprise on Windows as clients meet it, over TLS on loopback.

mod bare;
mod faults;
mod jwt;
mod others;
mod qps;
mod support;
