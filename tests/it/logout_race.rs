//! A logout at every step of the gate: whatever it meets, no socket of that session is open after.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault, UpgradeFault};
use serde_json::json;
use tokio::time::sleep;

use crate::support::frames::{TEXT, masked};
use crate::support::{
    End, Hello, Issuer, Knock, Portal, Recipe, Reply, World, soon, unique, until,
};

/// One session of one person, on its way in.
struct Scene {
    issuer: Issuer,
    world: World,
    session: String,
}

impl Scene {
    async fn of(recipe: impl FnOnce(&Issuer) -> Recipe) -> Self {
        let issuer = Issuer::start().await;
        let world = recipe(&issuer).start().await;
        let session = world.keep(issuer.session(&json!({"sub": "ada", "sid": "s-1"})));
        Self {
            issuer,
            world,
            session,
        }
    }

    fn knock(&self) -> Knock<'_> {
        let target = format!("/qlik/app/{SALES_APP}");
        self.world.connect(&target).cookie(&self.session)
    }

    /// The logout, taken while the gate is at the step.
    async fn log_out(&self, route: &str) {
        let token = self.issuer.logout(&json!({"sid": "s-1"}));
        let answer = self.world.announce(route, &token).await;
        assert_eq!(answer.status, 200);
    }

    /// Nothing of the session is open, nor opens again.
    async fn assert_over(&self) {
        soon(self.world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!(self.knock().closed().await.0, 4006, "a further socket");
        soon(async {
            while self.open().await > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// How long an opening takes, or a logout, whichever is longer.
    async fn span(&self) -> Duration {
        self.knock().open().await.close(1000).await;
        let begun = Instant::now();
        self.knock().open().await.close(1000).await;
        let opening = begun.elapsed();
        let begun = Instant::now();
        let token = self.issuer.logout(&json!({"sid": "nobody"}));
        assert_eq!(self.world.announce("/qlik", &token).await.status, 200);
        opening.max(begun.elapsed())
    }

    async fn open(&self) -> u64 {
        let name = "qix_proxy_sockets_open{route=\"/qlik\"}";
        self.world.metric(name).await
    }
}

/// A second route of the same issuer, with a way of its own to the keys.
fn another_route(issuer: &Issuer) -> String {
    format!(
        "[[route]]\npath = \"/other\"\norigins = [\"https://app.example.com\"]\n{}\
         [route.access]\napps = \"any\"\n[route.credential]\nkind = \"none\"\n\
         [route.engine]\nurl = \"http://127.0.0.1:1\"\n",
        issuer.check("/spare")
    )
}

#[tokio::test]
async fn before_the_session_is_known() {
    let scene = Scene::of(|issuer| issuer.recipe().process(&another_route(issuer))).await;
    scene.issuer.portal.hold("/keys");
    let (told, ()) = tokio::join!(scene.knock().closed(), async {
        until(|| scene.issuer.portal.asked_at("/keys") == 1).await;
        scene.log_out("/other").await;
        scene.issuer.portal.release();
    });
    assert_eq!(told.0, 4006);
    assert!(scene.world.upgrades().is_empty(), "the engine was dialled");
    scene.assert_over().await;
}

#[tokio::test]
async fn while_the_credential_is_fetched() {
    let scene = Scene::of(|issuer| issuer.recipe().impersonating()).await;
    let tenant = &scene.world.tenant;
    tenant.script(Script::Token(TokenFault::Hold));
    let (told, ()) = tokio::join!(scene.knock().closed(), async {
        tenant.until(|state| state.token_fetches == 1).await;
        scene.log_out("/qlik").await;
        assert!(
            scene.world.upgrades().is_empty(),
            "the gate was past the step"
        );
        tenant.release();
    });
    assert_eq!(told.0, 4006);
    scene.assert_over().await;
}

#[tokio::test]
async fn while_a_fresh_credential_is_fetched() {
    let scene = Scene::of(|issuer| issuer.recipe().impersonating()).await;
    let tenant = &scene.world.tenant;
    let refuse = UpgradeFault::Refuse {
        status: 401,
        body: None,
    };
    tenant.script(Script::Upgrade(refuse));
    let (told, ()) = tokio::join!(scene.knock().closed(), async {
        tenant.until(|state| state.token_fetches == 1).await;
        tenant.script(Script::Token(TokenFault::Hold));
        tenant.until(|state| state.token_fetches == 2).await;
        scene.log_out("/qlik").await;
        assert_eq!(
            scene.world.upgrades().len(),
            1,
            "the gate was past the step"
        );
        tenant.release();
    });
    assert_eq!(told.0, 4006);
    scene.assert_over().await;
}

#[tokio::test]
async fn while_the_engine_is_dialled() {
    let scene = Scene::of(Issuer::recipe).await;
    let tenant = &scene.world.tenant;
    tenant.script(Script::Upgrade(UpgradeFault::Hold));
    let (told, ()) = tokio::join!(scene.knock().closed(), async {
        until(|| scene.world.upgrades().len() == 1).await;
        scene.log_out("/qlik").await;
        assert_eq!(
            tenant.state().sockets_opened,
            0,
            "the gate was past the step"
        );
        tenant.release();
    });
    assert_eq!(told.0, 4006);
    scene.assert_over().await;
}

#[tokio::test]
async fn what_came_with_the_knock_reaches_no_engine() {
    let scene = Scene::of(Issuer::recipe).await;
    let tenant = &scene.world.tenant;
    tenant.script(Script::Upgrade(UpgradeFault::Hold));
    let call = br#"{"jsonrpc":"2.0","id":1,"handle":-1,"method":"EngineVersion","params":[]}"#;
    let knock = scene.knock().tail(&masked(TEXT, call));
    let (told, ()) = tokio::join!(knock.closed(), async {
        until(|| scene.world.upgrades().len() == 1).await;
        scene.log_out("/qlik").await;
        tenant.release();
    });
    assert_eq!(told.0, 4006);
    scene.assert_over().await;
    let heard = scene.world.upgrades().remove(0).messages;
    assert!(heard.is_empty(), "{heard:?}");
}

#[tokio::test]
async fn right_after_the_101() {
    let scene = Scene::of(Issuer::recipe).await;
    let Hello { mut browser, .. } = scene.knock().upgraded().await;
    scene.log_out("/qlik").await;
    assert_eq!(browser.closed().await.0, 4006);
    scene.assert_over().await;
}

/// The steps that wait for nothing cannot be held. So logouts are sent at every moment of an
/// opening, from before its first byte until after its 101, and then again and again where those
/// that come in time meet those that come too late.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_any_moment_between() {
    const SWEEP: u32 = 100;
    const HOVER: u32 = 300;
    // More at once than a person opens.
    let limits = "[limits]
opens_per_minute = 10000
";
    let scene = Scene::of(|issuer| issuer.recipe().process(limits)).await;
    let span = scene.span().await;
    let (mut refused, mut cut) = (0, 0);
    for time in 0..SWEEP {
        match scene.meet(span, span * 2 * time / SWEEP).await {
            Met::InTime => refused += 1,
            Met::TooLate => cut += 1,
        }
    }
    println!("{refused} refused before the dial, {cut} ended after it, over {span:?}");
    assert!(refused > 0 && cut > 0, "one side was never met");
    let mut moment = span * 2 * refused / SWEEP;
    for _ in 0..HOVER {
        moment = match scene.meet(span, moment).await {
            Met::InTime => moment + span / 50,
            Met::TooLate => moment.saturating_sub(span / 50),
        }
    }
    println!("they meet at {moment:?}");
    soon(scene.world.tenant.until(|state| state.sockets_open == 0)).await;
}

/// When a logout came.
enum Met {
    /// Before the engine was dialled.
    InTime,
    /// After that.
    TooLate,
}

impl Scene {
    /// A session knocks after `span`, and is logged out after `moment`: it must be over then.
    async fn meet(&self, span: Duration, moment: Duration) -> Met {
        let sid = unique("moment");
        // A person of its own, for nobody may open that many sockets in a minute.
        let session = self.issuer.session(&json!({"sub": sid, "sid": sid}));
        let knock = self.world.connect(&format!("/qlik/app/{SALES_APP}"));
        let knock = knock.cookie(&session);
        let token = self.issuer.logout(&json!({"sid": sid}));
        let (dialled, begun) = (self.world.upgrades().len(), Instant::now());
        let knocking = async {
            passed(begun + span).await;
            knock.clone().upgraded().await
        };
        let logging_out = async {
            passed(begun + moment).await;
            assert_eq!(self.world.announce("/qlik", &token).await.status, 200);
        };
        let (Hello { mut browser, .. }, ()) = tokio::join!(knocking, logging_out);
        let end = browser.end().await;
        assert!(
            matches!(end, End::Closed(4006, _)),
            "after {moment:?}: {end:?}"
        );
        let met = match self.world.upgrades().len() - dialled {
            0 => Met::InTime,
            _ => Met::TooLate,
        };
        assert_eq!(knock.closed().await.0, 4006, "after {moment:?}");
        met
    }
}

/// Lets that moment come, to the microsecond.
async fn passed(moment: Instant) {
    while Instant::now() < moment {
        tokio::task::yield_now().await;
    }
}

fn vouched(portal: &Portal, more: &str) -> Recipe {
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{}\"\ncookies = [\"app_session\"]\n\
         subject = \"/user\"\nrecheck = \"100ms\"\n{more}\n",
        portal.url("/me")
    );
    Recipe::default().session(&session)
}

#[tokio::test]
async fn an_app_that_says_yes_too_late_is_asked_again() {
    let portal = Portal::start().await;
    let world = vouched(&portal, "").start().await;
    portal.log_in("secret-of-ada", Reply::json(&json!({"user": "ada"})));
    let knock = || {
        let target = format!("/qlik/app/{SALES_APP}");
        world
            .connect(&target)
            .with("cookie", "app_session=secret-of-ada")
    };
    portal.hold("/me");
    let (told, ()) = tokio::join!(knock().closed(), async {
        until(|| portal.asked_at("/me") == 1).await;
        portal.log_out("secret-of-ada");
        portal.release();
    });
    assert_eq!(told.0, 4006);
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!(knock().closed().await.0, 4006);
}

#[tokio::test]
async fn an_app_that_ends_the_session_during_the_dial_is_heard() {
    let portal = Portal::start().await;
    let world = vouched(&portal, "").impersonating().start().await;
    for fault in [
        Script::Token(TokenFault::Hold),
        Script::Upgrade(UpgradeFault::Hold),
    ] {
        let (fetches, upgrades) = (world.tenant.state().token_fetches, world.upgrades().len());
        world.tenant.script(fault);
        let name = format!("secret-of-ada-{upgrades}");
        portal.log_in(
            &name,
            Reply::json(&json!({"user": format!("ada-{upgrades}")})),
        );
        let target = format!("/qlik/app/{SALES_APP}");
        let cookie = format!("app_session={name}");
        let knock = || world.connect(&target).with("cookie", &cookie);
        let (told, ()) = tokio::join!(knock().closed(), async {
            until(|| {
                world.tenant.state().token_fetches > fetches || world.upgrades().len() > upgrades
            })
            .await;
            portal.log_out(&name);
            let asked = portal.asked_at("/me");
            until(|| portal.asked_at("/me") > asked).await;
            world.tenant.release();
        });
        assert_eq!(told.0, 4006);
        soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!(knock().closed().await.0, 4006);
    }
}
