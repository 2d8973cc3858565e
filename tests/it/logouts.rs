//! An issuer says that a session is over, and its sockets end.

use engine_sim::engine::SALES_APP;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Portal, Recipe, Signer, World, now, soon};

const ISSUER: &str = "https://idp.example";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A world that takes the logouts of an issuer with a key set.
struct House {
    world: World,
    keys: Signer,
    _portal: Portal,
}

impl House {
    async fn build() -> Self {
        let portal = Portal::start().await;
        let keys = Signer::named("k-1");
        portal.publish(vec![keys.jwk().clone()]);
        let session = format!(
            "[[route.session]]\nkind = \"jwt\"\ncookie = \"session\"\njwks = \"{}\"\nissuer = \
             \"{ISSUER}\"\naudience = \"qix\"\nleeway = \"0s\"\nlogout_audience = \"my-app\"\n",
            portal.url("/keys")
        );
        let world = Recipe::default().session(&session).start().await;
        Self {
            world,
            keys,
            _portal: portal,
        }
    }

    fn session(&self, subject: &str, session: &str) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": "qix", "sub": subject, "sid": session, "iat": now() - 5,
        });
        self.world.keep(self.keys.sign(claims))
    }

    async fn open(&self, token: &str) -> Browser {
        let knock = self.world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(token).open().await
    }

    /// The claims of a logout token, and what is said of whom.
    fn logout(whom: &Value) -> Value {
        let mut claims = json!({
            "iss": ISSUER, "aud": "my-app", "iat": now(), "exp": now() + 60,
            "jti": format!("{:?}", std::time::Instant::now()), "events": { EVENT: {} },
        });
        let claims_map = claims.as_object_mut().unwrap();
        claims_map.extend(whom.as_object().unwrap().clone());
        claims
    }

    async fn post(&self, token: &str) -> Answer {
        let form = format!("logout_token={token}");
        let request = self.world.http("POST", "/qlik/backchannel-logout");
        let request = request.with("content-type", "application/x-www-form-urlencoded");
        let length = form.len().to_string();
        let request = request.with("content-length", &length);
        request.tail(form.as_bytes()).refused().await
    }
}

#[tokio::test]
async fn a_logout_ends_the_sockets_of_that_session_and_of_no_other() {
    let house = House::build().await;
    let (first, second) = (house.session("ada", "s-1"), house.session("ada", "s-2"));
    let bobs = house.session("bob", "s-3");
    let mut ended = [house.open(&first).await, house.open(&first).await];
    let mut others = [house.open(&second).await, house.open(&bobs).await];

    let logout = house.keys.sign(House::logout(&json!({"sid": "s-1"})));
    assert_eq!(house.post(&logout).await.status, 200);
    for socket in &mut ended {
        let told = socket.closed().await;
        assert_eq!(told, (4006, "App session ended or not valid".to_owned()));
    }
    for socket in &mut others {
        socket.is_alive().await;
    }
    // The token is good until it expires; the session is not.
    let knock = house.world.connect(&format!("/qlik/app/{SALES_APP}"));
    assert_eq!(knock.cookie(&first).closed().await.0, 4006);
    house.open(&second).await.is_alive().await;
    soon(house.world.tenant.until(|state| state.sockets_open == 2)).await;
}

#[tokio::test]
async fn a_logout_of_a_person_ends_every_session_they_had() {
    let house = House::build().await;
    let mut first = house.open(&house.session("ada", "s-1")).await;
    let mut second = house.open(&house.session("ada", "s-2")).await;
    let mut bob = house.open(&house.session("bob", "s-3")).await;
    let logout = house.keys.sign(House::logout(&json!({"sub": "ada"})));
    assert_eq!(house.post(&logout).await.status, 200);
    assert_eq!(first.closed().await.0, 4006);
    assert_eq!(second.closed().await.0, 4006);
    bob.is_alive().await;
}

#[tokio::test]
async fn only_the_issuers_own_logout_token_counts_and_only_once() {
    let house = House::build().await;
    let session = house.session("ada", "s-1");
    let mut ada = house.open(&session).await;
    let with = |name: &str, value: Value| {
        let mut claims = House::logout(&json!({"sid": "s-1"}));
        claims[name] = value;
        house.keys.sign(claims)
    };
    let stranger = Signer::named("k-1").sign(House::logout(&json!({"sid": "s-1"})));
    for (name, token) in [
        ("nothing", String::new()),
        ("a session", session.clone()),
        ("a stranger's", stranger),
        (
            "another issuer's",
            with("iss", json!("https://other.example")),
        ),
        ("for another app", with("aud", json!("qix"))),
        ("an ID token", with("nonce", json!("n"))),
        ("without the event", with("events", json!({}))),
        ("of long ago", with("exp", json!(now() - 10))),
    ] {
        let answer = house.post(&token).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.json()["error"], "invalid_request", "{name}");
    }
    ada.is_alive().await;
    let good = with("sub", json!("ada"));
    assert_eq!(house.post(&good).await.status, 200);
    assert_eq!(ada.closed().await.0, 4006);
    assert_eq!(house.post(&good).await.status, 400, "a second time");
}

#[tokio::test]
async fn a_route_without_logouts_has_no_such_door() {
    let world = World::start().await;
    let post = world.http("POST", "/qlik/backchannel-logout");
    let post = post.with("content-length", "0");
    assert!((400..500).contains(&post.refused().await.status));
    let house = House::build().await;
    let get = house.world.http("GET", "/qlik/backchannel-logout");
    let answer = get.refused().await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}
