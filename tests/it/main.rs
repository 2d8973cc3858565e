//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

mod endings;
mod leaks;
mod login;
mod opening;
mod origins;
mod refusals;
mod relaying;
mod session_door;
mod smuggling;
mod support;
mod tickets;
