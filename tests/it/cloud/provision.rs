//! `[route.credential.provision]`: people become users of the tenant, each exactly one.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Builder, ClientKind, Script, Seen};
use serde_json::{Value, json};

use crate::support::{Knock, Recipe, World};

const CREDENTIAL: &str = r#"
    kind = "oauth-impersonation"
    client_id = "trusted"
    client_secret = { env = "QLIK_CLIENT_SECRET" }
    user = { field = "subject", claim = "sub" }
    [route.credential.provision]
    client_id = "admin"
    client_secret = { env = "QLIK_ADMIN_SECRET" }
    name = "{name}"
"#;

async fn world(more: &str, further: impl FnOnce(Builder) -> Builder + 'static) -> World {
    let recipe = Recipe::default().credential(&format!("{CREDENTIAL}{more}"));
    let secret = recipe.secrets.client.clone();
    let tenant = move |tenant: Builder| {
        further(
            tenant
                .client("admin", secret, ClientKind::Admin)
                .knowing_users(),
        )
    };
    recipe.tenant(tenant).start().await
}

fn knock<'a>(world: &'a World, subject: &str) -> Knock<'a> {
    let token = world.sign(json!({"sub": subject, "name": "Ada"}));
    world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .cookie(&token)
}

fn created(world: &World) -> Vec<Value> {
    let is_creation = |seen: &Seen| seen.method == "POST" && seen.path() == "/api/v1/users";
    let seen = world.tenant.requests().into_iter().filter(is_creation);
    seen.map(|seen| serde_json::from_str(&seen.body).unwrap())
        .collect()
}

#[tokio::test]
async fn a_newcomer_becomes_a_user_once() {
    let world = world("", |tenant| tenant).await;
    for _ in 0..2 {
        knock(&world, "ada").open().await;
    }
    let ada = json!({"name": "Ada", "subject": "ada", "status": "active"});
    assert_eq!(created(&world), [ada]);
    knock(&world, "bob").open().await;
    assert_eq!(created(&world).len(), 2);
    // Two of people, one of the admin client.
    assert_eq!(world.tenant.state().token_fetches, 3);
}

#[tokio::test]
async fn a_user_is_found_by_every_byte_of_the_subject() {
    let world = world("", |tenant| tenant.account("bob", &[]).account("Ada", &[])).await;
    knock(&world, "bob").open().await;
    assert!(created(&world).is_empty());
    // The tenant holds Ada and ada for the same; the proxy does not.
    let (code, _) = knock(&world, "ada").closed().await;
    assert_eq!(code, 4203);
}

#[tokio::test]
async fn a_hostile_subject_is_nobody_but_itself() {
    let hostile = [
        "x\" or subject eq \"bob",
        "bob\\",
        "\\\" or \"\" eq \"",
        "bob\" or \"\"=\"",
        "böb ☃",
        "*",
    ];
    let world = world("", |tenant| tenant.account("bob", &[])).await;
    for subject in hostile {
        knock(&world, subject).open().await;
    }
    let subjects: Vec<Value> = created(&world);
    let subjects: Vec<&str> = subjects
        .iter()
        .map(|user| user["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, hostile);
}

#[tokio::test]
async fn an_administrator_is_not_impersonated_unless_it_is_said() {
    for (more, let_in) in [("", false), ("admins = \"impersonate\"", true)] {
        let world = world(more, |tenant| {
            tenant
                .account("root", &["TenantAdmin"])
                .account("dev", &["Developer"])
        })
        .await;
        knock(&world, "dev").open().await;
        if let_in {
            knock(&world, "root").open().await;
            continue;
        }
        let (code, _) = knock(&world, "root").closed().await;
        assert_eq!(code, 4203);
        assert!(world.log_text().contains("holds an administrator's role"));
    }
}

#[tokio::test]
async fn somebody_who_creates_the_user_first_is_no_trouble() {
    let world = world("", |tenant| tenant).await;
    world.tenant.expect_a_rival();
    let mut ada = knock(&world, "ada").open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
    assert_eq!(created(&world).len(), 1);
}

#[tokio::test]
async fn an_admin_token_that_ran_out_is_fetched_anew() {
    let world = world("", |tenant| tenant).await;
    knock(&world, "ada").open().await;
    world.tenant.script(Script::ExpireTokens);
    knock(&world, "bob").open().await;
    assert_eq!(created(&world).len(), 2);
}

#[tokio::test]
async fn a_new_user_counts_like_a_token() {
    let pace = "fetches_per_minute = 2\nfetch_queue = \"1ms\"";
    let world = world(pace, |tenant| tenant.account("bob", &[])).await;
    // The admin client's token, and a user.
    knock(&world, "ada").open().await;
    let (code, _) = knock(&world, "cyd").closed().await;
    assert_eq!(code, 4211);
    assert_eq!(created(&world).len(), 1);
    knock(&world, "bob").open().await;
}

#[tokio::test]
async fn who_is_a_user_needs_no_name_and_no_address() {
    let world = world("email = \"{email}\"", |tenant| tenant.account("bob", &[])).await;
    let knock = |claims| {
        let token = world.sign(claims);
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&token)
    };
    knock(json!({"sub": "bob"})).open().await;
    let unverified = json!({"sub": "bob", "name": "Bob", "email": "b@x.example"});
    knock(unverified).open().await;
    for (claims, lacking) in [
        (json!({"sub": "ada"}), "`name`"),
        (json!({"sub": "ada", "name": "Ada"}), "`email`"),
        (
            json!({"sub": "ada", "name": "Ada", "email": "a@x.example", "email_verified": false}),
            "`email`",
        ),
        (
            json!({"sub": "cyd", "name": "C\u{0}", "email": "c@x.example", "email_verified": true}),
            "`name`",
        ),
    ] {
        let (code, _) = knock(claims).closed().await;
        assert_eq!(code, 4203);
        assert!(world.log_text().contains(lacking), "{lacking}");
    }
    assert!(created(&world).is_empty());
    let whole =
        json!({"sub": "ada", "name": "Ada", "email": "a@x.example", "email_verified": true});
    knock(whole).open().await;
    assert_eq!(created(&world)[0]["email"], "a@x.example");
}
