//! permessage-deflate (RFC 7692) as far as a proxy that never inflates must know it: which offers
//! to carry, and whether an answer is to one of them.

use std::fmt::{self, Display, Formatter};

const NAME: &str = "permessage-deflate";

/// The permessage-deflate offers within a client's `Sec-WebSocket-Extensions`, written anew;
/// `None` when it makes none that is well formed.
#[must_use]
pub(super) fn offers(header: &str) -> Option<String> {
    let kept: Vec<String> = read(header).map(|offer| offer.to_string()).collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// An engine's answer, written anew, if it is exactly one permessage-deflate and lawful to one of
/// these offers.
#[must_use]
pub(super) fn chosen(answer: &str, offers: &str) -> Option<String> {
    let answer = Parameters::read(answer)?;
    let lawful = read(offers).any(|offer| answer.is_to(offer));
    lawful.then(|| answer.to_string())
}

fn read(offers: &str) -> impl Iterator<Item = Parameters> {
    offers.split(',').filter_map(Parameters::read)
}

/// The parameters of an offer or an answer, each at most once (section 7.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Parameters {
    client_bits: Option<Bits>,
    client_forgets: Option<()>,
    server_bits: Option<u8>,
    server_forgets: Option<()>,
}

/// How large a client's window may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bits {
    /// As large as the other side likes; an answer never says so.
    Any,
    /// So many bits.
    Of(u8),
}

impl Parameters {
    fn read(element: &str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        let mut read = (parts.next() == Some(NAME)).then(Self::default)?;
        parts.try_for_each(|part| read.take(part))?;
        Some(read)
    }

    fn take(&mut self, part: &str) -> Option<()> {
        let value = part.split_once('=').map(|(_, value)| value.trim());
        let name = part.split('=').next().map_or("", str::trim);
        match (name, value) {
            ("client_max_window_bits", None) => set(&mut self.client_bits, Bits::Any),
            ("client_max_window_bits", Some(value)) => {
                set(&mut self.client_bits, Bits::Of(bits(value)?))
            }
            ("client_no_context_takeover", None) => set(&mut self.client_forgets, ()),
            ("server_max_window_bits", Some(value)) => set(&mut self.server_bits, bits(value)?),
            ("server_no_context_takeover", None) => set(&mut self.server_forgets, ()),
            _ => None,
        }
    }

    /// Whether a server may answer an offer so. It may always forget, or take a smaller window, and have the
    /// client forget; what was asked of it, it must do, and a client's window is the client's to offer.
    fn is_to(self, offer: Self) -> bool {
        let client_bits = match self.client_bits {
            None => true,
            Some(Bits::Any) => false,
            Some(Bits::Of(_)) => offer.client_bits.is_some(),
        };
        let small = |most| self.server_bits.is_some_and(|bits| bits <= most);
        let server_bits = offer.server_bits.is_none_or(small);
        let forgets = self.server_forgets.is_some() || offer.server_forgets.is_none();
        client_bits && server_bits && forgets
    }
}

impl Display for Parameters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        match self.client_bits {
            None => {}
            Some(Bits::Any) => f.write_str("; client_max_window_bits")?,
            Some(Bits::Of(bits)) => write!(f, "; client_max_window_bits={bits}")?,
        }
        if self.client_forgets.is_some() {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if self.server_forgets.is_some() {
            f.write_str("; server_no_context_takeover")?;
        }
        Ok(())
    }
}

fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// A window's size: 8 to 15, without a zero before it; it may stand in quotes.
fn bits(value: &str) -> Option<u8> {
    let quoted = value.strip_prefix('"');
    let plain = quoted.map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    match plain {
        "8" => Some(8),
        "9" => Some(9),
        _ => {
            let more = plain.strip_prefix('1').filter(|more| more.len() == 1)?;
            more.parse()
                .ok()
                .filter(|more| *more <= 5)
                .map(|more: u8| 10 + more)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_offers_are_carried() {
        let table = [
            ("permessage-deflate", Some("permessage-deflate")),
            (
                "permessage-deflate; client_max_window_bits, x-other",
                Some("permessage-deflate; client_max_window_bits"),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"10\"",
                Some("permessage-deflate; server_max_window_bits=10"),
            ),
            (
                "permessage-deflate;server_no_context_takeover ; client_max_window_bits = 9,permessage-deflate",
                Some(
                    "permessage-deflate; client_max_window_bits=9; server_no_context_takeover, permessage-deflate",
                ),
            ),
            ("permessage-deflate; server_max_window_bits=99", None),
            ("permessage-deflate; server_max_window_bits=08", None),
            ("permessage-deflate; server_max_window_bits=7", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=+9", None),
            ("permessage-deflate; server_max_window_bits=1+5", None),
            ("permessage-deflate; server_max_window_bits=\"9", None),
            ("permessage-deflate; server_max_window_bits=", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_no_context_takeover=10", None),
            ("permessage-deflate; client_no_context_takeover=", None),
            (
                "permessage-deflate; client_max_window_bits; client_max_window_bits",
                None,
            ),
            (
                "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
                None,
            ),
            ("permessage-deflate; ", None),
            ("permessage-deflate; evil", None),
            ("x-webkit-deflate-frame", None),
        ];
        for (header, expected) in table {
            assert_eq!(offers(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    #[rustfmt::skip] // a row an answer
    fn an_answer_is_to_what_was_offered() {
        let table = [
            ("", "", true),
            ("", "; server_no_context_takeover", true),
            ("", "; client_no_context_takeover", true),
            ("", "; server_max_window_bits=9", true),
            ("", "; client_max_window_bits=9", false),
            ("", "; client_max_window_bits", false),
            ("; client_max_window_bits", "", true),
            ("; client_max_window_bits", "; client_max_window_bits=15", true),
            ("; client_max_window_bits", "; client_max_window_bits", false),
            ("; client_max_window_bits=9", "; client_max_window_bits=15", true),
            ("; client_no_context_takeover", "", true),
            ("; server_no_context_takeover", "", false),
            ("; server_no_context_takeover", "; server_no_context_takeover", true),
            ("; server_max_window_bits=10", "", false),
            ("; server_max_window_bits=10", "; server_max_window_bits=11", false),
            ("; server_max_window_bits=10", "; server_max_window_bits=10", true),
            ("; server_max_window_bits=10", "; server_max_window_bits=8", true),
            // Any of the offers may be taken, but not some of each.
            ("; server_max_window_bits=10, permessage-deflate", "", true),
            ("; server_max_window_bits=10, permessage-deflate; client_max_window_bits", "; client_max_window_bits=9; server_max_window_bits=11", true),
            ("; server_no_context_takeover; client_max_window_bits, permessage-deflate", "; client_max_window_bits=9", false),
            ("", ", permessage-deflate", false),
        ];
        for (offer, answer, lawful) in table {
            let [offer, answer] = [offer, answer].map(|it| format!("{NAME}{it}"));
            let expected = lawful.then(|| answer.clone());
            assert_eq!(chosen(&answer, &offer), expected, "{answer} to {offer}");
        }
    }
}
