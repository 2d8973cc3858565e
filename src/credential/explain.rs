//! What a refusal of the token endpoint means for the operator.
//!
//! What the endpoint said enters; a `Refusal` leaves whose text is cut, escaped, free of the
//! client's secret, and says what to do about it.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Who refused.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum At {
    /// A virtual proxy of Qlik on Windows.
    Front,
    /// `POST /login/jwt-session`.
    Login,
    /// The proxy service's API on Windows.
    Service,
    /// A token endpoint.
    #[default]
    Token,
    /// The users' API.
    Users,
}

impl At {
    /// The key of the config that says where it is.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Front => "engine.url",
            Self::Login => "login_url",
            Self::Service => "api_url",
            Self::Token => "token_url",
            Self::Users => "users_url",
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Front => "the virtual proxy",
            Self::Login => "the tenant's JWT login",
            Self::Service => "the proxy service's API",
            Self::Token => "the token endpoint",
            Self::Users => "the users' API",
        })
    }
}

/// Why something fails, in all likelihood, and what mends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Advice {
    /// The likely cause.
    pub cause: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

impl Advice {
    /// Both of them.
    #[must_use]
    pub const fn new(cause: &'static str, mend: &'static str) -> Self {
        Self { cause, mend }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.mend)
    }
}

/// A refusal, ready to be shown to an operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    at: At,
    status: StatusCode,
    code: Option<String>,
    title: Option<String>,
    trace_id: Option<String>,
}

impl Refusal {
    /// Cleans what the endpoint said; none of `secrets` survives in it.
    pub(super) fn new(status: StatusCode, said: &Said, secrets: &[String]) -> Self {
        let word = |text: &Option<String>| text.as_deref().and_then(|text| word(text, secrets));
        Self {
            at: At::default(),
            status,
            code: word(&said.code),
            title: said.title.as_deref().map(|text| sentence(text, secrets)),
            trace_id: word(&said.trace_id),
        }
    }

    /// The same refusal of somebody else.
    pub(super) fn at(self, at: At) -> Self {
        Self { at, ..self }
    }

    /// Who refused.
    #[must_use]
    pub fn who(&self) -> At {
        self.at
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The error code, if the answer carried one (`OAUTH-5`, `invalid_client`, …).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What it means and what to do about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        let known = self.code().and_then(advice_on_code);
        known.unwrap_or_else(|| match self.at {
            At::Login => advice_on_login(self.status),
            At::Front | At::Service => advice_on_windows(self.status),
            At::Token => advice_on_status(self.status),
            At::Users => advice_on_users(self.status),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status.as_u16())?;
        if let Some(code) = &self.code {
            write!(f, ", code {code}")?;
        }
        if let Some(title) = &self.title {
            write!(f, ", title \"{title}\"")?;
        }
        if let Some(trace_id) = &self.trace_id {
            write!(f, ", traceId {trace_id}")?;
        }
        write!(f, ": {}", self.advice())
    }
}

/// What the endpoint said, not yet fit to be shown.
#[derive(Default)]
pub(super) struct Said {
    pub(super) code: Option<String>,
    pub(super) title: Option<String>,
    pub(super) trace_id: Option<String>,
}

const ALLOW_THE_GRANT: &str =
    "allow client_credentials, or urn:qlik:oauth:user-impersonation, on the OAuth client";
const TOKEN_URL: &str = "write the tenant's /oauth/token into token_url, or leave token_url out";

/// The advice on the codes that are known, from Qlik's documentation and from reports, and on
/// those of RFC 6749 section 5.2.
#[rustfmt::skip] // a row a code
fn advice_on_code(code: &str) -> Option<Advice> {
    let advice = Advice::new;
    Some(match code {
        "AUTH-5" => advice("the user is no member of the tenant", "invite or create the user in Qlik, or look people up by another claim"),
        "CSRF-TOKEN-2" => advice("the request was taken for a browser's", TOKEN_URL),
        "INTERNAL-TOKEN-1" => advice("a claim that Qlik demands is missing from the JWT", "see that subject, name and email of [route.credential] are made of claims that everybody has, and are not empty"),
        "LOGIN-2" => advice("the tenant does not know this host name", "check the host of engine.url and token_url"),
        "LOGIN-8" | "LOGIN-10" => advice("an interactive login was asked for", TOKEN_URL),
        "OAUTH-5" => advice("a machine client cannot exchange its token for a websocket token", "use kind oauth-client or oauth-impersonation: no exchange is needed"),
        "OAUTH-14" => advice("client_id is unknown or its OAuth client is not authorized", "check client_id, that the client is published and trusted in this tenant, and that it allows the grant (client_credentials, or urn:qlik:oauth:user-impersonation)"),
        "OAUTH-29" => advice("the Origin of the request is not among the client's allowedOrigins", "find what adds an Origin between the proxy, which sends none, and Qlik"),
        "invalid_client" => advice("client_id or client_secret is wrong, or the secret is expected elsewhere", "check both, and client_auth (body or basic)"),
        "invalid_grant" => advice("the grant was not accepted", "check that the user looked up exists and is active"),
        "invalid_request" => advice("the request was not understood", TOKEN_URL),
        "invalid_scope" => advice("the client may not have this scope", "check scope against the client's allowedScopes"),
        "unauthorized_client" | "unsupported_grant_type" => advice("the client may not use this grant", ALLOW_THE_GRANT),
        _ => return None,
    })
}

#[rustfmt::skip] // a row a status
fn advice_on_status(status: StatusCode) -> Advice {
    let advice = Advice::new;
    match status.as_u16() {
        400 => advice("the request was not accepted", "check client_id, scope, and that exactly one active user has the value looked up"),
        401 => advice("client_id or client_secret is wrong, the client was deleted, or (token-exchange) the app's token is not believed", "compare client_id and the secret with the OAuth client in Qlik's administration, and make a new secret there if need be; asking again does not help"),
        403 => advice("the user is disabled or holds the maximum number of tokens, or the client may not act for users", "enable the user in Qlik, see that nothing else fetches tokens for them, and that the client is trusted"),
        404 | 405 => advice("there is no token endpoint here", "check token_url"),
        429 => advice("too many requests (Qlik allows 100 tokens a minute); nobody's token is fetched until the wait is over", "write a lower fetches_per_minute, an Nth of it with N replicas, and find who else uses this client"),
        500..=599 => advice("the endpoint has trouble of its own; it is asked again by and by", "look at Qlik's status page, or at what stands between, if it stays so"),
        _ => advice("the answer is none that a token endpoint gives", "check token_url"),
    }
}

#[rustfmt::skip] // a row a status
fn advice_on_login(status: StatusCode) -> Advice {
    let advice = Advice::new;
    match status.as_u16() {
        400 => advice("a claim is missing or not as Qlik wants it", "check subject, name and email"),
        401 | 403 => advice("the tenant does not believe the JWT", "check issuer, key_id and signing_key against its identity provider, and this machine's clock"),
        404 | 405 => advice("there is no JWT login here", "check login_url"),
        _ => advice_on_status(status),
    }
}

#[rustfmt::skip] // a row a status
fn advice_on_users(status: StatusCode) -> Advice {
    let advice = Advice::new;
    match status.as_u16() {
        400 => advice("the request was not accepted", "check name and email, and users_url"),
        401 | 403 => advice("the client of [route.credential.provision] may not administer users", "check its scope"),
        404 | 405 => advice("there is no users' API here", "check users_url"),
        _ => advice_on_status(status),
    }
}

#[rustfmt::skip] // a row a status
fn advice_on_windows(status: StatusCode) -> Advice {
    match status.as_u16() {
        429 => Advice::new("Qlik's proxy service, or what stands before it, is asked too often", "write a lower fetches_per_minute"),
        _ => Advice::new("Qlik's proxy service, or what stands before it, has trouble of its own", "look at its logs, and that its services run in the QMC"),
    }
}

/// A code or an id: one plain word, or nothing.
fn word(text: &str, secrets: &[String]) -> Option<String> {
    const LONGEST: usize = 64;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let fit = (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain);
    let secret = secrets.iter().any(|secret| text.contains(secret.as_str()));
    (fit && !secret).then(|| text.to_owned())
}

/// A sentence for a human: cut, escaped, without secrets or anything as long as a token.
pub(super) fn sentence(text: &str, secrets: &[String]) -> String {
    const LONGEST_WORD: usize = 40;
    const LONGEST: usize = 200;
    let spared = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
    let short = |word| {
        if str::len(word) > LONGEST_WORD {
            "…"
        } else {
            word
        }
    };
    let words: Vec<&str> = spared.split(' ').map(short).collect();
    words.join(" ").escape_debug().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, title: &str) -> Refusal {
        let said = Said {
            code: Some(code.to_owned()),
            title: Some(title.to_owned()),
            trace_id: Some("000000000000000012ab".to_owned()),
        };
        let secrets = ["s3cr3t with spaces".to_owned()];
        Refusal::new(StatusCode::UNAUTHORIZED, &said, &secrets)
    }

    #[test]
    fn an_exchange_that_qlik_refuses_is_explained() {
        assert_eq!(
            refusal("OAUTH-5", "Unauthorized").to_string(),
            "status 401, code OAUTH-5, title \"Unauthorized\", traceId 000000000000000012ab: a \
             machine client cannot exchange its token for a websocket token; use kind \
             oauth-client or oauth-impersonation: no exchange is needed"
        );
    }

    #[test]
    fn an_unknown_code_is_explained_by_its_status() {
        let text = refusal("OAUTH-999", "?").to_string();
        assert!(text.contains("OAUTH-999") && text.contains("client_secret is wrong"));
    }

    #[test]
    fn every_refusal_has_a_cause_and_a_mend() {
        const CODES: [&str; 16] = [
            "AUTH-5",
            "CSRF-TOKEN-2",
            "INTERNAL-TOKEN-1",
            "LOGIN-2",
            "LOGIN-8",
            "LOGIN-10",
            "OAUTH-5",
            "OAUTH-14",
            "OAUTH-29",
            "invalid_client",
            "invalid_grant",
            "invalid_request",
            "invalid_scope",
            "unauthorized_client",
            "unsupported_grant_type",
            "NEW-1",
        ];
        let all = [At::Front, At::Login, At::Service, At::Token, At::Users];
        let all = all.into_iter().flat_map(|at| CODES.map(|code| (at, code)));
        for (at, code) in all {
            for status in 400..600 {
                mends(at, code, StatusCode::from_u16(status).unwrap());
            }
        }
    }

    fn mends(at: At, code: &str, status: StatusCode) {
        let said = Said {
            code: Some(code.to_owned()),
            ..Said::default()
        };
        let advice = Refusal::new(status, &said, &[]).at(at).advice();
        let told = format!("{at}, {status}, {code}: {advice}");
        assert!(!advice.cause.is_empty(), "{told}");
        let first = advice.mend.split(' ').next().unwrap();
        assert!(DONE.contains(&first), "{told} names nothing to do");
    }

    /// What a mend begins with: something that an operator does.
    const DONE: [&str; 11] = [
        "allow", "check", "compare", "enable", "find", "invite", "look", "see", "use", "write",
        "add",
    ];

    #[test]
    fn what_the_endpoint_says_is_cut_escaped_and_spared_of_secrets() {
        let long = format!("bad {} end\r\n\u{202e}\u{1b}[31m", "x".repeat(5000));
        let text = refusal("A B\nC", &long).to_string();
        assert!(text.contains(r"bad … end\r\n\u{202e}\u{1b}[31m"), "{text}");
        assert!(
            !text.contains("code"),
            "a code that is no word is dropped: {text}"
        );

        let echo = refusal("s3cr3t", "no such secret: s3cr3t with spaces!").to_string();
        assert!(!echo.contains("s3cr3t with"), "{echo}");
        assert!(echo.contains("no such secret: …!"), "{echo}");

        let title = refusal("C", &"word ".repeat(1000));
        assert!(title.to_string().len() < 600);
    }
}
