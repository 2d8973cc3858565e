//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

mod endings;
mod leaks;
mod opening;
mod origins;
mod quotas;
mod refusals;
mod relaying;
mod smuggling;
mod support;
