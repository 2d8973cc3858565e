//! Variables and files that need no machine.

use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rcgen::{
    CertifiedKey, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};

use crate::config::{Config, Mistakes, Sources, Warning};

/// Every variable is set to 64 characters, but `REDIS_URL` and those with `UNSET` or `SHORT` in their name; every
/// file has what its name promises.
pub(super) struct StandIn;

/// What every secret holds; no mistake may ever show it.
pub(super) const SECRET: &str = "0e9a3ed9c5a5bb70b9b0cb8b2f9e1c0f5de4e9a3ed9c5a5bb70b9b0cb8b2f9e1";

/// A small good config.
pub(super) const BASE: &str = r#"identity_key = { env = "IDENTITY" }
[listen]
address = "127.0.0.1:8080"
[[route]]
path = "/qlik"
origins = ["https://a.example"]
[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
[route.access]
apps = "any"
[route.credential]
kind = "none"
# it asks for nothing
[route.engine]
url = "https://t.example"
"#;

/// A small good customer.
pub(super) const CUSTOMER: &str = "name = \"acme\"\n[credential]\nkind = \"none\"\n[engine]\n\
                                   url = \"https://acme.example\"\n";

static PAIR: LazyLock<CertifiedKey<KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());

static ED25519: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_ED25519).unwrap());
static P384: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
static RSA: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap());

impl Sources for StandIn {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        match name {
            "REDIS_URL" => Ok("rediss://u:can%61ry@redis.example.com/3".to_owned()),
            _ if name.contains("UNSET") => Err(VarError::NotPresent),
            _ if name.contains("SHORT") => Ok("canary-31-bytes-canary-31-bytes".to_owned()),
            _ if name.contains("EMPTY") => Ok("\n".to_owned()),
            _ if name.contains("SPACED") => Ok("canary with spaces".to_owned()),
            _ => Ok(format!("{SECRET}\n")),
        }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = match &*name {
            "missing" | "missing.pem" => return Err(io::ErrorKind::NotFound.into()),
            "empty" => String::new(),
            "server-key.pem" | "tls.key" | "client_key.pem" => PAIR.signing_key.serialize_pem(),
            "ed25519-key.pem" => ED25519.serialize_pem(),
            "qlik-client-key.pem" => P384.serialize_pem(),
            "qlik-jwt-key.pem" => RSA.serialize_pem(),
            "portal-key.pem" | "idp.pem" => PAIR.signing_key.public_key_pem(),
            _ if name.ends_with(".pem") || name.ends_with(".crt") => PAIR.cert.pem(),
            "zebra.toml" => CUSTOMER.replace("acme", "zebra"),
            "acme.toml" => CUSTOMER.to_owned(),
            "broken.toml" => CUSTOMER.replace("url", "uri").replace("none", "nothing"),
            _ => format!("{SECRET}\r\n"),
        };
        Ok(text.into_bytes())
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        match folder.file_name().unwrap_or_default().to_str() {
            Some("missing") => Err(io::ErrorKind::NotFound.into()),
            Some("empty") => Ok(Vec::new()),
            _ => {
                let names = ["zebra.toml", "acme.toml", ".acme.toml", "notes.txt"];
                Ok(names.map(|name| folder.join(name)).into())
            }
        }
    }
}

/// Reads a text as `config.toml`.
pub(super) fn parse(text: &str) -> Result<(Config, Vec<Warning>), Mistakes> {
    Config::parse(text, Path::new("config.toml"), &StandIn)
}
