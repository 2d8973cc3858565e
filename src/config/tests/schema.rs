//! The schema says what the readers do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value as Json, json};

use super::stand_in::{BASE, parse};
use crate::config::schema;

/// Tables whose keys are names.
const NAMED: [&str; 5] = [
    "/attributes/",
    "/claims/",
    "/list_attributes/",
    "/list_claims/",
    "/lists/",
];

#[test]
fn it_is_a_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn it_admits_every_file() {
    for text in files() {
        let refused = refused(&json(&text));
        assert!(refused.is_empty(), "{refused:#?}");
        assert!(parse(&document(&json(&text))).is_ok());
    }
}

#[test]
fn it_refuses_unknown_keys_as_the_reader_does() {
    let validator = validator();
    for text in files() {
        let renamed = edited(&json(&text), |entries, key| {
            let value = entries.remove(key).unwrap();
            entries.insert(format!("{key}_x"), value);
        });
        // Claims have names of their own.
        let named = |at: &str| NAMED.iter().any(|table| at.contains(table));
        for (pointer, changed) in renamed.into_iter().filter(|(at, _)| !named(at)) {
            assert!(!validator.is_valid(&changed), "{pointer}");
            assert!(parse(&document(&changed)).is_err(), "{pointer}");
        }
    }
}

#[test]
fn it_refuses_wrong_types_as_the_reader_does() {
    let validator = validator();
    for text in files() {
        for wrong in [
            json!(1.5),
            json!(""),
            json!([[]]),
            json!({"x": {}}),
            json!(-1),
        ] {
            let mistyped = edited(&json(&text), |entries, key| {
                entries.insert(key.to_owned(), wrong.clone());
            });
            for (pointer, changed) in mistyped {
                assert!(!validator.is_valid(&changed), "{pointer} {wrong}");
                assert!(parse(&document(&changed)).is_err(), "{pointer} {wrong}");
            }
        }
    }
}

#[test]
fn it_demands_what_the_reader_demands() {
    let validator = validator();
    // What carries a token or a session is demanded by what else the route says, and so is the way
    // by which those come in who are believed.
    let by_meaning = |at: &str| {
        let carriers = ["/cookie", "/cookies"];
        let ways = ["/listen", "/listen/address", "/listen/tls", "/client_ca"];
        let mut all = carriers.into_iter().chain(ways);
        all.any(|end| at.ends_with(end))
    };
    for text in files() {
        let shorter = edited(&json(&text), |entries, key| {
            entries.remove(key);
        });
        for (pointer, changed) in shorter.into_iter().filter(|(at, _)| !by_meaning(at)) {
            let read = parse(&document(&changed));
            assert_eq!(validator.is_valid(&changed), read.is_ok(), "{pointer}");
        }
    }
}

#[test]
fn it_holds_the_rules_between_keys_and_within_values() {
    let jwks = "jwks = \"https://idp.example/jwks\"";
    for (from, to) in [
        ("apps = \"any\"", "apps = \"any\"\napps_claim = \"apps\""),
        (jwks, &format!("{jwks}\nsecret = {{ env = \"S\" }}")),
        (jwks, "pem = { file = \"idp.pem\" }\njwks_keep = \"1h\""),
        ("audience = \"a\"\n", ""),
        ("kind = \"jwt\"", "kind = \"ticket\""),
        (
            "{ env = \"IDENTITY\" }",
            "{ env = \"KEY\", file = \"key\" }",
        ),
        ("{ env = \"IDENTITY\" }", "\"inline\""),
        ("[\"https://a.example\"]", "[]"),
        ("[\"https://a.example\"]", "[\"https://*.example\"]"),
        ("\"/qlik\"", "\"/qlik/\""),
        (
            "\"127.0.0.1:8080\"",
            "\"127.0.0.1:8080\"\nhead_timeout = \"0s\"",
        ),
        (
            "\"127.0.0.1:8080\"",
            "\"127.0.0.1:8080\"\ndrain = \"10 sec\"",
        ),
        (
            "\"127.0.0.1:8080\"",
            "\"127.0.0.1:8080\"\ntrusted_proxies = [\"0.0.0.0/0\"]",
        ),
        (
            "\"127.0.0.1:8080\"",
            "\"127.0.0.1:8080\"\nhead_bytes = \"16KB\"",
        ),
        ("\"https://t.example\"", "\"ftp://t.example\""),
    ] {
        assert!(BASE.contains(from), "{from}");
        let text = BASE.replacen(from, to, 1);
        assert!(parse(&text).is_err(), "{to}");
        assert!(!refused(&json(&text)).is_empty(), "{to}");
    }
}

/// What the schema says against a document.
pub(super) fn refused(document: &Json) -> Vec<String> {
    let validator = validator();
    let told = validator.iter_errors(document);
    told.map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&schema()).unwrap());
    &VALIDATOR
}

/// A TOML text as the schema sees it.
pub(super) fn json(text: &str) -> Json {
    let table: BTreeMap<String, Json> = toml::from_str(text).unwrap();
    json!(table)
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let examples = fs::read_dir(folder.join("examples")).unwrap();
    let mut paths: Vec<_> = examples.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.push(folder.join("qix-proxy.toml"));
    let read = |path| fs::read_to_string(path).unwrap();
    let mut texts: Vec<String> = paths.iter().map(read).collect();
    texts.push(BASE.to_owned());
    texts
}

/// Every change that `edit` can make to one key of a document.
fn edited(document: &Json, edit: impl Fn(&mut Map<String, Json>, &str)) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let mut edited = Vec::new();
    for pointer in all {
        let (table, key) = pointer.rsplit_once('/').unwrap();
        let mut changed = document.clone();
        if let Some(Json::Object(entries)) = changed.pointer_mut(table) {
            edit(entries, key);
            edited.push((pointer, changed));
        }
    }
    edited
}

/// The JSON pointers of everything in a document.
fn pointers(value: &Json, at: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Json)> = match value {
        Json::Object(entries) => entries
            .iter()
            .map(|(key, child)| (key.clone(), child))
            .collect(),
        Json::Array(items) => (0..).map(|i: usize| i.to_string()).zip(items).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let at = format!("{at}/{key}");
        pointers(child, &at, all);
        all.push(at);
    }
}

/// A document as TOML, tables on one line.
fn document(value: &Json) -> String {
    let pairs: Vec<String> = value.as_object().unwrap().iter().map(pair).collect();
    pairs.join("\n")
}

fn pair((key, value): (&String, &Json)) -> String {
    format!("{key} = {}", toml(value))
}

fn toml(value: &Json) -> String {
    match value {
        Json::Object(entries) => {
            let pairs: Vec<String> = entries.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
