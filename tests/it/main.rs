//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

mod crowd;
mod endings;
mod leaks;
mod logout;
mod logout_race;
mod opening;
mod origins;
mod refusals;
mod relaying;
mod smuggling;
mod support;
