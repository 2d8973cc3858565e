//! `kind = "engine-certificate"`: the client certificate opens the engine's own port, and a header
//! says who it is; there is nothing to fetch.

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Source;
use super::qseow::somebody;
use crate::config::EngineCertificate;
use crate::credential::identity::Identity;
use crate::injection::Injection;

const HEADER: HeaderName = HeaderName::from_static("x-qlik-user");
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A header a person.
pub(super) fn source(config: &EngineCertificate) -> Source {
    Source::Made {
        who: somebody(&config.user),
        make: header,
    }
}

fn header(identity: &Identity) -> Option<Injection> {
    let escaped = |place| utf8_percent_encode(identity.value(place), ESCAPED);
    let user = format!("UserDirectory={}; UserId={}", escaped(0), escaped(1));
    let value = HeaderValue::try_from(user).ok()?;
    Some(Injection::nothing().with_header(HEADER, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_out_of_their_place() {
        let injection = header(&Identity::of(["CORP", "ada; UserId=root é"])).unwrap();
        let headers: Vec<_> = injection.headers().collect();
        let value = "UserDirectory=CORP; UserId=ada%3B%20UserId%3Droot%20%C3%A9";
        assert_eq!(headers, [(&HEADER, &HeaderValue::from_static(value))]);
        assert!(headers[0].1.is_sensitive());
    }
}
