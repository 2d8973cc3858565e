//! `kind = "jwt"`: a signed token.

use crate::config::defaults;
use crate::config::model::{Algorithm, ClientsWithoutOrigin, Jwks, Jwt, JwtKeys, JwtLogout};
use crate::config::notes::Noted;
use crate::config::read::engine::{allow_http, refuse_plain};
use crate::config::table::Table;
use crate::config::value::{LongSecret, OneOrMany, OneOrMore, Positive, PublicKey, WebUrl};
use crate::config::values::CookieName;
use crate::id::Issuer;
use crate::person::ClaimPath;

/// A signed token.
pub(super) fn jwt(
    t: &mut Table<'_>,
    clients: Result<ClientsWithoutOrigin, Noted>,
) -> Result<Jwt, Noted> {
    let cookie = t.optional("cookie", "The cookie that carries the token.");
    let keys = keys(t);
    let algorithms = algorithms(t);
    let vouched = vouched(t);
    let subject = t.or(
        "subject_claim",
        ClaimPath::new(defaults::SUBJECT_CLAIM),
        "Where the subject stands, by name or JSON pointer.",
    );
    let session = t.or(
        "session_claim",
        ClaimPath::new(defaults::SESSION_CLAIM),
        "Where the session's stable id stands, by name or JSON pointer.",
    );
    let leeway = t.or(
        "leeway",
        defaults::LEEWAY,
        "How far ahead the issuer's clock may be, by `nbf` and `iat`, and how late a logout token.",
    );
    let logout = logout(t, (subject.as_ref().ok(), session.as_ref().ok()));
    let cookie: Option<CookieName> = cookie?;
    demand_a_carrier(t, cookie.as_ref(), clients)?;
    let (issuer, audience) = vouched?;
    Ok(Jwt {
        cookie,
        keys: keys?,
        algorithms: algorithms?,
        issuer,
        audience,
        subject: subject?,
        session: session?,
        leeway: leeway?,
        logout: logout?,
    })
}

/// Notes that no client can bring a token.
pub(super) fn demand_a_carrier(
    t: &Table<'_>,
    cookie: Option<&CookieName>,
    clients: Result<ClientsWithoutOrigin, Noted>,
) -> Result<(), Noted> {
    let (None, Ok(ClientsWithoutOrigin::Refuse)) = (cookie, clients) else {
        return Ok(());
    };
    Err(t.absent(
        "nothing carries this token: browsers send a cookie, and clients without Origin are \
         refused",
        "write `cookie = \"session\"`, or `clients_without_origin = \"bearer\"` in [[route]]",
    ))
}

/// `OpenID` Connect Back-Channel Logout.
fn logout(
    t: &mut Table<'_>,
    claims: (Option<&ClaimPath>, Option<&ClaimPath>),
) -> Result<Option<JwtLogout>, Noted> {
    let audience: Result<Option<OneOrMany<String>>, _> = t.optional(
        "logout_audience",
        "The `aud` of the issuer's logout tokens, its client id for the app; with it, they are \
         taken at {path}/backchannel-logout.",
    );
    let memory = t.or(
        "logout_memory",
        Positive(defaults::LOGOUT_MEMORY),
        "How long a logout is remembered; a token that lives longer is refused.",
    );
    t.only_with("logout_memory", "logout_audience");
    let why = "a logout reaches the sessions of one issuer";
    t.demanded_with(
        "issuer",
        "logout_audience",
        "\"https://idp.example.com\"",
        why,
    )?;
    let Some(OneOrMany(audience)) = audience? else {
        return Ok(None);
    };
    for (key, claim, standard) in [
        ("subject_claim", claims.0, "sub"),
        ("session_claim", claims.1, "sid"),
    ] {
        if claim.is_some_and(|claim| claim.as_str() != standard) {
            return Err(t.refuse(
                key,
                format!("a logout token says `{standard}`, and this route looks elsewhere"),
                format!("leave `{key}` out, or `logout_audience`"),
            ));
        }
    }
    Ok(Some(JwtLogout {
        audience,
        memory: memory?.0,
    }))
}

fn keys(t: &mut Table<'_>) -> Result<JwtKeys, Noted> {
    let jwks = jwks(t);
    let pem: Result<Option<PublicKey>, _> = t.optional(
        "pem",
        "The public key (or its certificate) as a PEM file, { file = \"…\" }.",
    );
    let secret: Result<Option<LongSecret>, _> = t.optional(
        "secret",
        "The shared secret of the HS algorithms, 32 bytes or more, { env = \"…\" } or \
         { file = \"…\" }.",
    );
    let names = &["jwks", "pem", "secret"];
    t.exactly_one(names)?;
    let pem = pem?.map(|PublicKey(pem)| JwtKeys::Pem(pem));
    let secret = secret?.map(|LongSecret(secret)| JwtKeys::Hmac(secret));
    let keys = jwks?.map(JwtKeys::Jwks).or(pem).or(secret);
    keys.ok_or_else(|| t.lacks(names))
}

fn jwks(t: &mut Table<'_>) -> Result<Option<Jwks>, Noted> {
    let url: Result<Option<WebUrl>, _> =
        t.optional("jwks", "The URL of the key set that verifies the token.");
    let keep = t.or(
        "jwks_keep",
        Positive(defaults::JWKS_KEEP),
        "How long a fetched key set is good.",
    );
    let grace = t.or(
        "jwks_grace",
        defaults::JWKS_GRACE,
        "How old it may grow while it cannot be fetched again; by older keys nobody gets in.",
    );
    let refetch = t.or(
        "jwks_refetch",
        Positive(defaults::JWKS_REFETCH),
        "For an unknown `kid`, the key set is fetched again at most this often.",
    );
    let timeout = t.or(
        "timeout",
        Positive(defaults::CHECK_TIMEOUT),
        "How long a fetch of the key set may take.",
    );
    let allow_http = allow_http(t);
    for name in [
        "jwks_keep",
        "jwks_grace",
        "jwks_refetch",
        "timeout",
        "allow_http",
    ] {
        t.only_with(name, "jwks");
    }
    let Some(WebUrl(url)) = url? else {
        return Ok(None);
    };
    refuse_plain(t, "jwks", &url, allow_http)?;
    Ok(Some(Jwks {
        url,
        keep: keep?.0,
        grace: grace?,
        refetch: refetch?.0,
        timeout: timeout?.0,
    }))
}

fn algorithms(t: &mut Table<'_>) -> Result<Vec<Algorithm>, Noted> {
    let written: Result<Option<OneOrMore<Algorithm>>, _> = t.optional(
        "algorithms",
        "The signature algorithms allowed; by default RS256, PS256, ES256 and EdDSA with a public \
         key, HS256 with a secret.",
    );
    let (public, shared) = (t.has("jwks") || t.has("pem"), t.has("secret"));
    let Some(OneOrMore(algorithms)) = written? else {
        return Ok(if shared {
            defaults::SHARED.to_vec()
        } else {
            defaults::PUBLIC.to_vec()
        });
    };
    for algorithm in &algorithms {
        if shared && !public && !is_shared(*algorithm) {
            return Err(t.refuse(
                "algorithms",
                format!("{algorithm:?} takes a public key, and here is a shared `secret`"),
                "write \"HS256\", or `jwks` or `pem` in place of `secret`",
            ));
        }
        if public && !shared && is_shared(*algorithm) {
            return Err(t.refuse(
                "algorithms",
                format!(
                    "{algorithm:?} takes a shared secret: beside a public key, whoever knows that \
                     key could sign"
                ),
                "write the algorithm of the public key, such as \"RS256\" or \"ES256\"",
            ));
        }
    }
    Ok(algorithms)
}

fn is_shared(algorithm: Algorithm) -> bool {
    use Algorithm as A;
    matches!(algorithm, A::HS256 | A::HS384 | A::HS512)
}

/// Who must have issued the token, and for whom.
fn vouched(t: &mut Table<'_>) -> Result<(Option<Issuer>, Vec<String>), Noted> {
    let issuer: Result<Option<String>, _> = t.optional(
        "issuer",
        "The `iss` that a token must carry; required with `jwks`.",
    );
    let audience: Result<Option<OneOrMany<String>>, _> = t.optional(
        "audience",
        "The `aud` that a token must carry, one or a list of which one is enough; required with \
         `jwks`.",
    );
    let why = "a key set signs for other apps as well";
    let by_whom = t.demanded_with("issuer", "jwks", "\"https://idp.example.com\"", why);
    let for_whom = t.demanded_with("audience", "jwks", "\"analytics\"", why);
    by_whom.and(for_whom)?;
    let audience = audience?.map_or(Vec::new(), |OneOrMany(audience)| audience);
    Ok((issuer?.map(Issuer::new), audience))
}
