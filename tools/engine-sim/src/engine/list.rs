//! List objects: one field's values with their states.
//!
//! Enters: a `qListObjectDef` and an association. Leaves: its layout and pages. Never changes a
//! selection.

use serde_json::{Value, json};

use super::{
    association::Association,
    cube::{Dimension, Rect, compare_elements, dimension_cell, dimension_info},
    data::Table,
    doc::Doc,
};

/// A list object, sorted.
#[derive(Debug)]
pub(super) struct List<'a> {
    dimension: Dimension,
    initial: Vec<Rect>,
    table: &'a Table,
    states: &'a Association,
    elements: Vec<u32>,
}

impl<'a> List<'a> {
    /// The list that `def` asks for, narrowed to what `search` finds.
    pub(super) fn new(def: &Value, doc: &'a Doc, search: Option<&str>) -> Self {
        let (table, states) = (&doc.app.table, doc.association());
        let dimension = Dimension::parse(def, table, doc);
        let mut elements = match dimension.field {
            Some(field) => table.field(field).searched(search.unwrap_or("*")),
            None => Vec::new(),
        };
        if let Some(field) = dimension.field {
            let by = (field, dimension.criteria);
            elements.sort_by(|one, two| compare_elements(table, states, by, (*one, *two)));
        }
        let pages = def["qInitialDataFetch"].as_array().into_iter().flatten();
        Self {
            initial: pages.map(Rect::parse).collect(),
            dimension,
            table,
            states,
            elements,
        }
    }

    /// The values the list has.
    pub(super) fn elements(&self) -> &[u32] {
        &self.elements
    }

    pub(super) fn layout(&self) -> Value {
        json!({
            "qSize": { "qcx": 1, "qcy": self.elements.len() },
            "qDimensionInfo": dimension_info(&self.dimension, self.table, self.states),
            "qExpressions": [],
            "qDataPages": self.initial.iter().map(|page| self.page(*page)).collect::<Value>(),
        })
    }

    pub(super) fn page(&self, asked: Rect) -> Value {
        let area = asked.within(1, self.elements.len());
        let shown = self.elements[area.top..area.top + area.height].iter();
        let row = |element: &u32| {
            let field = self.dimension.field?;
            Some(json!([dimension_cell(
                self.table,
                self.states,
                field,
                *element
            )]))
        };
        json!({
            "qMatrix": shown.filter_map(row).collect::<Value>(),
            "qTails": [],
            "qArea": area.to_json(),
        })
    }
}
