//! The shape of a config: which tables there are, and which keys each of them knows.
//!
//! It is not written down anywhere: it is what the readers ask for when they read nothing.

use serde_json::Value as Json;

/// A table of the config.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// How a config names it, `[route.engine]`.
    pub(super) label: String,
    /// The keys it knows.
    pub(super) keys: Vec<Key>,
    /// What must hold between its keys.
    pub(super) rules: Vec<Rule>,
    /// What it can be, when its `kind` says so.
    pub(super) kinds: Vec<Kind>,
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) need: Need,
    pub(super) form: Form,
}

/// Whether a key must be there.
#[derive(Debug)]
pub(super) enum Need {
    /// It may be left out, and means this.
    Default(Json),
    /// It may be left out.
    Optional,
    /// It must be there.
    Required,
}

/// What stands at a key.
#[derive(Debug)]
pub(super) enum Form {
    /// A table.
    Table(Shape),
    /// One or more tables, `[[route]]`.
    Tables(Shape),
    /// A value, by its JSON Schema.
    Value(Json),
}

/// What must hold between the keys of a table.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// The first must be there beside the second.
    Demanded(&'static str, &'static str),
    /// Exactly one of these is there.
    ExactlyOne(&'static [&'static str]),
    /// The first has a meaning only beside the second.
    Only(&'static str, &'static str),
}

/// One of the kinds of a table.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) shape: Shape,
}

impl Shape {
    /// Every place where a key of this name would be known, as a config names the place.
    pub(super) fn homes(&self, name: &str) -> Vec<String> {
        let mut homes = Vec::new();
        for key in &self.keys {
            match &key.form {
                Form::Table(shape) | Form::Tables(shape) => {
                    if key.name == name {
                        homes.push(shape.label.clone());
                    }
                    homes.extend(shape.homes(name));
                }
                Form::Value(_) if key.name == name => homes.push(self.label.clone()),
                Form::Value(_) => {}
            }
        }
        for kind in &self.kinds {
            homes.extend(kind.shape.homes(name));
        }
        homes
    }
}
