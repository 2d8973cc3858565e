//! What Qlik is told of a person besides who they are: texts, and lists such as their groups.

use engine_sim::engine::SALES_APP;
use serde_json::{Value, json};

use super::estate::{Estate, Kind, Plan, first_words};

const ATTRIBUTES: &str = r#"
    attributes = { Name = "{name}", Where = "all of {dept}" }
    list_attributes = { Group = "groups", Role = "roles" }"#;

fn plan(kind: Kind) -> Plan {
    let keys = ATTRIBUTES;
    let keys = match kind {
        Kind::Jwt => keys
            .replace("list_attributes", "list_claims")
            .replace("attributes", "claims"),
        _ => keys.to_owned(),
    };
    Plan::of(kind).with(&keys)
}

async fn come(estate: &Estate, claims: Value) -> Result<(), u16> {
    let token = estate.world.sign(claims);
    let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
    let knock = knock.cookie(&token);
    let mut browser = knock.upgraded().await.browser;
    if estate.windows.sessions().is_empty() {
        return Err(browser.closed().await.0);
    }
    first_words(&mut browser).await;
    Ok(())
}

#[tokio::test]
async fn texts_and_lists_come_as_the_claims_have_them() {
    for kind in [Kind::Jwt, Kind::Session, Kind::Ticket] {
        let estate = plan(kind).start().await;
        let groups = json!(["sales", "R&D \"x\""]);
        let claims = json!({
            "sub": "ada", "name": "Ada; L", "dept": "north", "groups": groups, "roles": "one"
        });
        come(&estate, claims).await.unwrap();
        let told = estate.windows.sessions()[0].attributes.clone();
        let mut told: Vec<String> = told.iter().map(Value::to_string).collect();
        told.sort();
        let wanted = [
            r#"{"Group":"R&D \"x\""}"#,
            r#"{"Group":"sales"}"#,
            r#"{"Name":"Ada; L"}"#,
            r#"{"Role":"one"}"#,
            r#"{"Where":"all of north"}"#,
        ];
        assert_eq!(told, wanted, "{kind:?}");
    }
}

#[tokio::test]
async fn who_is_in_no_group_has_none_and_comes_in() {
    for kind in [Kind::Jwt, Kind::Session, Kind::Ticket] {
        let estate = plan(kind).start().await;
        let claims = json!({"sub": "ada", "name": "Ada", "dept": "north", "groups": []});
        come(&estate, claims).await.unwrap();
        let told = estate.windows.sessions()[0].attributes.clone();
        assert_eq!(told.len(), 2, "{kind:?}: {told:?}");
    }
}

#[tokio::test]
async fn lists_that_are_none_open_nothing() {
    for kind in [Kind::Jwt, Kind::Session, Kind::Ticket] {
        let estate = plan(kind).start().await;
        let many: Vec<String> = (0..201).map(|number| number.to_string()).collect();
        for groups in [
            json!([7]),
            json!({"a": "b"}),
            json!(["a", ["b"]]),
            json!(["a\r\nb"]),
            json!([""]),
            json!(["x".repeat(300)]),
            json!(many),
            json!(true),
        ] {
            let claims = json!({"sub": "ada", "name": "Ada", "dept": "north", "groups": groups});
            let refused = come(&estate, claims).await;
            assert_eq!(refused, Err(4203), "{kind:?} {groups}");
        }
        assert!(estate.windows.requests().is_empty());
    }
}

#[tokio::test]
async fn other_groups_are_another_session() {
    let estate = plan(Kind::Session).start().await;
    for groups in [json!(["a"]), json!(["a", "b"]), json!(["a"])] {
        let claims = json!({"sub": "ada", "name": "Ada", "dept": "north", "groups": groups});
        come(&estate, claims).await.unwrap();
    }
    assert_eq!(estate.windows.sessions_of("CORP\\ada"), 2);
}
