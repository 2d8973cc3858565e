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
    /// No more than one of these is there.
    AtMostOne(&'static [&'static str]),
    /// The first must be there beside the second.
    Demanded(&'static str, &'static str),
    /// Exactly one of these is there.
    ExactlyOne(&'static [&'static str]),
    /// The first has a meaning only beside the second.
    Only(&'static str, &'static str),
    /// Where `name` says `word`, all of `needs` are there and none of `never`.
    Word {
        name: &'static str,
        word: &'static str,
        needs: &'static [&'static str],
        never: &'static [&'static str],
    },
}

/// One of the kinds of a table.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) shape: Shape,
}

impl Key {
    /// Whether a table without it is wrong.
    pub(super) fn is_required(&self) -> bool {
        matches!(self.need, Need::Required)
    }

    /// Where `name` is known, here or below; `label` is the key's own table.
    fn homes(&self, name: &str, label: &str) -> Homes {
        let here = |label: &str| (self.name == name).then(|| label.to_owned());
        match &self.form {
            Form::Table(shape) | Form::Tables(shape) => {
                let mut homes = shape.homes(name);
                homes.tables.extend(here(&shape.label));
                homes
            }
            Form::Value(_) => Homes {
                keys: here(label).into_iter().collect(),
                tables: Vec::new(),
            },
        }
    }
}

impl Shape {
    /// Where a key of this name would be known, each as what to write instead.
    pub(super) fn homes(&self, name: &str) -> Homes {
        let mut homes = Homes::default();
        for key in &self.keys {
            homes.extend(key.homes(name, &self.label));
        }
        for kind in &self.kinds {
            let Homes { keys, tables } = kind.shape.homes(name);
            let within = |table| format!("{table} in {}", kind.shape.label);
            let tables = tables.into_iter().map(within).collect();
            homes.extend(Homes { keys, tables });
        }
        homes
    }
}

/// Where a name is known.
#[derive(Debug, Default)]
pub(super) struct Homes {
    /// The tables that know a value of this name.
    pub(super) keys: Vec<String>,
    /// The tables that are called so.
    pub(super) tables: Vec<String>,
}

impl Homes {
    fn extend(&mut self, further: Self) {
        self.keys.extend(further.keys);
        self.tables.extend(further.tables);
    }
}
