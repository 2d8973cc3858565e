//! What to say of a key or a value that nobody knows.

use std::sync::LazyLock;

use super::node::Node;
use super::notes::Noted;
use super::read;
use super::shape::{Homes, Shape};

static SHAPE: LazyLock<Shape> = LazyLock::new(read::shape);

/// What is wrong with a key that `table` does not know, and what to write instead.
pub(super) fn key(node: &Node<'_>, known: &[&str], table: &str) -> (String, String) {
    let name = node.key;
    let what = format!("{table} has no key `{}`", clipped(name));
    let homes = SHAPE.homes(name);
    if node.value.is_table() && !homes.tables.is_empty() {
        return (what, format!("write {}", homes.tables.join(" or ")));
    }
    if !homes.keys.is_empty() {
        let keys = homes.keys.join(" or ");
        return (what, format!("that key belongs in {keys}"));
    }
    let instead = match nearest(name, known) {
        Some(near) => format!("write `{near}`"),
        None => format!("known here: {}", listed(known)),
    };
    (what, instead)
}

/// Whether any table knows a key or table of this name.
pub(super) fn is_key(name: &str) -> bool {
    let Homes { keys, tables } = SHAPE.homes(name);
    !keys.is_empty() || !tables.is_empty()
}

/// Notes that a value is not one of `names`; those in `later` will be, one day.
pub(super) fn choice(node: &Node<'_>, names: &[&str], later: &[&str]) -> Noted {
    let written = node.value.as_str().unwrap_or_default();
    let here = quoted(names);
    if later.contains(&written) {
        let what = format!("`{} = {written:?}` is not built yet", node.key);
        return node.refuse(what, format!("write {here}"));
    }
    let what = format!("`{}` cannot be {:?}", node.key, clipped(written));
    let instead = match nearest(written, names) {
        Some(near) => format!("write {near:?}"),
        None => format!("write {here}"),
    };
    node.refuse(what, instead)
}

/// `` `a`, `b` ``
pub(super) fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// `` `a` or `b` ``
pub(super) fn either(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

pub(super) fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(" or ")
}

/// The name that was probably meant.
fn nearest<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let written = plain(written);
    let likeness = |name: &str| {
        let name = plain(name);
        let slip = strsim::osa_distance(&written, &name) <= 1 + name.len() / 8;
        let like = strsim::jaro_winkler(&written, &name);
        if slip { 1.0 + like } else { like }
    };
    names
        .iter()
        .map(|name| (likeness(name), *name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// Enough of a name to find it again.
fn clipped(name: &str) -> String {
    let mut short: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}
