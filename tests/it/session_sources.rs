//! How the session checks do is to be seen: by their outcomes, and by whether whoever is asked
//! answers.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::{ORIGIN, Portal, Recipe, Reply, World, soon};

const UP: &str = "qix_proxy_session_source_up{route=\"/qlik\",kind=\"forward-auth\"}";
const REFUSED: &str = "qix_proxy_refused_total{reason=\"not_signed_in\"}";

async fn of_portal(portal: &Portal) -> World {
    let url = portal.url("/me");
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{url}\"\ncookies = [\"session\"]\nsubject = \
         \"id\"\nrecheck = \"20ms\"\ncache = \"0s\"\n"
    );
    Recipe::default().session(&session).start().await
}

async fn checks(world: &World, outcome: &str) -> u64 {
    let labels = format!("route=\"/qlik\",kind=\"forward-auth\",outcome=\"{outcome}\"");
    let name = format!("qix_proxy_session_checks_total{{{labels}}}");
    world.metric(&name).await
}

async fn until_up_is(world: &World, up: u64) {
    soon(async { while world.metric(UP).await != up {} }).await;
}

#[tokio::test]
async fn an_outage_begins_and_ends_with_a_line_and_a_number() {
    let portal = Portal::start().await;
    portal.log_in("s-1", Reply::json(&json!({"id": "ada"})));
    let world = of_portal(&portal).await;
    let app = format!("/qlik/app/{SALES_APP}");
    let mut ada = world.connect(&app).cookie("s-1").open().await;
    assert_eq!(world.connect(&app).cookie("s-2").closed().await.0, 4006);
    assert_eq!(world.connect(&app).closed().await.0, 4006, "no credential");
    assert_eq!(world.metric(UP).await, 1);

    portal.say(Some(Reply::page(503)));
    until_up_is(&world, 0).await;
    assert_eq!(world.connect(&app).cookie("s-1").closed().await.0, 4211);
    ada.is_alive().await;
    portal.say(None);
    until_up_is(&world, 1).await;
    ada.is_alive().await;

    let counts = [
        checks(&world, "valid").await,
        checks(&world, "refused").await,
        checks(&world, "down").await,
    ];
    assert_eq!(counts, [1, 1, 1]);
    let log = world.log_text();
    for line in ["session endpoint fails", "session endpoint answers again"] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[tokio::test]
async fn whoever_is_refused_at_the_session_door_is_counted() {
    let portal = Portal::start().await;
    let world = of_portal(&portal).await;
    for method in ["GET", "POST"] {
        let before = world.metric(REFUSED).await;
        let knock = world.http(method, "/qlik/session").origin(ORIGIN);
        assert_eq!(knock.cookie("s-1").refused().await.status, 401);
        assert_eq!(world.metric(REFUSED).await, before + 1, "{method}");
    }
}
