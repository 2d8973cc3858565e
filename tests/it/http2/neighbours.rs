//! What streams of one connection notice of each other.

use engine_sim::tenant::{Script, UpgradeFault};

use super::{secured, visit};
use crate::support::{Recipe, soon};

/// What a client may send before it is read.
const WINDOW: usize = 65_535;

#[tokio::test]
async fn streams_that_are_not_read_do_not_stop_the_others() {
    const UNREAD: usize = 60;
    let limits = "[limits]\nsockets_per_subject = 100\nidentities_per_subject = 100\n";
    let recipe = Recipe::default().engine("dial_timeout = \"1min\"\n");
    let (world, authority) = secured(recipe.process(limits), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let mut neighbour = browser.open(visit(&world, "grace")).await;
    // Nobody reads what is said before an engine has answered.
    let mut waiting = Vec::new();
    for _ in 0..UNREAD {
        world.tenant.script(Script::Upgrade(UpgradeFault::Silence));
        let (answer, mut up) = browser.begin(visit(&world, "ada")).await;
        up.send_data(vec![0; WINDOW].into(), false).unwrap();
        waiting.push((answer, up));
    }
    neighbour.is_alive().await;
    // All of it was taken.
    for (_, up) in &mut waiting {
        up.reserve_capacity(1);
    }
    soon(browser.pings.ping(h2::Ping::opaque())).await.unwrap();
    neighbour.is_alive().await;
}
