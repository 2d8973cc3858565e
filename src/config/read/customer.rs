//! One customer: a file of its own, or `[[route.customer]]`.

use std::cell::RefCell;
use std::collections::HashSet;

use super::{access, home};
use crate::config::model::Customer;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::Handle;

/// What other customers of the route have taken already.
#[derive(Default)]
pub(super) struct Taken {
    names: HashSet<String>,
    values: HashSet<String>,
}

/// One customer.
pub(super) fn customer(t: &mut Table<'_>, taken: &RefCell<Taken>) -> Result<Customer, Noted> {
    let name: Result<Handle, _> = t.required(
        "name",
        "\"acme\"",
        "What the logs call it: letters, digits, `-`, `_` and `.`.",
    );
    let value: Result<Option<String>, _> = t.optional(
        "value",
        "The claim's text, byte for byte; the name when it is left out.",
    );
    let access = t.optional_table(
        "access",
        "2: what may they open and do? The route's [route.access] when it is left out.",
        access::access,
    );
    let home = home::home(t);
    let (Handle(name), value) = (name?, value?);
    let value = value.unwrap_or_else(|| name.as_str().to_owned());
    let taken = &mut *taken.borrow_mut();
    let name_is_free = claim(t, "name", name.as_str(), &mut taken.names);
    claim(t, "value", &value, &mut taken.values)?;
    name_is_free?;
    Ok(Customer {
        name,
        value,
        access: access?,
        home: home?,
    })
}

fn claim(t: &Table<'_>, key: &str, text: &str, taken: &mut HashSet<String>) -> Result<(), Noted> {
    if taken.insert(text.to_owned()) {
        return Ok(());
    }
    Err(t.refuse(
        if t.has(key) { key } else { "name" },
        format!("another customer of the route has the {key} {text:?} already"),
        format!("write a `{key}` of its own"),
    ))
}
