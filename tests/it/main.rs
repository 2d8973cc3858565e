//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

#![cfg(test)]

mod access;
mod cloud;
mod command_line;
mod crowd;
mod egress;
mod endings;
mod floors;
mod http2;
mod leaks;
mod login;
mod logout;
mod logout_race;
mod opening;
mod operators;
mod operators_sockets;
mod origins;
mod people;
mod quotas;
mod refusals;
mod relaying;
mod replicas;
mod replicas_load;
mod replicas_tickets;
mod session_door;
mod small_answers;
mod smuggling;
mod support;
mod tickets;
mod tls;
mod trusted_header;
mod windows;
