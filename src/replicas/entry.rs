//! A logout, or what an operator closes, as it travels: JSON, and a seal that only a replica can make.

use std::time::Duration;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};

use super::News;
use crate::id::{Issuer, SessionId, Subject};
use crate::live::Pick;
use crate::revocation::{Begun, Revocation, Whom};

/// The field with the JSON.
pub(super) const TEXT: &str = "logout";
/// The field with the seal, in hexadecimal digits.
pub(super) const SEAL: &str = "seal";

/// Keeps this use of the shared key apart from every other.
const PURPOSE: &[u8] = b"qix-proxy: logouts among replicas";

/// What travels: the JSON and its seal.
pub(super) type Entry = (String, String);

/// What an entry says.
#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Logout(ToldLogout),
    Closing(ToldClosing),
}

#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldClosing {
    /// Names and values that the sockets have.
    closed: Vec<(String, String)>,
    /// When they were open, in milliseconds since 1970.
    open: u64,
}

#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldLogout {
    issuer: String,
    whom: ToldWhom,
    /// Seconds since 1970.
    expires: u64,
}

#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum ToldWhom {
    Session {
        id: String,
        theirs: Option<ToldBegun>,
    },
    Subject(ToldBegun),
}

#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct ToldBegun {
    subject: String,
    until: u64,
}

impl Told {
    /// Says which sockets an operator has closed that were open at a moment, since 1970.
    pub(super) fn closing(pick: &Pick, moment: Duration) -> Self {
        let closed = pick.pairs();
        let closed = closed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::Closing(ToldClosing {
            closed: closed.collect(),
            open: moment.as_millis().try_into().unwrap_or(u64::MAX),
        })
    }

    /// Says a logout that counts until a moment, since 1970.
    pub(super) fn logout(revocation: &Revocation, expires: Duration) -> Self {
        let whom = match &revocation.whom {
            Whom::Session(session, theirs) => ToldWhom::Session {
                id: session.expose().to_owned(),
                theirs: theirs.as_ref().map(ToldBegun::new),
            },
            Whom::Subject(theirs) => ToldWhom::Subject(ToldBegun::new(theirs)),
        };
        Self::Logout(ToldLogout {
            issuer: revocation.issuer.as_str().to_owned(),
            whom,
            expires: expires.as_secs(),
        })
    }

    /// What there is to be done about it; `None` when that is nothing any more.
    pub(super) fn news(self, now: Duration) -> Option<News> {
        match self {
            Self::Logout(logout) => logout.news(now),
            Self::Closing(ToldClosing { closed, open }) => {
                let pick = Pick::new(closed).filter(Pick::is_common)?;
                Some(News::Closed(pick, Duration::from_millis(open)))
            }
        }
    }
}

impl ToldLogout {
    /// The logout, and for how long it still counts; `None` when it is past.
    fn news(self, now: Duration) -> Option<News> {
        let remember = Duration::from_secs(self.expires).saturating_sub(now);
        let whom = match self.whom {
            ToldWhom::Session { id, theirs } => {
                Whom::Session(SessionId::new(id), theirs.map(ToldBegun::begun))
            }
            ToldWhom::Subject(theirs) => Whom::Subject(theirs.begun()),
        };
        let issuer = Issuer::new(self.issuer);
        let logout = || News::LoggedOut(Revocation { issuer, whom }, remember);
        (!remember.is_zero()).then(logout)
    }
}

impl ToldBegun {
    fn new(begun: &Begun) -> Self {
        Self {
            subject: begun.subject.as_str().to_owned(),
            until: begun.until,
        }
    }

    fn begun(self) -> Begun {
        Begun {
            subject: Subject::new(self.subject),
            until: self.until,
        }
    }
}

/// Seals entries, under a key of its own that the shared key yields.
#[derive(Debug)]
pub(super) struct Seal(hmac::Key);

impl Seal {
    pub(super) fn new(shared: &SecretSlice<u8>) -> Self {
        let shared = hmac::Key::new(hmac::HMAC_SHA256, shared.expose_secret());
        let own = hmac::sign(&shared, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// Seals what is told.
    pub(super) fn close(&self, told: &Told) -> Entry {
        // Texts and numbers are always JSON.
        let text = serde_json::to_string(told).unwrap_or_default();
        let tag = hmac::sign(&self.0, text.as_bytes());
        let seal = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
        let seal = seal.collect();
        (text, seal)
    }

    /// Reads the fields of an entry; `None` when no replica has sealed them.
    pub(super) fn open(&self, fields: &[Vec<u8>]) -> Option<Told> {
        let [text_name, text, seal_name, seal] = fields else {
            return None;
        };
        if text_name != TEXT.as_bytes() || seal_name != SEAL.as_bytes() {
            return None;
        }
        hmac::verify(&self.0, text, &unhex(seal)?).ok()?;
        serde_json::from_slice(text).ok()
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn seal(key: u8) -> Seal {
        Seal::new(&vec![key; 32].into())
    }

    fn logouts() -> [Revocation; 3] {
        let by = |whom| Revocation {
            issuer: Issuer::new("idp"),
            whom,
        };
        let session = || SessionId::new("s\"1");
        let theirs = || Begun {
            subject: Subject::new("ada"),
            until: 7,
        };
        [
            by(Whom::Session(session(), None)),
            by(Whom::Session(session(), Some(theirs()))),
            by(Whom::Subject(theirs())),
        ]
    }

    fn fields((text, seal): &Entry) -> Vec<Vec<u8>> {
        [TEXT, text, SEAL, seal]
            .map(|it| it.as_bytes().to_vec())
            .into()
    }

    #[test]
    fn what_is_told_is_heard_until_it_is_past() {
        for logout in logouts() {
            let entry = seal(1).close(&Told::logout(&logout, HOUR));
            let told = || seal(1).open(&fields(&entry)).unwrap();
            let heard = told().news(HOUR / 4);
            assert_eq!(heard, Some(News::LoggedOut(logout, HOUR * 3 / 4)));
            assert_eq!(told().news(HOUR), None);
        }
    }

    #[test]
    fn what_an_operator_closes_is_told_by_what_every_replica_knows() {
        let pick = |name: &str| {
            let value = if name == "id" {
                "7"
            } else {
                "e8bc163c82eee187"
            };
            let pairs = [(name, value), ("subject", "ada \"L\"")];
            Pick::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
        };
        for name in ["app", "customer", "issuer", "session"] {
            let pick = pick(name).unwrap();
            let entry = seal(1).close(&Told::closing(&pick, HOUR));
            let told = seal(1).open(&fields(&entry)).unwrap();
            assert_eq!(told.news(2 * HOUR), Some(News::Closed(pick, HOUR)));
        }
        let number = Told::closing(&pick("id").unwrap(), HOUR);
        assert_eq!(number.news(HOUR), None, "each counts for itself");
        assert_eq!(pick("route"), None);
    }

    #[test]
    fn what_no_replica_sealed_is_not_heard() {
        let (text, tag) = seal(1).close(&Told::logout(&logouts()[0], HOUR));
        let good = fields(&(text.clone(), tag.clone()));
        assert!(seal(1).open(&good).is_some());
        assert!(seal(2).open(&good).is_none(), "another key");
        let bent = [
            (text.replace("idp", "abc"), tag.clone()),
            (text.clone(), tag.replace(|c| c != 'z', "0")),
            (text.clone(), tag[..62].to_owned()),
            (text.clone(), format!("{tag}0")),
            (text.clone(), "é".repeat(32)),
            (text.clone(), String::new()),
        ];
        for entry in bent {
            assert!(seal(1).open(&fields(&entry)).is_none(), "{entry:?}");
        }
        let mut turned = good.clone();
        turned.rotate_left(2);
        let more = [good.clone(), good.clone()].concat();
        for other in [&[][..], &good[..3], &more, &turned] {
            assert!(seal(1).open(other).is_none());
        }
    }

    #[test]
    fn what_is_sealed_but_not_understood_is_not_heard() {
        let sealed = |text: &str| {
            let tag = hmac::sign(&seal(1).0, text.as_bytes());
            let tag = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
            fields(&(text.to_owned(), tag.collect()))
        };
        let good = r#"{"issuer":"i","whom":{"session":{"id":"s","theirs":null}},"expires":7}"#;
        assert!(seal(1).open(&sealed(good)).is_some());
        for text in [
            "",
            "{}",
            r#"{"issuer":"i","whom":{"session":{"id":"s"}},"expires":7,"grant":true}"#,
            r#"{"issuer":"i","whom":{"session":{"id":"s","until":7}},"expires":7}"#,
            r#"{"issuer":"i","whom":{"session":{"id":"s"},"subject":"x"},"expires":7}"#,
            r#"{"issuer":"i","whom":{"subject":{"subject":"x"}},"expires":7}"#,
            r#"{"issuer":"i","whom":{"admit":{"id":"s"}},"expires":7}"#,
            r#"{"closed":[["app","x"]]}"#,
            r#"{"closed":[["app","x"]],"open":7,"barred":true}"#,
        ] {
            assert!(seal(1).open(&sealed(text)).is_none(), "{text}");
        }
    }
}
