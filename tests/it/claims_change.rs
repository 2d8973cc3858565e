//! What an app says of somebody can change while their sockets are open.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};

use crate::support::{Knock, Portal, Recipe, Reply, World, until};

/// A world whose app says at every look what its person may open.
async fn world(portal: &Portal) -> World {
    let url = portal.url("/session");
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{url}\"\ncookies = [\"session\"]\nsubject = \
         \"/user\"\nclaims = {{ apps = \"/apps\", name = \"/name\" }}\ncache = \"10ms\"\nrecheck = \"50ms\"\n"
    );
    let recipe = Recipe::default().session(&session);
    recipe.access("apps_claim = \"apps\"").start().await
}

fn says(portal: &Portal, apps: &Value, name: &str) {
    let answer = json!({"user": "ada", "apps": apps, "name": name});
    portal.say(Some(Reply::json(&answer)));
}

fn knock<'a>(world: &'a World, app: &str) -> Knock<'a> {
    let knock = world.connect(&format!("/qlik/app/{app}"));
    knock.cookie("s1")
}

#[tokio::test]
async fn a_socket_ends_when_something_else_is_said_of_what_its_person_may_open() {
    let portal = Portal::start().await;
    let world = world(&portal).await;
    says(&portal, &json!([SALES_APP, FINANCE_APP]), "Ada");
    let mut finance = knock(&world, FINANCE_APP).open().await;

    // Another name is no other right.
    says(&portal, &json!([SALES_APP, FINANCE_APP]), "Countess");
    let looked = portal.asked().len();
    until(|| portal.asked().len() > looked + 2).await;
    finance.is_alive().await;

    says(&portal, &json!([SALES_APP]), "Countess");
    assert_eq!(finance.closed().await.0, 4003);
    assert_eq!(knock(&world, FINANCE_APP).closed().await.0, 4203);
    knock(&world, SALES_APP).open().await.is_alive().await;
}
