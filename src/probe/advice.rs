//! Why a step fails and what mends it: a row a reason, from Qlik's documentation and from reports.

use http::StatusCode;

use super::conversation::Ending;
use super::outcome;
use super::report::{Outcome, Step};
use crate::credential::{Advice, At, CredentialError, Misfit, Refusal, Trouble};
use crate::engine::EngineError;
use crate::fault::CloseCode;
use crate::line::LineError;

const fn advice(cause: &'static str, mend: &'static str) -> Advice {
    Advice::new(cause, mend)
}

/// The route's own access rules said no.
pub(super) const ACCESS: Advice = advice(
    "the route's [route.access] does not let this person open it",
    "name an app of theirs by --app, give the claim of apps_claim by --as claim=value, or change apps",
);

/// Nobody of the route's customers.
pub(super) const CUSTOMER: Advice = advice(
    "the claim that [route.customers] names does not say a customer's `value`",
    "name the customer by --customer, give the claim by --as claim=value, or add the customer",
);

/// The Redis of the replicas does not do what they ask of it.
pub(super) fn on_redis(command: &str, error: &LineError) -> Step {
    let saw = format!("{command}: {error}");
    let LineError::Refused { code, .. } = error else {
        return Step::failed(Outcome::Unavailable, saw, NO_REDIS);
    };
    let (outcome, advice) = on_redis_code(code);
    let code = Some(code.clone()).filter(|code| !code.is_empty());
    Step::failed(outcome, saw, advice).coded(code)
}

const NO_REDIS: Advice = advice(
    "no Redis answers at the address of [replicas], or one of the two speaks TLS and the other does not",
    "check host, port and scheme of url of [replicas] (redis:// is plain, rediss:// is TLS), its ca, and the firewalls between; the proxy runs without it meanwhile, each replica for itself",
);

#[rustfmt::skip] // a row a code
fn on_redis_code(code: &str) -> (Outcome, Advice) {
    use Outcome::{Refused, Unavailable};
    match code {
        "NOAUTH" => (Refused, advice("this Redis wants a password", "set password, and username where there is one, of [replicas]")),
        "WRONGPASS" => (Refused, advice("this Redis does not know the username and password", "check username and password of [replicas]")),
        "NOPERM" => (Refused, advice("this user of the Redis may not do that, or not at keys that begin with prefix", "ACL SETUSER … ~qix-proxy:* +xadd +xrange +time +set +getdel +get +pttl +eval +del +pexpire, with the prefix of [replicas]")),
        "READONLY" => (Refused, advice("this is a copy that may only be read", "point url of [replicas] at the primary")),
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => (Refused, advice("this Redis is a cluster", "point url of [replicas] at one that is none")),
        "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" => (Unavailable, advice("this Redis is starting, or busy", "try again later")),
        "OOM" | "MISCONF" => (Unavailable, advice("this Redis takes nothing: its memory is full, or it cannot save", "look at its own log")),
        _ => (Refused, advice("this Redis does not know the command, or refuses it", "replicas need Redis 6.2 or later, or what speaks like it, as no cluster and with eviction off")),
    }
}

/// There is no credential.
pub(super) fn on_credential(error: &CredentialError) -> Step {
    let (code, advice) = match (refusal(error), error) {
        (Some(refusal), _) => (refusal.code().map(str::to_owned), refusal.advice()),
        (None, CredentialError::TurnedAway { status, advice }) => {
            (Some(status.to_string()), *advice)
        }
        _ => (None, without_answer(error)),
    };
    let said = error.to_string();
    let saw = said.strip_suffix(&format!(": {advice}")).unwrap_or(&said);
    Step::failed(outcome(error), saw.to_owned(), advice).coded(code)
}

fn refusal(error: &CredentialError) -> Option<&Refusal> {
    match error.itself() {
        CredentialError::Refused(refusal)
        | CredentialError::Throttled { refusal, .. }
        | CredentialError::Down(_, Trouble::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

#[rustfmt::skip] // a row a failure
fn without_answer(error: &CredentialError) -> Advice {
    use CredentialError as E;
    match error {
        E::Nobody { .. } => advice("nothing usable says whom to act for at Qlik", "name somebody by --subject, or give the claim by --as claim=value"),
        E::NoToken => advice("this kind needs the token of an app's session, and a check has no session", "put such a token into a variable and name that by --bearer-env"),
        E::Elsewhere(error) => without_answer(error),
        E::Unfit(misfit) => on_misfit(*misfit),
        E::Down(at, Trouble::Unreachable(_) | Trouble::Slow(_)) => on_silence(*at),
        E::Down(..) => advice("something else answers where the credential is fetched: a login page, a gateway, another service", "check the URL it is fetched from"),
        E::Queued { .. } | E::Crowded => advice("more is fetched at once than fetches_per_minute lets", "write a higher fetches_per_minute (Qlik takes 100 of all who use the client), or try again in a minute"),
        E::BadKey => advice("the key or the text cannot stand in a header, or the client certificate is missing", "check the value and the files of [route.credential]"),
        E::BadSigningKey => advice("the signing key is not of the kind that `algorithm` wants", "check signing_key and algorithm of [route.credential]"),
        E::FixedRefused | E::RefusedAgain | E::Refused(_) | E::Throttled { .. } | E::TurnedAway { .. } => advice("Qlik does not take the credential", "check [route.credential] against the Qlik of [route.engine] url"),
    }
}

fn on_silence(at: At) -> Advice {
    const ANSWERS: &str =
        "nothing answers where the credential is fetched, or a certificate is not trusted";
    match at {
        At::Service => advice(
            ANSWERS,
            "check host and port (4243) of api_url, the firewalls between, and that `ca` of [route.engine] is the root.pem of the same export as the certificate",
        ),
        At::Front | At::Login | At::Token | At::Users => advice(
            ANSWERS,
            "check its host and port, the network between, and that its certificate is trusted ([outbound] ca, or ca of the engine)",
        ),
    }
}

#[rustfmt::skip] // a row a misfit
fn on_misfit(misfit: Misfit) -> Advice {
    match misfit {
        Misfit::Admin => advice("the user administers the tenant, and such users are not impersonated", "name another person, or write `admins = \"impersonate\"` into [route.credential.provision]"),
        Misfit::Ambiguous => advice("the tenant spells the subject another way, or has it twice", "compare the users' subjects in Qlik with the claim that `user` names, byte for byte"),
        Misfit::Inactive => advice("the user is not active in the tenant", "activate them in Qlik, or name another person"),
        Misfit::Nameless => advice("the person would become a user, and has no name", "give the claims of `name` in [route.credential.provision] by --as claim=value, and see that the app's sessions have them"),
        Misfit::Unaddressed => advice("the person would become a user, and has no verified address", "give the claims of `email` in [route.credential.provision] by --as claim=value, with --as email_verified=true, and see that the app's sessions have them"),
        Misfit::RolesUnknown => advice("the admin client is not told the roles of users", "write a `scope` into [route.credential.provision] that may read them, such as admin_classic"),
    }
}

/// The engine did not take the upgrade.
pub(super) fn on_engine(error: &EngineError) -> Step {
    let (code, outcome) = match error {
        EngineError::Refused(status) => (Some(status.as_str().to_owned()), finality(*status)),
        _ => (None, outcome(error)),
    };
    Step::failed(outcome, error.to_string(), without_upgrade(error)).coded(code)
}

/// Whether an answer may be another one by and by.
fn finality(status: StatusCode) -> Outcome {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::Unavailable
    } else {
        Outcome::Refused
    }
}

fn without_upgrade(error: &EngineError) -> Advice {
    match error {
        EngineError::Refused(status) => on_status(status.as_u16()),
        EngineError::Tls(_) => advice(
            "the certificate is not trusted, is another host's, or the port wants a client's certificate",
            "set ca of [route.engine] to Qlik's root.pem and server_name to the name in the server's certificate; 4747 and 4243 take the client.pem of the same export",
        ),
        EngineError::Timeout(_) => advice(
            "the host is up but does not answer, or is slow: a cold session on Windows takes 15 to 21 s",
            "check the port and what stands between; raise dial_timeout of [route.engine]",
        ),
        EngineError::Http(_) | EngineError::NotWebsocket(_) => advice(
            "something that is no Qlik engine answers: a gateway that does not pass websockets on, plain HTTP on a TLS port, or TLS on a plain one",
            "check scheme, host, port and prefix of url of [route.engine], and that what stands between passes `Upgrade: websocket` on",
        ),
        _ => advice(
            "nothing answers at the engine's address",
            "check host and port of url of [route.engine], its name in DNS, and the firewalls between",
        ),
    }
}

#[rustfmt::skip] // a row a status
fn on_status(status: u16) -> Advice {
    match status {
        300..=399 => advice("Qlik leads to its login page: it saw no credential it knows", "check the virtual proxy's prefix in url of [route.engine], and that its authentication is that of the credential's kind"),
        400 => advice("the virtual proxy is not linked to a proxy service, or something between refuses the request", "link the virtual proxy to the Central Proxy in the QMC, and check its prefix in url of [route.engine]"),
        401 => advice("Qlik does not take the credential: another tenant's, expired, or a JWT whose key, time or claim names it does not take", "check that the credential is made for the Qlik of [route.engine] url; for a JWT compare the certificate and the attribute names in the QMC, or at a bare engine the secret or the public key that it was given"),
        403 => advice("Qlik knows the credential and refuses the websocket: on Windows the Origin's host is not on the virtual proxy's Host allow list, or releases from November 2024 on miss the session cookie and its csrf token; in the cloud the user may not open this", "add the Origin's host name to the virtual proxy's Host allow list in the QMC (names alone, no scheme or port), or give the user access"),
        404 => advice("there is no such app, or no such virtual proxy", "check --app, and the prefix in url of [route.engine]"),
        429 | 503 => advice("Qlik is busy, or asks to be left alone", "try again later"),
        500..=599 => advice("Qlik, or the gateway before it, has trouble of its own", "look at Qlik's own logs, then try again"),
        _ => advice("this is no answer of a Qlik engine", "check url of [route.engine]"),
    }
}

/// The conversation ended before it was over.
pub(super) fn on_ending(ending: &Ending) -> Step {
    let (outcome, advice) = match ending {
        Ending::Asked => (Outcome::Refused, ASKED),
        Ending::Notice { method, .. } => on_notice(method),
        Ending::State(state) => on_state(state),
        Ending::Closed { code, .. } => on_close(*code),
        Ending::Error { code, .. } => on_error(*code),
        Ending::Silent(_) => (Outcome::Unavailable, SILENT),
        Ending::Lost(_) => (Outcome::Unavailable, LOST),
    };
    Step::failed(outcome, ending.to_string(), advice).coded(ending.code())
}

const ASKED: Advice = advice(
    "Qlik took the upgrade and then asked for a login: it does not know the session cookie, ticket or header it got",
    "check that the virtual proxy's prefix, authentication method, session cookie name or header name in the QMC are those of [route.credential] and url of [route.engine]",
);
const SILENT: Advice = advice(
    "the engine took the upgrade and answers no call: what stands between holds frames back, or the service behind it is down",
    "look at the engine's and the gateway's logs; where this is Windows, `ping` of [route.engine] must be \"never\"",
);
const LOST: Advice = advice(
    "the connection was cut, or what came breaks the websocket protocol",
    "look at the engine's logs and at what stands between",
);

#[rustfmt::skip] // a row a notice
fn on_notice(method: &str) -> (Outcome, Advice) {
    use Outcome::{Refused, Unavailable};
    match method {
        "OnLicenseAccessDenied" => (Refused, advice("Qlik has no licence for this user: no access type is available", "assign the user professional, analyzer or capacity access in the QMC")),
        "OnLicenseAccessDeniedPendingUserSync" => (Unavailable, advice("the user is new, and Qlik has not synchronised its licence yet", "try again in a minute")),
        "OnExcessLicenseAssignment" => (Refused, advice("more licences are assigned than there are", "free some in the QMC")),
        "OnMaxParallelSessionsExceeded" => (Refused, advice("this user has five sessions at Qlik already", "let some end (Qlik counts them until their time is out, and five minutes more); let one user stand for one person, and nothing else use it")),
        "OnSessionTimedOut" => (Unavailable, advice("the proxy session timed out", "try again; if it stays, raise the virtual proxy's session inactivity timeout")),
        "OnSessionClosed" | "OnSessionLoggedOut" => (Unavailable, advice("the proxy session was ended from elsewhere", "try again; if it stays, find who else logs this user out")),
        "OnNoEngineAvailable" | "OnEngineWebsocketFailed" => (Unavailable, advice("Qlik's proxy found no engine for this app", "start the engine service, and check the load balancing of the virtual proxy in the QMC")),
        "OnNoRepositoryAvailable" | "OnRepositoryWebsocketFailed" => (Unavailable, advice("Qlik's proxy cannot reach its repository", "start the repository service")),
        _ => (Refused, advice("Qlik's proxy ended the session", "look up this notice in Qlik's documentation of the Proxy Service API")),
    }
}

#[rustfmt::skip] // a row a state
fn on_state(state: &str) -> (Outcome, Advice) {
    use Outcome::Refused;
    match state {
        "SESSION_ERROR_NO_LICENSE" => (Refused, advice("the engine has no licence", "set a licence, or accept it (Core: AcceptEULA)")),
        "SESSION_ERROR_LICENSE_RENEW" => (Refused, advice("the engine's licence ran out", "renew it")),
        "SESSION_ERROR_LIMIT_EXCEEDED" => (Refused, advice("the engine holds as many sessions as it may", "close some, or raise the limit")),
        "SESSION_ERROR_SECURITY_HEADER_CHANGED" => (Refused, advice("the engine session belongs to another user", "let nothing else use this user and identity")),
        "SESSION_ERROR_APP_ACCESS_DENIED" | "SESSION_ACCESS_CONTROL_SETUP_FAILURE" => (Refused, advice("Qlik does not let this user open the app", "share the app, or its space, with the user; check section access")),
        _ => (Refused, advice("the engine cannot load the app", "open it in Qlik's own hub, and look at the engine's logs")),
    }
}

#[rustfmt::skip] // a row a code
fn on_close(code: Option<CloseCode>) -> (Outcome, Advice) {
    use Outcome::{Refused, Unavailable};
    match code.map(|CloseCode(code)| code) {
        Some(4002) => (Refused, advice("the engine's licence ran out", "renew it")),
        Some(4005 | 4205) => (Refused, advice("too many sessions of this user, or too many requests", "let some end, then try again")),
        Some(4006) => (Refused, advice("Qlik does not take the credential", "check [route.credential] against the Qlik of [route.engine] url")),
        Some(4203 | 4230) => (Refused, advice("Qlik does not let this user open the app", "share the app, or its space, with the user, and give them a licence")),
        Some(4004 | 4204) => (Refused, advice("there is no such app", "check --app")),
        Some(4210 | 4211 | 4220 | 4222 | 4240) => (Unavailable, advice("Qlik has no engine for this just now", "try again; if it stays, look at Qlik's own logs")),
        _ => (Unavailable, advice("the engine closed the socket", "try again; if it stays, look at Qlik's own logs")),
    }
}

#[rustfmt::skip] // a row a code
fn on_error(code: i64) -> (Outcome, Advice) {
    use Outcome::{Refused, Unavailable};
    match code {
        5 | 403 | 3000 | 4000 => (Refused, advice("Qlik does not let this user open the app", "share the app, or its space, with the user; check section access")),
        4001 | 12004 | 401 => (Refused, advice("the engine does not take the user", "check whom [route.credential] names")),
        404 | 1003 => (Refused, advice("there is no such app, or the user may not see it", "check --app, and share the app with the user")),
        1008 => (Unavailable, advice("the engine could not connect to the app", "try again; if it stays, open it in Qlik's own hub")),
        5000..=5004 => (Refused, advice("Qlik is out of licences for this user", "assign one, or free one")),
        429 => (Unavailable, advice("Qlik asks to be left alone", "try again later")),
        _ => (Refused, advice("the engine refused the call", "look up this code in Qlik's documentation")),
    }
}
