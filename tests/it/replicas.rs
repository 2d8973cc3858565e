//! Several proxies that share a Redis: a logout that one hears counts on all.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{Browser, Issuer, Knock, RealRedis, Sibling, World, attempt, soon};

const ENDED: (u16, &str) = (4006, "App session ended or not valid");
/// How soon a logout counts on every replica.
const SOON: Duration = Duration::from_secs(2);
const STREAM: &str = "qix-proxy:logouts";

/// An issuer, a Redis, and two proxies.
struct Scene {
    issuer: Issuer,
    redis: RealRedis,
    first: World,
    second: Sibling,
}

impl Scene {
    async fn start() -> Self {
        let (issuer, redis) = (Issuer::start().await, RealRedis::start().await);
        let operators = "token = { env = \"QIX_ADMIN_TOKEN\" }";
        let recipe = || issuer.recipe().process(&redis.table()).admin(operators);
        let first = recipe().start().await;
        let second = Sibling::start(&first, &recipe()).await;
        Self {
            issuer,
            redis,
            first,
            second,
        }
    }

    /// One more proxy.
    async fn another(&self) -> Sibling {
        let recipe = self.issuer.recipe().process(&self.redis.table());
        Sibling::start(&self.first, &recipe).await
    }

    /// A session's token.
    fn session(&self, sid: &str) -> String {
        let token = self.issuer.session(&json!({"sub": "ada", "sid": sid}));
        self.first.keep(token)
    }

    /// The issuer tells the first proxy of a logout.
    async fn log_out(&self, sid: &str) {
        let token = self.issuer.logout(&json!({"sub": "ada", "sid": sid}));
        assert_eq!(self.first.announce("/qlik", &token).await.status, 200);
    }

    /// An operator closes sockets of the first proxy; says what that answers.
    async fn close(&self, which: &str) -> String {
        let bearer = format!("Bearer {}", self.first.secrets.admin);
        let target = format!("/sockets?{which}");
        let asked = self.first.http("DELETE", &target).set("host", "localhost");
        let asked = asked.at(self.first.proxy.admin);
        asked.with("authorization", &bearer).refused().await.body
    }

    fn visit(&self, session: &str) -> Knock<'_> {
        let target = format!("/qlik/app/{SALES_APP}");
        self.first.connect(&target).cookie(session)
    }

    /// Waits until the session is refused at a proxy.
    async fn until_refused(&self, proxy: &Sibling, session: &str) {
        let refused = async {
            while attempt(proxy.asked(self.visit(session))).await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon(refused).await;
    }

    fn warnings(&self, of: &str) -> usize {
        let log = self.first.log();
        let warnings = log.iter().filter(|line| line.level == "WARN");
        warnings.filter(|line| line.message.contains(of)).count()
    }
}

async fn assert_ended(browser: &mut Browser) {
    let (code, reason) = browser.closed().await;
    assert_eq!((code, reason.as_str()), ENDED);
}

#[tokio::test]
async fn a_logout_at_one_ends_the_sockets_at_all_and_no_other() {
    let scene = Scene::start().await;
    let (ours, other) = (scene.session("s-1"), scene.session("s-2"));
    let second = &scene.second;
    let mut ended = [
        scene.visit(&ours).open().await,
        second.asked(scene.visit(&ours)).open().await,
        second.asked(scene.visit(&ours)).open().await,
    ];
    let mut spared = [
        scene.visit(&other).open().await,
        second.asked(scene.visit(&other)).open().await,
    ];
    scene.log_out("s-1").await;
    let begun = Instant::now();
    for browser in &mut ended {
        assert_ended(browser).await;
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let refused = second.asked(scene.visit(&ours)).closed().await;
    assert_eq!((refused.0, refused.1.as_str()), ENDED);
    for browser in &mut spared {
        browser.is_alive().await;
    }
    for metric in ["replicas_connected", "replicas_logouts_total"] {
        let name = format!("qix_proxy_{metric}");
        assert_eq!(second.metric(&scene.first, &name).await, 1, "{name}");
        assert_eq!(scene.first.metric(&name).await, 1, "{name}");
    }
    let read = "qix_proxy_replicas_read_seconds";
    assert!(second.metric(&scene.first, read).await > 1_700_000_000);
}

#[tokio::test]
async fn what_an_operator_closes_at_one_is_closed_at_all_and_nobody_is_kept_out() {
    let scene = Scene::start().await;
    let (ada, second) = (scene.session("s-1"), &scene.second);
    let bob = scene.issuer.session(&json!({"sub": "bob", "sid": "s-2"}));
    let bob = scene.first.keep(bob);
    let mut closed = [
        second.asked(scene.visit(&ada)).open().await,
        second.asked(scene.visit(&ada)).open().await,
        scene.visit(&ada).open().await,
    ];
    let mut bob = second.asked(scene.visit(&bob)).open().await;
    assert_eq!(scene.close("subject=ada").await, r#"{"closed":1}"#);
    for browser in &mut closed {
        assert_eq!(browser.closed().await.0, 4006);
    }
    bob.is_alive().await;
    // The fourth of the second proxy, which the first has none of.
    let mut again = second.asked(scene.visit(&ada)).open().await;
    assert_eq!(scene.close("id=4").await, r#"{"closed":0}"#);
    assert_eq!(scene.close("subject=bob").await, r#"{"closed":0}"#);
    assert_eq!(bob.closed().await.0, 4006);
    again.is_alive().await;
}

#[tokio::test]
async fn a_logout_by_subject_reaches_what_began_before_it_everywhere() {
    let scene = Scene::start().await;
    let (before, after) = (scene.session("s-1"), scene.session("s-2"));
    let at = |scene: &Scene, knock| scene.second.asked(knock);
    let mut ada = at(&scene, scene.visit(&before)).open().await;
    let token = scene.issuer.logout(&json!({"sub": "ada"}));
    assert_eq!(scene.first.announce("/qlik", &token).await.status, 200);
    assert_ended(&mut ada).await;
    scene.until_refused(&scene.second, &after).await;
    let claims = json!({"sub": "ada", "sid": "s-3", "iat": crate::support::now() + 2});
    let new = scene.first.keep(scene.issuer.session(&claims));
    at(&scene, scene.visit(&new)).open().await;
}

#[tokio::test]
async fn a_logout_by_session_reaches_what_has_no_id_everywhere() {
    let scene = Scene::start().await;
    let claims = |sub: &str| json!({"sub": sub, "iat": crate::support::now() - 1});
    let session = |sub: &str| scene.first.keep(scene.issuer.session(&claims(sub)));
    let (ours, bobs, other) = (session("ada"), session("bob"), scene.session("s-2"));
    let mut ada = scene.second.asked(scene.visit(&ours)).open().await;
    let mut spared = [
        scene.second.asked(scene.visit(&bobs)).open().await,
        scene.second.asked(scene.visit(&other)).open().await,
    ];
    scene.log_out("s-1").await;
    assert_ended(&mut ada).await;
    scene.until_refused(&scene.second, &ours).await;
    for browser in &mut spared {
        browser.is_alive().await;
    }
}

#[tokio::test]
async fn a_proxy_that_starts_later_knows_what_was_told() {
    let scene = Scene::start().await;
    let ours = scene.session("s-1");
    scene.log_out("s-1").await;
    scene.until_refused(&scene.second, &ours).await;
    let third = scene.another().await;
    // No waiting: it opens its door when it knows.
    let refused = third.asked(scene.visit(&ours)).closed().await;
    assert_eq!((refused.0, refused.1.as_str()), ENDED);
    third.asked(scene.visit(&scene.session("s-2"))).open().await;
}

#[tokio::test]
async fn more_than_is_read_at_once_is_read_to_the_end() {
    let scene = Scene::start().await;
    let names: Vec<String> = (0..1_100).map(|number| format!("s-{number}")).collect();
    for some in names.chunks(50) {
        join_all(some.iter().map(|sid| scene.log_out(sid))).await;
    }
    soon(async {
        while scene.redis.run::<usize>(&["XLEN", STREAM]).await < names.len() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let third = scene.another().await;
    for sid in ["s-0", "s-999", "s-1000", "s-1099"] {
        let session = scene.session(sid);
        assert_eq!(
            third.asked(scene.visit(&session)).closed().await.0,
            4006,
            "{sid}"
        );
    }
    third
        .asked(scene.visit(&scene.session("s-1100")))
        .open()
        .await;
}

#[tokio::test]
async fn what_is_told_while_redis_is_away_is_heard_when_it_is_back() {
    let mut scene = Scene::start().await;
    let ours = scene.session("s-1");
    let mut there = scene.second.asked(scene.visit(&ours)).open().await;
    scene.redis.stop();
    let mut here = scene.visit(&ours).open().await;
    scene.log_out("s-1").await;
    assert_ended(&mut here).await;
    there.is_alive().await;
    assert_eq!(scene.first.metric("qix_proxy_replicas_waiting").await, 1);
    soon(async {
        while scene.first.metric("qix_proxy_replicas_connected").await == 1 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    scene.redis.resume().await;
    assert_ended(&mut there).await;
    assert_eq!(scene.first.metric("qix_proxy_replicas_waiting").await, 0);
    assert!(scene.warnings("the replicas' Redis cannot be used") >= 1);
}

#[tokio::test]
async fn what_redis_forgot_is_told_again() {
    let mut scene = Scene::start().await;
    let ours = scene.session("s-1");
    scene.log_out("s-1").await;
    scene.until_refused(&scene.second, &ours).await;
    scene.redis.stop();
    scene.redis.resume().await;
    soon(async {
        while scene.redis.run::<usize>(&["XLEN", STREAM]).await == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let third = scene.another().await;
    let refused = third.asked(scene.visit(&ours)).closed().await;
    assert_eq!((refused.0, refused.1.as_str()), ENDED);
}

#[tokio::test]
async fn a_proxy_whose_redis_is_away_opens_and_learns_later() {
    let mut scene = Scene::start().await;
    let ours = scene.session("s-1");
    scene.redis.stop();
    scene.log_out("s-1").await;
    let begun = Instant::now();
    let third = scene.another().await;
    let mut ada = third.asked(scene.visit(&ours)).open().await;
    let waited = begun.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(9)).contains(&waited),
        "{waited:?}"
    );
    assert!(scene.warnings("is not known yet") >= 1);
    scene.redis.resume().await;
    assert_ended(&mut ada).await;
}

#[tokio::test]
async fn what_was_taken_last_is_told_before_a_stop() {
    let mut scene = Scene::start().await;
    let ours = scene.session("s-1");
    let mut there = scene.second.asked(scene.visit(&ours)).open().await;
    scene.log_out("s-1").await;
    soon(scene.first.stop()).await.unwrap();
    assert_ended(&mut there).await;
}

#[tokio::test]
async fn a_forged_entry_ends_nobody_and_admits_nobody() {
    let scene = Scene::start().await;
    let (ours, gone) = (scene.session("s-1"), scene.session("s-0"));
    scene.log_out("s-0").await;
    scene.until_refused(&scene.second, &gone).await;
    let mut sockets = [
        scene.visit(&ours).open().await,
        scene.second.asked(scene.visit(&ours)).open().await,
    ];
    let genuine: Vec<(String, Vec<String>)> = scene.redis.run(&["XRANGE", STREAM, "-", "+"]).await;
    let [_, text, _, seal] = &genuine[0].1[..] else {
        panic!("{genuine:?}");
    };
    let other = text.replace("s-0", "s-1");
    assert_ne!(&other, text);
    let admit = text.replace("session", "admit");
    let forged: [&[&str]; 6] = [
        &["logout", &other, "seal", seal],
        &["logout", &other, "seal", &"0".repeat(64)],
        &["logout", &other],
        &["logout", &admit, "seal", seal],
        &["seal", "\u{0}", "logout", "{"],
        &["x", "y"],
    ];
    for fields in forged {
        let _: String = scene
            .redis
            .run(&[&["XADD", STREAM, "*"], fields].concat())
            .await;
    }
    let strange = "qix_proxy_replicas_strange_total";
    soon(async {
        while scene.second.metric(&scene.first, strange).await < 6 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for socket in &mut sockets {
        socket.is_alive().await;
    }
    scene.until_refused(&scene.second, &gone).await;
    // The genuine one again, as a replay: it says what is known.
    let _: String = scene
        .redis
        .run(&["XADD", STREAM, "*", "logout", text, "seal", seal])
        .await;
    scene.log_out("s-1").await;
    for socket in &mut sockets {
        let ended = timeout(SOON, assert_ended(socket)).await;
        assert!(ended.is_ok(), "the genuine one is heard behind the forged");
    }
}
