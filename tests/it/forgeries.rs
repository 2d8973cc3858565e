//! Everything that pretends to be a session, as one table: tokens, cookies and tickets that are
//! forged, expired, unsigned, key-confused, replayed, oversized or malformed, and the code that a
//! page reads. None of it reaches the engine, and none of it the log.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};

use crate::support::{Issuer, Knock, ORIGIN, RealRedis, Recipe, Signer, World, now};

const OTHER: &str = "https://other.example.com:8443";
const ID: &str = "0f5e7c2a91b34d68";

/// No session.
const ENDED: u16 = 4006;
/// Two where one can be meant: which of them counts cannot be told.
const BAD: u16 = 1002;
/// A session, but not for this app.
const NOT_THIS_APP: u16 = 4203;

/// A name, what is shown, and the code.
type Row<'a> = (&'static str, Knock<'a>, u16);

struct Place {
    world: World,
    issuer: Issuer,
    redis: RealRedis,
}

impl Place {
    /// A route that takes tickets, an issuer's tokens in a cookie, and an app's signed cookies.
    async fn start() -> Self {
        let (issuer, redis) = (Issuer::start().await, RealRedis::start().await);
        let value = r#"{"passport":{"user":"ada"}}"#;
        let () = redis
            .run(&["SET", &format!("sess:{ID}"), value, "EX", "600"])
            .await;
        let by_store = format!(
            "[[route.session]]\nkind = \"redis\"\nurl = \"{}\"\nformat = \"express\"\nsecrets = {{ env = \
             \"SESSION_SECRET\" }}\nsubject = \"/passport/user\"\ncache = \"0s\"\n",
            redis.url()
        );
        let by_token = issuer.check("/keys");
        let session = format!("[[route.session]]\nkind = \"ticket\"\n{by_token}{by_store}");
        let world = Recipe::default()
            .session(&session)
            .process("[limits]\nfailures_per_minute = 1000\n")
            .start()
            .await;
        Self {
            world,
            issuer,
            redis,
        }
    }

    fn app(&self) -> Knock<'_> {
        self.world.connect(&format!("/qlik/app/{SALES_APP}"))
    }

    fn token(&self, token: String) -> Knock<'_> {
        self.app().cookie(&self.world.keep(token))
    }

    fn signed(&self, cookie: &str) -> Knock<'_> {
        self.app().with("cookie", &format!("connect.sid={cookie}"))
    }

    fn ticket(&self, ticket: &str) -> Knock<'_> {
        let target = format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}");
        self.world.connect(&target)
    }

    async fn fresh(&self, body: &str) -> String {
        let token = self.issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
        let knock = self.world.http("POST", "/qlik/ticket").origin(ORIGIN);
        let knock = knock.with("content-length", &body.len().to_string());
        let answer = knock.tail(body.as_bytes()).bearer(&self.world.keep(token));
        let answer = answer.refused().await.json();
        let ticket = answer["ticket"].as_str().unwrap().to_owned();
        self.world.keep_from_log(ticket)
    }
}

/// The cookie of the app for a session.
fn sign(id: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = STANDARD_NO_PAD.encode(hmac::sign(&key, id.as_bytes()));
    format!("s%3A{id}.{}", tag.replace('+', "%2B").replace('/', "%2F"))
}

/// A token by hand.
fn by_hand(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// What the issuer did not sign.
fn forged_tokens(place: &Place) -> Vec<Row<'_>> {
    let issuer = &place.issuer;
    let good = issuer.session(&json!({"sub": "ada"}));
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "analytics", "sub": "ada", "iat": now(),
        "exp": now() + 600,
    });
    let (signed, tag) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(claims.to_string());
    let stranger = Signer::named("idp-1");
    let confused = Signer::with_secret(&issuer.public_key().to_string());
    let [none, loud] = ["none", "NONE"].map(|alg| json!({ "alg": alg }));
    let own = json!({"alg": "ES256", "kid": "idp-1", "jwk": stranger.jwk()});
    let rows = [
        ("by a stranger's key", stranger.sign(claims.clone())),
        ("under another's tag", format!("{header}.{other}.{tag}")),
        ("its tag cut off", format!("{signed}.")),
        ("with its own key", by_hand(&own, &claims, tag)),
        ("alg=none", by_hand(&none, &claims, "")),
        ("alg=none, signed", by_hand(&none, &claims, tag)),
        ("alg=NONE", by_hand(&loud, &claims, "")),
        ("key-confused", confused.sign(claims.clone())),
        ("malformed: two parts", signed.to_owned()),
        ("malformed: four parts", format!("{good}.x")),
        ("malformed: no base64", "a!.b!.c!".to_owned()),
        ("malformed: no JSON", "eA.eA.eA".to_owned()),
    ];
    rows.map(|(name, token)| (name, place.token(token), ENDED))
        .into()
}

/// What the issuer signed, and what is no session all the same.
fn unfit_tokens(place: &Place) -> Vec<Row<'_>> {
    let of = |changes: Value| place.issuer.session(&changes);
    let logout = place.issuer.logout(&json!({"sub": "ada"}));
    let large = "x".repeat(9000);
    let rows = [
        ("expired", of(json!({"sub": "ada", "exp": now() - 60}))),
        ("early", of(json!({"sub": "ada", "nbf": now() + 600}))),
        ("another's", of(json!({"sub": "ada", "iss": "https://x"}))),
        ("for another", of(json!({"sub": "ada", "aud": "elsewhere"}))),
        ("of nobody", of(json!({"sub": null}))),
        ("a logout token", logout),
        ("oversized", of(json!({"sub": "ada", "pad": large}))),
    ];
    rows.map(|(name, token)| (name, place.token(token), ENDED))
        .into()
}

fn cookies(place: &Place) -> Vec<Row<'_>> {
    let secret = &place.world.secrets.session;
    let good = sign(ID, secret);
    let (_, tag) = good.split_once('.').unwrap();
    let rows = [
        ("forged: by another secret", sign(ID, "guess"), ENDED),
        (
            "forged: another id under a good signature",
            format!("s%3Aanother.{tag}"),
            ENDED,
        ),
        ("unsigned", ID.to_owned(), ENDED),
        ("unsigned, with the mark", format!("s%3A{ID}"), ENDED),
        (
            "signed, of a session that is gone",
            sign("0000000000000000", secret),
            ENDED,
        ),
        ("oversized", sign(&"x".repeat(3000), secret), ENDED),
        ("malformed: no text", "s%3A%ff%fe.x".to_owned(), ENDED),
        ("malformed: empty", "s%3A.".to_owned(), ENDED),
        ("twice", format!("{good}; connect.sid={good}"), BAD),
    ];
    rows.map(|(name, cookie, code)| (name, place.signed(&cookie), code))
        .into()
}

async fn tickets(place: &Place) -> Vec<Row<'_>> {
    let used = place.fresh("").await;
    let mut ada = place.ticket(&used).open().await;
    ada.is_alive().await;
    let stolen = place.fresh("").await;
    let bound = place
        .fresh(&json!({ "app": FINANCE_APP }).to_string())
        .await;
    let doubled = [place.fresh("").await, place.fresh("").await];
    let forged = URL_SAFE_NO_PAD.encode([7; 32]);
    let protocol = format!("qix-ticket.{forged}");
    vec![
        ("replayed", place.ticket(&used), ENDED),
        ("forged", place.ticket(&forged), ENDED),
        (
            "forged, by subprotocol",
            place.app().with("sec-websocket-protocol", &protocol),
            ENDED,
        ),
        (
            "of another origin",
            place.ticket(&stolen).origin(OTHER),
            ENDED,
        ),
        (
            "of another origin, back at its own",
            place.ticket(&stolen),
            ENDED,
        ),
        ("for another app", place.ticket(&bound), NOT_THIS_APP),
        ("twice", place.ticket(&doubled.join("&qix-ticket=")), BAD),
        ("oversized", place.ticket(&"A".repeat(5000)), ENDED),
        ("malformed", place.ticket("%00%ff"), ENDED),
        ("empty", place.ticket(""), ENDED),
    ]
}

#[tokio::test]
async fn nothing_that_pretends_to_be_a_session_is_one() {
    let place = Place::start().await;
    let good = place.issuer.session(&json!({"sub": "ada"}));
    place.token(good).open().await.is_alive().await;
    let signed = sign(ID, &place.world.secrets.session);
    place.signed(&signed).open().await.is_alive().await;
    let tickets = tickets(&place).await;
    let dials = place.world.upgrades().len();
    let kinds = [
        ("forged token", forged_tokens(&place)),
        ("unfit token", unfit_tokens(&place)),
        ("cookie", cookies(&place)),
        ("ticket", tickets),
    ];
    let rows = kinds.into_iter().flat_map(|(kind, rows)| {
        let of_kind = move |(name, knock, code)| (format!("{kind}, {name}"), knock, code);
        rows.into_iter().map(of_kind)
    });
    let mut wrong = Vec::new();
    for (name, knock, code) in rows {
        let (told, reason) = knock.closed().await;
        if told != code {
            wrong.push(format!("{name}: {told} {reason}, not {code}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        place.world.upgrades().len(),
        dials,
        "the engine hears of none of it"
    );
    drop(place.redis);
}
