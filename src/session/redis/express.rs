//! `express-session` with `connect-redis`: the cookie is `s:<id>.<base64 of HMAC-SHA-256>`, URL
//! encoded; the value is JSON.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::percent_decode;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::super::error::SessionError;
use super::super::json;
use crate::config::Express;
use crate::id::SessionId;

/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 1024;

/// The longest id; its generator makes 32 characters unless the app brings its own.
const LONGEST_ID: usize = 256;

/// How cookies are verified.
#[derive(Debug)]
pub(super) struct Signatures(Vec<hmac::Key>);

impl Signatures {
    /// Takes the secrets, of which any may have signed.
    pub(super) fn new(config: &Express) -> Self {
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let secrets = config.secrets.iter();
        Self(secrets.map(|secret| key(secret.expose_secret())).collect())
    }

    /// The id that a cookie names, if the app has signed it.
    pub(super) fn session(&self, cookie: &[u8]) -> Result<SessionId, SessionError> {
        if cookie.len() > LONGEST {
            return Err(SessionError::Cookie("it is too large"));
        }
        let cookie = percent_decode(cookie).collect::<Vec<u8>>();
        let malformed = SessionError::Cookie("it is no signed session id");
        let (id, tag) = split(&cookie).ok_or(malformed)?;
        let good = |key: &hmac::Key| hmac::verify(key, id.as_bytes(), &tag).is_ok();
        if self.0.iter().filter(|key| good(key)).count() == 0 {
            return Err(SessionError::Cookie("its signature does not verify"));
        }
        Ok(SessionId::new(id))
    }
}

/// The id and its signature.
fn split(cookie: &[u8]) -> Option<(&str, Vec<u8>)> {
    let signed = std::str::from_utf8(cookie).ok()?.strip_prefix("s:")?;
    let (id, tag) = signed.rsplit_once('.')?;
    let sane = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic());
    let tag = STANDARD_NO_PAD.decode(tag).ok()?;
    sane.then_some((id, tag))
}

/// A session's content.
pub(super) fn content(value: &[u8]) -> Option<Map<String, Value>> {
    json::object(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::ClaimPath;

    fn signatures(secrets: &[&str]) -> Signatures {
        let secrets = secrets.iter().map(|it| it.as_bytes().to_vec().into());
        Signatures::new(&Express {
            secrets: secrets.collect(),
            subject: ClaimPath::new("user"),
            claims: std::collections::BTreeMap::new(),
        })
    }

    /// Made by `cookie-signature` of npm itself.
    const REAL: &str = "s%3Akq2Fz.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM";

    #[test]
    fn a_cookie_of_the_app_names_its_session() {
        for secrets in [
            &["keyboard cat"][..],
            &["new", "keyboard cat"],
            &["keyboard cat", "old"],
        ] {
            let id = signatures(secrets).session(REAL.as_bytes()).unwrap();
            assert_eq!(id.expose(), "kq2Fz");
        }
        let plain = REAL.replace("%3A", ":");
        let id = signatures(&["keyboard cat"]).session(plain.as_bytes());
        assert_eq!(id.unwrap().expose(), "kq2Fz");
    }

    #[test]
    fn what_the_app_did_not_sign_is_refused() {
        let flipped = REAL.replace("OvW", "OvX");
        let loose = REAL.replace("LeM", "LeN");
        let renamed = REAL.replace("kq2Fz", "kq2Fy");
        let table = [
            flipped.as_str(),
            &loose,
            &renamed,
            "",
            "s:",
            "s%3A",
            "kq2Fz",
            "s:kq2Fz",
            "s:kq2Fz.",
            "s:.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM",
            "j:kq2Fz.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM",
            "s%3Akq2Fz.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM%3D",
            "s%3Akq2Fz.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8",
            "s%3Akq2Fz%00.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM",
            "s%253Akq2Fz.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM",
            "s:%ff%fe.OvWVclkDeVmlGDfSHoLJD8EJIRFrbaelYbWvmJU8LeM",
            &"s:".repeat(513),
        ];
        for cookie in table {
            let outcome = signatures(&["keyboard cat"]).session(cookie.as_bytes());
            assert!(matches!(outcome, Err(SessionError::Cookie(_))), "{cookie}");
        }
        assert!(
            signatures(&["other", "another"])
                .session(REAL.as_bytes())
                .is_err()
        );
    }

    #[test]
    fn only_an_id_of_visible_ascii_is_looked_up_even_when_it_is_signed() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"keyboard cat");
        let signed = |id: &str| {
            let tag = STANDARD_NO_PAD.encode(hmac::sign(&key, id.as_bytes()));
            let cookie = format!("s:{id}.{tag}");
            signatures(&["keyboard cat"]).session(cookie.as_bytes())
        };
        assert!(signed("a.b:c").is_ok());
        for id in ["", "a b", "a\r\nDEL b", "é", &"x".repeat(257)] {
            assert!(signed(id).is_err(), "{id:?}");
        }
    }
}
