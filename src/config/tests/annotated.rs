//! The annotated file tells every key and its real default.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};

use super::stand_in::parse;
use crate::config::defaults;
use crate::config::node::Written;
use crate::config::read;
use crate::config::shape::{Form, Key, Need, Shape};

/// A `key = value` of the annotated file.
struct Entry {
    /// `[route.engine] url`, with the kind when the table has one.
    name: String,
    value: Json,
    manner: Manner,
}

#[derive(Debug, Eq, PartialEq)]
enum Manner {
    /// Commented out, the real default.
    Default,
    /// Commented out, and said to be an example.
    Example,
    /// Written.
    Written,
}

/// Keys and their defaults, by the names of [`Entry`].
type Known = BTreeMap<String, Option<Json>>;

#[test]
fn a_commented_default_is_the_real_one() {
    let known = all_known();
    let entries = entries(&text());
    assert!(entries.len() > 60, "{}", entries.len());
    for entry in entries {
        let default = known.get(&entry.name);
        let default = default.unwrap_or_else(|| panic!("no reader asks for {:?}", entry.name));
        match entry.manner {
            Manner::Default => assert_eq!(default.as_ref(), Some(&entry.value), "{}", entry.name),
            Manner::Example => assert_eq!(default, &None, "{}", entry.name),
            Manner::Written => {}
        }
    }
}

#[test]
fn every_key_is_told() {
    let entries = entries(&text());
    let told: Vec<&String> = entries.iter().map(|entry| &entry.name).collect();
    // Told in the annotated file by its word alone, and in an example of its own.
    let elsewhere = [
        "] anonymous-embed ",
        "] api-key ",
        "] bearer-jwt ",
        "] cloud-jwt ",
        "] engine-certificate ",
        "] none ",
        "] passed-bearer ",
        "] oauth-client ",
        "] qseow-",
        "] token-exchange ",
        "[[route]] customer",
    ];
    let all = all_known();
    let here = |name: &&String| !elsewhere.iter().any(|kind| name.contains(kind));
    for name in all.keys().filter(here) {
        assert!(told.contains(&name), "{name} is not in the annotated file");
    }
}

#[test]
fn the_defaults_can_be_written() {
    let text = text();
    let mut written = String::new();
    let mut example = false;
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_default = key_and_value(bare).is_some() && !example;
        written += if is_default { bare } else { line };
        written += "\n";
        example = bare.ends_with("(example)");
    }
    assert!(written.len() < text.len() - 2 * 30, "few are uncommented");
    if let Err(mistakes) = parse(&written) {
        panic!("{mistakes}");
    }
}

fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/qix-proxy.toml");
    fs::read_to_string(path).unwrap()
}

fn entries(text: &str) -> Vec<Entry> {
    let (mut table, mut kind, mut example) = (String::new(), String::new(), false);
    let mut entries = Vec::new();
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if bare.starts_with('[') {
            bare.clone_into(&mut table);
            kind.clear();
        } else if let Some((key, value)) = key_and_value(bare) {
            if key == "kind" {
                kind = format!(" {}", value.as_str().unwrap());
            }
            let manner = match line == bare {
                true => Manner::Written,
                false if example => Manner::Example,
                false => Manner::Default,
            };
            entries.push(Entry {
                name: format!("{table}{kind} {key}"),
                value,
                manner,
            });
        }
        example = line.starts_with('#') && bare.ends_with("(example)");
    }
    entries
}

fn key_and_value(line: &str) -> Option<(&str, Json)> {
    let (key, _) = line.split_once(" = ")?;
    let table: BTreeMap<String, Json> = toml::from_str(line).ok()?;
    Some((key, table.get(key)?.clone()))
}

/// Every key that the readers ask for.
fn all_known() -> Known {
    let mut all = Known::new();
    know(&read::shape(), "", &mut all);
    let public: Vec<Json> = defaults::PUBLIC.iter().map(Written::written).collect();
    let algorithms = "[[route.session]] jwt algorithms".to_owned();
    all.insert(algorithms, Some(json!(public)));
    all
}

fn know(shape: &Shape, prefix: &str, all: &mut Known) {
    for key in &shape.keys {
        know_key(key, prefix, all);
    }
    for kind in &shape.kinds {
        let prefix = format!("{prefix} {}", kind.name);
        all.insert(format!("{prefix} kind"), None);
        know(&kind.shape, &prefix, all);
    }
}

fn know_key(key: &Key, prefix: &str, all: &mut Known) {
    let name = format!("{prefix} {}", key.name);
    match (&key.form, &key.need) {
        // Written on one line.
        (Form::Table(_), _) if key.name == "user" => drop(all.insert(name, None)),
        (Form::Table(shape) | Form::Tables(shape), _) => know(shape, &shape.label, all),
        (Form::Value(_), Need::Default(default)) => drop(all.insert(name, Some(default.clone()))),
        (Form::Value(_), _) => drop(all.insert(name, None)),
    }
}
