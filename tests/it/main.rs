//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

mod opening;
mod origins;
mod refusals;
mod support;
