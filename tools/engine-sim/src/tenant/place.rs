//! Where an engine URL points: app, identity and time to live.

use std::time::Duration;

use percent_encoding::percent_decode_str;

/// The engine's ceiling (`MaxSessionTTL`).
const LONGEST_TTL: u64 = 1800;

/// `/app/<id>[/identity/<x>][/ttl/<n>]`, decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) app: String,
    pub(crate) identity: Option<String>,
    pub(crate) ttl: Duration,
}

impl Place {
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix("/app/")?.split('/');
        let app = match decode(segments.next()?)? {
            empty if empty.is_empty() => "engineData".to_owned(),
            app => app,
        };
        let mut place = Self {
            app,
            identity: None,
            ttl: Duration::ZERO,
        };
        while let Some(name) = segments.next() {
            let value = decode(segments.next()?)?;
            match name {
                // Identity comes before ttl, and each once.
                "identity" if place.identity.is_none() && place.ttl.is_zero() => {
                    place.identity = Some(value);
                }
                "ttl" if place.ttl.is_zero() => place.ttl = seconds(&value)?,
                _ => return None,
            }
        }
        Some(place)
    }
}

fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

fn seconds(value: &str) -> Option<Duration> {
    value
        .parse::<u64>()
        .ok()
        .map(|ttl| Duration::from_secs(ttl.min(LONGEST_TTL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(app: &str, identity: Option<&str>, ttl: u64) -> Place {
        let identity = identity.map(ToOwned::to_owned);
        Place {
            app: app.to_owned(),
            identity,
            ttl: Duration::from_secs(ttl),
        }
    }

    #[test]
    fn reads_every_form_of_an_engine_url() {
        for (path, expected) in [
            ("/app/4f1b", place("4f1b", None, 0)),
            ("/app/", place("engineData", None, 0)),
            ("/app/engineData", place("engineData", None, 0)),
            ("/app/SessionApp_17", place("SessionApp_17", None, 0)),
            (
                "/app/%3Ftransient%3D/identity/17",
                place("?transient=", Some("17"), 0),
            ),
            (
                "/app/a%2Fb/identity/x%20y/ttl/60",
                place("a/b", Some("x y"), 60),
            ),
            ("/app/a/ttl/5", place("a", None, 5)),
            ("/app/a/ttl/999999", place("a", None, 1800)),
        ] {
            assert_eq!(Place::parse(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn refuses_what_is_no_engine_url() {
        for path in [
            "/",
            "/app",
            "/apps/a",
            "/app/a/",
            "/app/a/identity",
            "/app/a/ttl/5/identity/x",
            "/app/a/ttl/five",
            "/app/a/identity/x/identity/y",
            "/app/%FF",
        ] {
            assert_eq!(Place::parse(path), None, "{path}");
        }
    }
}
