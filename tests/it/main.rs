//! The whole proxy, in one process with a tenant that plays Qlik, seen from outside.

#![cfg(test)]

mod access;
mod back_pressure;
mod cloud;
mod command_line;
mod crowd;
mod customers;
mod egress;
mod endings;
mod floors;
mod forgeries;
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
mod rehearsal;
mod relaying;
mod reload;
mod replicas;
mod replicas_credentials;
mod replicas_load;
mod replicas_tickets;
mod session_door;
mod session_renewed;
mod session_sources;
mod small_answers;
mod smuggling;
mod storm;
mod support;
mod tickets;
mod tls;
mod touch;
mod trusted_header;
mod trusted_peers;
mod windows;
