//! A table in columns: a field holds each of its values once, and a row refers to them.

use std::collections::HashMap;

/// One distinct value of a field: what is shown, and the number behind it if it is one.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Entry {
    pub(in crate::engine) text: String,
    pub(in crate::engine) number: Option<f64>,
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            number: None,
        }
    }
}

impl From<u32> for Entry {
    fn from(number: u32) -> Self {
        Self {
            text: number.to_string(),
            number: Some(f64::from(number)),
        }
    }
}

impl From<i32> for Entry {
    fn from(number: i32) -> Self {
        Self {
            text: number.to_string(),
            number: Some(f64::from(number)),
        }
    }
}

/// A column.
#[derive(Debug)]
pub(in crate::engine) struct Field {
    pub(in crate::engine) name: String,
    /// The distinct values in load order; a value's place is its element number.
    pub(in crate::engine) values: Vec<Entry>,
    cells: Vec<u32>,
}

impl Field {
    /// The element number that `row` holds.
    pub(in crate::engine) fn element(&self, row: usize) -> u32 {
        self.cells[row]
    }

    /// The value of an element number, if the field has one.
    pub(in crate::engine) fn value(&self, element: u32) -> Option<&Entry> {
        self.values.get(usize::try_from(element).ok()?)
    }

    /// The number that `row` holds, if it is one.
    pub(in crate::engine) fn number(&self, row: usize) -> Option<f64> {
        self.value(self.element(row)).and_then(|value| value.number)
    }

    /// The elements whose text and number are wanted.
    pub(in crate::engine) fn elements(
        &self,
        is_wanted: impl Fn(&str, Option<f64>) -> bool,
    ) -> Vec<u32> {
        let values = (0_u32..).zip(&self.values);
        let found = values.filter(|(_, value)| is_wanted(&value.text, value.number));
        found.map(|(element, _)| element).collect()
    }

    /// The elements that a search in a list finds: with stars a whole value, else the beginning
    /// of a word of it.
    pub(in crate::engine) fn searched(&self, search: &str) -> Vec<u32> {
        if search.contains('*') {
            return self.matching(search);
        }
        let search = search.to_lowercase();
        self.elements(|text, _| {
            text.to_lowercase()
                .split_whitespace()
                .any(|word| word.starts_with(&search))
        })
    }

    /// The elements that are `search`, or fit it where it has stars.
    pub(in crate::engine) fn matching(&self, search: &str) -> Vec<u32> {
        self.elements(|text, _| matches(text, search))
    }

    pub(in crate::engine) fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }

    pub(in crate::engine) fn tags(&self) -> &'static [&'static str] {
        if self.is_numeric() {
            &["$numeric", "$integer"]
        } else {
            &["$ascii", "$text"]
        }
    }
}

/// A whole value without regard to case; `*` stands for anything, as in a search.
fn matches(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    let Some((first, others)) = wanted.split_once('*') else {
        return text == wanted;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    for part in middle.split('*') {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A field's place in its table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::engine) struct FieldId(pub(in crate::engine) usize);

/// Rows under named fields.
#[derive(Debug)]
pub(in crate::engine) struct Table {
    pub(in crate::engine) name: &'static str,
    pub(in crate::engine) fields: Vec<Field>,
    pub(in crate::engine) rows: usize,
}

impl Table {
    /// The field called `name`; names are case-sensitive, as the engine's are.
    pub(in crate::engine) fn find(&self, name: &str) -> Option<FieldId> {
        self.fields
            .iter()
            .position(|field| field.name == name)
            .map(FieldId)
    }

    pub(in crate::engine) fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.0]
    }

    pub(in crate::engine) fn ids(&self) -> impl Iterator<Item = FieldId> + use<> {
        (0..self.fields.len()).map(FieldId)
    }
}

/// A table that is being filled.
#[derive(Debug)]
pub(in crate::engine) struct TableBuilder {
    table: Table,
    elements: Vec<HashMap<String, u32>>,
}

impl TableBuilder {
    pub(in crate::engine) fn new(name: &'static str, fields: &[&str]) -> Self {
        let columns = fields.iter().map(|&name| Field {
            name: name.to_owned(),
            values: Vec::new(),
            cells: Vec::new(),
        });
        Self {
            table: Table {
                name,
                fields: columns.collect(),
                rows: 0,
            },
            elements: vec![HashMap::new(); fields.len()],
        }
    }

    /// Adds a row; it has an entry for every field.
    pub(in crate::engine) fn push(&mut self, row: Vec<Entry>) {
        debug_assert_eq!(row.len(), self.table.fields.len());
        self.table.rows += 1;
        for ((field, known), entry) in self
            .table
            .fields
            .iter_mut()
            .zip(&mut self.elements)
            .zip(row)
        {
            let next = u32::try_from(field.values.len()).unwrap_or(u32::MAX);
            let element = *known.entry(entry.text.clone()).or_insert(next);
            if element == next {
                field.values.push(entry);
            }
            field.cells.push(element);
        }
    }

    pub(in crate::engine) fn finish(self) -> Table {
        self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_a_whole_value_or_has_stars() {
        for (search, found) in [
            ("nordics", true),
            ("nord", false),
            ("nord*", true),
            ("*DIC*", true),
            ("n*d*s", true),
            ("*nordics*", true),
            ("n*x*s", false),
            ("", false),
            ("*", true),
            ("nordics*s", false),
        ] {
            assert_eq!(matches("Nordics", search), found, "{search}");
        }
    }
}
