//! Qlik Sense Enterprise on Windows and bare engines behind the whole proxy.

mod attributes;
mod bare;
mod canary;
mod egress;
mod estate;
mod failures;
mod kinds;
mod leaving;
mod notices;
mod rehearsal;
mod replicas;
mod sessions;
mod trouble;
