//! Qlik Sense Enterprise on Windows and bare engines behind the whole proxy.

mod bare;
mod estate;
mod kinds;
mod notices;
mod rehearsal;
mod sessions;
mod trouble;
