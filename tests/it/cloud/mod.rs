//! The kinds of credentials of Qlik Cloud, each through the whole proxy to a tenant that enforces its
//! rules.

mod anonymous;
mod assertion;
mod exchange;
mod failures;
mod herd;
mod hostile;
mod login;
mod provision;
mod rotation;

use rcgen::{KeyPair, SignatureAlgorithm};

use crate::support::Files;

/// A key pair in files: the private half for the proxy, the public one for the tenant.
struct Keys {
    _files: Files,
    private: String,
    public: String,
}

impl Keys {
    fn new(algorithm: &'static SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let files = Files::new();
        let private = files.write("key.pem", &pair.serialize_pem());
        Self {
            _files: files,
            private,
            public: pair.public_key_pem(),
        }
    }

    /// What of the private key no log may have.
    fn secret(&self) -> String {
        let pem = std::fs::read_to_string(&self.private).unwrap();
        pem.lines().nth(1).unwrap().to_owned()
    }
}
