//! Tickets of several proxies that share a Redis: drawn at one, good at any, once.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Issuer, Knock, ORIGIN, RealRedis, Recipe, Sibling, World, attempt};

const SESSIONS: &str = r#"
[[route.session]]
kind = "ticket"
[[route.session]]
kind = "jwt"
cookie = "session"
secret = { env = "SESSION_SECRET" }
"#;

/// A Redis and two proxies.
struct Scene {
    redis: RealRedis,
    first: World,
    second: Sibling,
}

impl Scene {
    async fn start() -> Self {
        Self::of(SESSIONS).await
    }

    async fn of(sessions: &str) -> Self {
        let redis = RealRedis::start().await;
        let table = redis.table();
        let recipe = || Recipe::default().process(&table).session(sessions);
        let first = recipe().start().await;
        let second = Sibling::start(&first, &recipe()).await;
        Self {
            redis,
            first,
            second,
        }
    }

    fn ask(&self, body: &str) -> Knock<'_> {
        let length = body.len().to_string();
        let knock = self.first.http("POST", "/qlik/ticket").origin(ORIGIN);
        knock.with("content-length", &length).tail(body.as_bytes())
    }

    fn ticket_of(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{answer:?}");
        let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
        self.first.keep_from_log(ticket)
    }

    /// A ticket of the first proxy.
    async fn ticket(&self, body: &str) -> String {
        let token = self.first.token("ada");
        self.ticket_of(&self.ask(body).bearer(&token).refused().await)
    }

    /// A websocket at the first proxy.
    fn by_url(&self, ticket: &str) -> Knock<'_> {
        let target = format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}");
        self.first.connect(&target)
    }
}

#[tokio::test]
async fn a_ticket_of_one_opens_at_the_other_once() {
    let scene = Scene::start().await;
    for body in ["", &json!({ "app": SALES_APP }).to_string()] {
        let ticket = scene.ticket(body).await;
        let mut ada = scene.second.asked(scene.by_url(&ticket)).open().await;
        ada.is_alive().await;
        assert_eq!(scene.by_url(&ticket).closed().await.0, 4006);
        let again = scene.second.asked(scene.by_url(&ticket));
        assert_eq!(again.closed().await.0, 4006);
    }
    let other = json!({ "app": FINANCE_APP }).to_string();
    let ticket = scene.ticket(&other).await;
    let elsewhere = scene.second.asked(scene.by_url(&ticket));
    assert_eq!(elsewhere.closed().await.0, 4203);
    let ticket = scene.ticket("").await;
    let other = scene.second.asked(scene.by_url(&ticket));
    let other = other.origin("https://other.example.com:8443");
    assert_eq!(other.closed().await.0, 4006);
}

#[tokio::test]
async fn the_rights_that_the_documents_name_are_enough() {
    let (issuer, redis) = (Issuer::start().await, RealRedis::start().await);
    let table = redis.table_for_user().await;
    let sessions = format!(
        "[[route.session]]\nkind = \"ticket\"\n{}",
        issuer.check("/keys")
    );
    let recipe = Recipe::default().process(&table).session(&sessions);
    let first = recipe.start().await;
    let recipe = Recipe::default().process(&table).session(&sessions);
    let second = Sibling::start(&first, &recipe).await;
    let scene = Scene {
        redis,
        first,
        second,
    };
    let token = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
    let token = scene.first.keep(token);
    let ticket = scene.ticket_of(&scene.ask("").bearer(&token).refused().await);
    let mut ada = scene.second.asked(scene.by_url(&ticket)).open().await;
    let logout = issuer.logout(&json!({"sub": "ada", "sid": "s-1"}));
    assert_eq!(scene.first.announce("/qlik", &logout).await.status, 200);
    assert_eq!(ada.closed().await.0, 4006);
    assert!(!scene.first.log_text().contains("canary-of-redis"));
}

#[tokio::test]
async fn of_twenty_sockets_with_one_ticket_one_opens() {
    let scene = Scene::start().await;
    for _ in 0..5 {
        let ticket = scene.ticket("").await;
        let knock = |number| match number % 2 {
            0 => scene.by_url(&ticket),
            _ => scene.second.asked(scene.by_url(&ticket)),
        };
        let outcomes = join_all((0..20).map(|number| attempt(knock(number)))).await;
        assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1);
        assert_eq!(
            outcomes.iter().filter(|it| matches!(it, Err(4006))).count(),
            19
        );
    }
}

#[tokio::test]
async fn what_lies_in_redis_tells_nothing_of_a_session() {
    let scene = Scene::start().await;
    let (token, ticket) = (scene.first.token("ada"), scene.ticket("").await);
    let keys: Vec<String> = scene.redis.run(&["KEYS", "*"]).await;
    let tickets: Vec<_> = keys.iter().filter(|key| key.contains(":ticket:")).collect();
    assert_eq!(tickets.len(), 1, "{keys:?}");
    let value: Vec<u8> = scene.redis.run(&["GET", tickets[0]]).await;
    let text = String::from_utf8_lossy(&value);
    for secret in [&token, &ticket, "ada", &scene.first.secrets.session] {
        assert!(!text.contains(secret) && !tickets[0].contains(secret));
    }
}

#[tokio::test]
async fn without_redis_tickets_are_told_to_come_again_and_cookies_come_in() {
    let mut scene = Scene::start().await;
    let ticket = scene.ticket("").await;
    scene.redis.stop();
    let token = scene.first.token("ada");
    let refused = scene.ask("").bearer(&token).refused().await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(scene.by_url(&ticket).closed().await.0, 4211);
    let other = scene.second.asked(scene.by_url(&ticket));
    assert_eq!(other.closed().await.0, 4211);
    scene.first.visit("ada", SALES_APP).open().await;
}

#[tokio::test]
async fn a_logout_reaches_tickets_of_every_proxy() {
    let issuer = Issuer::start().await;
    let sessions = format!(
        "[[route.session]]\nkind = \"ticket\"\n{}",
        issuer.check("/keys")
    );
    let scene = Scene::of(&sessions).await;
    let token = scene
        .first
        .keep(issuer.session(&json!({"sub": "ada", "sid": "s-1"})));
    let mut tickets = Vec::new();
    for _ in 0..2 {
        tickets.push(scene.ticket_of(&scene.ask("").bearer(&token).refused().await));
    }
    let mut ada = scene.second.asked(scene.by_url(&tickets[0])).open().await;
    let logout = issuer.logout(&json!({"sub": "ada", "sid": "s-1"}));
    assert_eq!(scene.first.announce("/qlik", &logout).await.status, 200);
    assert_eq!(ada.closed().await.0, 4006);
    let unused = scene.second.asked(scene.by_url(&tickets[1]));
    assert_eq!(unused.closed().await.0, 4006);
}
