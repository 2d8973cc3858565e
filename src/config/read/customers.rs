//! Whose Qlik a route leads to: `[route.credential]` and `[route.engine]` for all, or
//! `[route.customers]`, a closed list of customers, each with its own.

use std::cell::RefCell;
use std::path::Path;

use serde_json::json;
use toml::de::DeTable;

use super::customer::{self, Taken};
use super::home::home;
use crate::config::model::{Customer, Customers, Qlik};
use crate::config::notes::{Noted, Notes};
use crate::config::snippet::Page;
use crate::config::syntax;
use crate::config::table::Table;
use crate::config::value::Include;
use crate::person::ClaimPath;

/// How many customers a route may have.
const MOST: usize = 5_000;
/// The largest file of a customer, in bytes.
const LARGEST: usize = 64 << 10;

/// The last two of the four questions, for all or for each customer.
pub(super) fn qlik(t: &mut Table<'_>) -> Result<Qlik, Noted> {
    let shared = (!t.has("customers")).then(|| home(t)).transpose();
    let alone = [
        t.instead(&["engine", "customers"]),
        t.instead(&["credential", "customers"]),
    ];
    let taken = RefCell::default();
    let customers = t.optional_table(
        "customers",
        "3 and 4, where each customer has a Qlik of its own.",
        |t| listed(t, &taken),
    );
    let inline = t.optional_tables(
        "customer",
        "A customer, written here and not in a file of its own.",
        json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/customer"}}),
        |t| customer::customer(t, &taken),
    );
    t.only_with("customer", "customers");
    alone.into_iter().collect::<Result<(), _>>()?;
    let (shared, customers, inline) = (shared?, customers?, inline?);
    let Some((claim, mut list)) = customers else {
        let lack = || t.lacks(&["engine", "customers"]);
        return Ok(Qlik::One(Box::new(shared.ok_or_else(lack)?)));
    };
    list.extend(inline);
    if list.len() > MOST {
        let what = format!(
            "a route has at most {MOST} customers, and here are {}",
            list.len()
        );
        return Err(t.refuse("customers", what, "divide them among several routes"));
    }
    if list.is_empty() {
        let what = "there is no customer, so that nobody is let in";
        t.warn(
            "customers",
            what,
            "put a file where `include` looks, or add a [[route.customer]]",
        );
    }
    Ok(Qlik::Customers(Customers { claim, list }))
}

/// The claim, and the customers that have files of their own.
fn listed(t: &mut Table<'_>, taken: &RefCell<Taken>) -> Result<(ClaimPath, Vec<Customer>), Noted> {
    let claim = t.required(
        "claim",
        "\"tenant\"",
        "The claim whose text says whose somebody is, by name or JSON pointer; who has another text, or \
         none, is refused.",
    );
    let include: Result<Option<Include>, _> = t.optional(
        "include",
        "The customers' files, one each, such as \"customers/*.toml\"; a relative path counts from \
         this file's folder.",
    );
    let Some(Include(paths)) = include? else {
        return Ok((claim?, Vec::new()));
    };
    let notes = t.notes();
    let read = paths.iter().map(|path| included(t, notes, path, taken));
    let read: Vec<_> = read.collect();
    let customers = read.into_iter().collect::<Result<_, _>>();
    Ok((claim?, customers?))
}

/// One customer's file; its mistakes are told with their places in it.
fn included(
    t: &Table<'_>,
    notes: &Notes<'_>,
    path: &Path,
    taken: &RefCell<Taken>,
) -> Result<Customer, Noted> {
    let name = path.display();
    let content = notes.sources().file(path).map_err(|error| {
        let what = format!("{name}: cannot be read: {error}");
        t.refuse(
            "include",
            what,
            "let the proxy read it, or move it elsewhere",
        )
    })?;
    if content.len() > LARGEST {
        let what = format!("{name} is larger than a customer's file may be (64 KiB)");
        return Err(t.refuse(
            "include",
            what,
            "write one customer into it, and nothing else",
        ));
    }
    let text = String::from_utf8(content).map_err(|_| {
        let what = format!("{name} is not UTF-8");
        t.refuse("include", what, "save it as UTF-8")
    })?;
    let page = Page::new(path, &text);
    let (tree, errors) = DeTable::parse_recoverable(&text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let own = Notes::new(notes.sources(), folder, syntax::damage(&errors));
    let (customer, _) = Table::root(&own, tree.get_ref()).run(|t| customer::customer(t, taken));
    notes.include(own.close(customer, syntax::remarks(&errors, &page), &page))
}
