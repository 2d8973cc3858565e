use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::id::{Issuer, Subject};

fn person(claims: &Value) -> Person {
    let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    Person::new(Issuer::new("i"), Subject::new("ada"), None, claims)
}

fn fill(template: &str, claims: &Value) -> Result<String, Flaw> {
    fill_for(template, claims, Target::Json)
}

fn fill_for(template: &str, claims: &Value, target: Target) -> Result<String, Flaw> {
    let Ok(template) = Template::parse(template) else {
        panic!("{template} is no template")
    };
    let filled = template.fill(&person(claims), target);
    filled.map_err(|unfilled| unfilled.flaw)
}

#[test]
fn claims_stand_between_braces() {
    let claims = json!({"user": {"id": "7"}, "t": "acme"});
    assert_eq!(fill("{sub}", &claims).unwrap(), "ada");
    assert_eq!(fill("app|{sub}", &claims).unwrap(), "app|ada");
    assert_eq!(fill("{/user/id}@{t}.x", &claims).unwrap(), "7@acme.x");
    assert_eq!(fill("{{{t}}}", &claims).unwrap(), "{acme}");
}

#[test]
fn what_is_no_template_is_said() {
    let mistake = |text| Template::parse(text).unwrap_err();
    assert_eq!(mistake("ada"), TemplateMistake::Constant);
    assert_eq!(mistake(""), TemplateMistake::Constant);
    assert_eq!(mistake("{{sub}}"), TemplateMistake::Constant);
    assert_eq!(mistake("{}"), TemplateMistake::Nameless);
    assert_eq!(mistake("{sub"), TemplateMistake::Brace);
    assert_eq!(mistake("sub}"), TemplateMistake::Brace);
    assert_eq!(mistake("{a{b}}"), TemplateMistake::Brace);
    assert_eq!(mistake("{a}{b}"), TemplateMistake::Adjacent);
}

#[test]
fn a_value_is_plain_text_of_some_length() {
    let find = |claims: Value| fill("{x}", &claims);
    assert_eq!(find(json!({})), Err(Flaw::Missing));
    assert_eq!(find(json!({"x": 7})), Err(Flaw::NotText));
    assert_eq!(find(json!({"x": ["a"]})), Err(Flaw::NotText));
    assert_eq!(find(json!({"x": null})), Err(Flaw::NotText));
    assert_eq!(find(json!({"x": ""})), Err(Flaw::Empty));
    assert_eq!(find(json!({"x": " "})), Err(Flaw::Empty));
    assert_eq!(find(json!({"x": "a\u{0}b"})), Err(Flaw::Control));
    assert_eq!(find(json!({"x": "a\u{85}b"})), Err(Flaw::Control));
    assert_eq!(find(json!({"x": "a".repeat(256)})), Ok("a".repeat(256)));
    assert_eq!(find(json!({"x": "a".repeat(257)})), Err(Flaw::Long));
    let long = json!({"x": "a".repeat(256)});
    assert_eq!(fill("app|{x}", &long), Err(Flaw::Long));
}

#[test]
fn an_address_counts_only_when_verified() {
    let ada = "ada@example.com";
    for verified in [json!(false), json!("true"), json!(1), json!(null)] {
        let claims = json!({"email": ada, "email_verified": verified});
        assert_eq!(fill("{email}", &claims), Err(Flaw::Unverified));
        assert_eq!(fill("x{/email}", &claims), Err(Flaw::Unverified));
    }
    assert_eq!(
        fill("{email}", &json!({"email": ada})),
        Err(Flaw::Unverified)
    );
    let good = json!({"email": ada, "email_verified": true});
    assert_eq!(fill("{email}", &good), Ok(ada.to_owned()));
    assert_eq!(fill("{/email}", &good), Ok(ada.to_owned()));

    let elsewhere = json!({"email_verified": true, "user": {"email": ada}});
    assert_eq!(fill("{/user/email}", &elsewhere), Err(Flaw::Unverified));
    let nested = json!({"user": {"email": ada, "email_verified": true}});
    assert_eq!(fill("{/user/email}", &nested), Ok(ada.to_owned()));
}

/// Hostile values, and what each target says of them.
#[test]
fn each_target_refuses_what_means_something_there() {
    use Flaw::{Control, Forbidden, Internal};
    let table: &[(&str, [Option<Flaw>; 3])] = &[
        // the value, in a header, in JSON, as a Windows user
        ("ada", [None, None, None]),
        ("Ada Lovelace", [None, None, None]),
        ("ada\r\nX-Admin: 1", [Some(Control); 3]),
        ("ada\u{7f}", [Some(Control); 3]),
        ("adä", [Some(Forbidden), None, None]),
        (" ada", [Some(Forbidden), None, Some(Forbidden)]),
        ("ada\u{a0}", [Some(Forbidden), None, Some(Forbidden)]),
        ("a\u{ad}da", [Some(Forbidden), None, Some(Forbidden)]),
        ("INTER\u{200b}NAL", [Some(Forbidden), None, Some(Forbidden)]),
        ("ada; UserId=root", [None, None, Some(Forbidden)]),
        ("CORP\\ada", [None, None, Some(Forbidden)]),
        ("a=b", [None, None, Some(Forbidden)]),
        ("INTERNAL", [None, None, Some(Internal)]),
        (" internal ", [Some(Forbidden), None, Some(Internal)]),
        ("x\" or \"\" eq \"", [None; 3]),
    ];
    for (value, expected) in table {
        let targets = [Target::Header, Target::Json, Target::QlikUser];
        for (target, flaw) in targets.into_iter().zip(expected) {
            let filled = fill_for("{x}", &json!({"x": value}), target);
            assert_eq!(filled.err(), *flaw, "{value:?} in {target:?}");
        }
    }
}

#[test]
fn internal_cannot_be_put_together() {
    let parts = json!({"a": "INT", "b": "NAL"});
    let filled = fill_for("{a}ER{b}", &parts, Target::QlikUser);
    assert_eq!(filled, Err(Flaw::Internal));
}

#[test]
fn nobody_slips_into_another_by_a_separator() {
    let fill = |t: &str, u: &str| fill("{t}|{u}", &json!({"t": t, "u": u}));
    assert_eq!(fill("acme", "x|ada").unwrap(), "acme|x|ada");
    assert_eq!(fill("acme|x", "ada"), Err(Flaw::Ambiguous));
}

proptest! {
    #[test]
    fn two_people_never_share_a_text(
        one in ("[a|]{1,3}", "[a|]{1,3}"),
        other in ("[a|]{1,3}", "[a|]{1,3}"),
        between in "[a|]{1,2}",
    ) {
        let template = format!("{{t}}{between}{{u}}");
        let text = |(t, u): &(String, String)| fill(&template, &json!({"t": t, "u": u}));
        if let (Ok(a), Ok(b)) = (text(&one), text(&other)) {
            prop_assert_eq!(a == b, one == other);
        }
    }

    #[test]
    fn what_is_filled_fits_its_target(value in "\\PC{0,40}|.{0,40}") {
        let claims = json!({"x": value});
        for target in [Target::Header, Target::Json, Target::QlikUser] {
            let Ok(text) = fill_for("app|{x}", &claims, target) else { continue };
            prop_assert_eq!(&text, &format!("app|{value}"));
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert!(target != Target::QlikUser || !text.contains([';', '=', '\\']));
            prop_assert!(target != Target::Header || text.is_ascii());
        }
    }

    #[test]
    fn parsing_never_panics(text in "[{}a/ü]{0,12}") {
        let _ = Template::parse(&text);
    }
}
