//! Claims that want to be more than a value: what goes into a token is the whole text and nothing else,
//! and what is no text for it opens nothing.

use std::net::SocketAddr;

use engine_sim::core::Core;
use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Builder, Seen};
use jsonwebtoken::dangerous::insecure_decode;
use rcgen::PKCS_RSA_SHA256;
use serde_json::{Value, json};

use super::Keys;
use crate::support::{Recipe, World};

/// Texts that would be something else in JSON, a filter, a header or a URL.
const TEXTS: [&str; 8] = [
    "root\",\"sub\":\"root",
    "root\"}",
    "\\",
    "root\\\" or \"\" eq \"",
    "{sub}",
    "../root?x=1&user=root#",
    "root; UserId=admin",
    "rööt ☃ \u{202e}toor",
];

/// What is no text, or none that can stand anywhere.
fn unfit() -> Vec<Value> {
    vec![
        json!(""),
        json!("  "),
        json!("root\r\nX-Qlik-User: root"),
        json!("root\u{0}"),
        json!("\u{7f}"),
        json!("x".repeat(100_000)),
        json!(7),
        json!(true),
        json!(null),
        json!(["root"]),
        json!({"value": "root"}),
    ]
}

fn claims(who: &Value) -> Value {
    json!({"sub": "ada", "who": who})
}

async fn admitted(world: &World, who: &str) {
    let token = world.sign(claims(&json!(who)));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.cookie(&token).open().await;
}

async fn refused(world: &World) {
    for who in unfit() {
        let token = world.sign(claims(&who));
        if token.len() > 8000 {
            // No head of a request holds it.
            continue;
        }
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let (code, _) = knock.cookie(&token).closed().await;
        assert_eq!(code, 4203, "{who}");
    }
}

/// The last fetch.
fn posted(world: &World) -> Seen {
    let mut seen = world.tenant.requests().into_iter();
    seen.rfind(|seen| seen.method == "POST").unwrap()
}

/// The claims of the token in a request's `Authorization`.
fn said(seen: &Seen) -> Value {
    let bearer = seen.header("authorization").unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    insecure_decode::<Value>(token).unwrap().claims
}

#[tokio::test]
async fn a_person_who_is_impersonated_is_the_whole_text() {
    let world = Recipe::default()
        .credential(
            r#"
            kind = "oauth-impersonation"
            client_id = "trusted"
            client_secret = { env = "QLIK_CLIENT_SECRET" }
            user = { field = "subject", claim = "who" }"#,
        )
        .start()
        .await;
    refused(&world).await;
    assert!(world.tenant.requests().is_empty());
    for text in TEXTS {
        admitted(&world, text).await;
        let fetch = posted(&world);
        let body: Value = serde_json::from_str(&fetch.body).unwrap();
        let lookup = json!({"field": "subject", "value": text});
        assert_eq!(body["user_lookup"], lookup);
        let fields = body.as_object().unwrap().len();
        assert_eq!(fields, 5, "{body}");
    }
}

#[tokio::test]
async fn whatever_is_said_of_a_person_logs_in_nobody_else() {
    let keys = Keys::new(&PKCS_RSA_SHA256);
    let toml = format!(
        r#"
        kind = "cloud-jwt"
        issuer = "https://app.example.com"
        signing_key = {{ file = "{}" }}
        key_id = "key-1"
        subject = "app|{{who}}"
        name = "{{who}}"
        email = "{{who}}"
        groups_claim = "groups""#,
        keys.private
    );
    let public = keys.public.clone();
    let provided = move |tenant: Builder| {
        let provided = tenant.identity_provider("https://app.example.com", "key-1", &public);
        provided.unwrap()
    };
    let world = Recipe::default().credential(&toml).tenant(provided);
    let world = world.start().await;
    world.keep(keys.secret());
    refused(&world).await;
    assert!(world.tenant.requests().is_empty());
    for text in TEXTS {
        admitted(&world, text).await;
        let said = said(&posted(&world));
        assert_eq!(said["sub"], format!("app|{text}"));
        assert_eq!(said["name"], text);
        assert_eq!(said["email"], text);
        assert_eq!(said["subType"], "user");
        assert_eq!(said["groups"], json!([]));
    }
}

#[tokio::test]
async fn whoever_signs_for_a_person_signs_for_nobody_else() {
    let secret = "canary-engine-secret-0123456789abcdef";
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let core = Core::builder().validate_by_secret(secret.as_bytes());
    let core = core.start(address).await.unwrap();
    let files = crate::support::Files::new();
    let file = files.write("secret", secret);
    let credential = format!(
        r#"
        kind = "bearer-jwt"
        subject = "{{who}}"
        claims = {{ name = "{{who}}" }}
        signing_secret = {{ file = "{file}" }}"#
    );
    let world = Recipe::default()
        .credential(&credential)
        .engine(&format!("url = \"{}\"", core.url()))
        .start()
        .await;
    refused(&world).await;
    assert!(core.requests().is_empty());
    for text in TEXTS {
        admitted(&world, text).await;
        let said = said(&core.requests().pop().unwrap());
        assert_eq!((&said["sub"], &said["name"]), (&json!(text), &json!(text)));
        assert_eq!(said.as_object().unwrap().len(), 5, "{said}");
    }
    for secret in core.secrets() {
        world.keep(secret);
    }
    world.keep(secret.to_owned());
}
