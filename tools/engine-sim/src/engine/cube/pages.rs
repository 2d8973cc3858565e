//! Cells: pages of a straight table, and the tree of a stacked one.

use serde_json::{Value, json};

use crate::engine::{
    association::Association,
    data::{FieldId, Table},
    number::{json_number, text},
};

use super::{
    definition::{Measure, Rect},
    rows::{Cube, Group},
};

impl Cube<'_> {
    /// A page of cells, cut to what there is.
    pub(in crate::engine) fn page(&self, asked: Rect) -> Value {
        let area = asked.within(self.definition.width(), self.rows.len());
        let columns = &self.definition.columns[area.left..area.left + area.width];
        let rows = &self.rows[area.top..area.top + area.height];
        let matrix = rows.iter().map(|row| {
            columns
                .iter()
                .map(|column| self.cell(row, *column))
                .collect::<Value>()
        });
        json!({
            "qMatrix": matrix.collect::<Value>(),
            "qTails": [],
            "qArea": area.to_json(),
            "qIsReduced": false,
        })
    }

    /// The pages a definition wants with its layout; only a straight table has them.
    pub(super) fn initial_pages(&self) -> Value {
        if self.definition.mode != "S" {
            return json!([]);
        }
        self.definition
            .initial
            .iter()
            .map(|page| self.page(*page))
            .collect()
    }

    pub(super) fn total_row(&self) -> Value {
        let measures = self.definition.measures.iter().zip(&self.totals);
        measures
            .map(|(measure, number)| measure_cell(measure, *number))
            .collect()
    }

    fn cell(&self, row: &Group, column: usize) -> Value {
        let dimensions = &self.definition.dimensions;
        let (mut cell, attributes) = if let Some(dimension) = dimensions.get(column) {
            let cell = dimension.field.map_or(Value::Null, |field| {
                dimension_cell(
                    self.view.table,
                    self.view.states,
                    field,
                    row.elements[column],
                )
            });
            (cell, &dimension.attributes)
        } else {
            let at = column - dimensions.len();
            let measure = &self.definition.measures[at];
            (measure_cell(measure, row.numbers[at]), &measure.attributes)
        };
        if !attributes.is_empty() {
            cell["qAttrExps"] = json!({ "qValues": self.attribute_values(attributes, row) });
        }
        cell
    }

    fn attribute_values(&self, attributes: &[Measure], row: &Group) -> Value {
        let one = |attribute: &Measure| {
            let expression = attribute.expression.as_ref();
            let number = expression.and_then(|it| it.evaluate(self.view.table, &row.rows));
            json!({ "qText": measure_text(attribute, number), "qNum": json_number(number) })
        };
        attributes.iter().map(one).collect()
    }
}

/// A measure's number as a cell.
fn measure_cell(measure: &Measure, number: Option<f64>) -> Value {
    let mut cell = json!({
        "qText": measure_text(measure, number),
        "qNum": json_number(number),
        "qElemNumber": 0,
        "qState": "L",
    });
    if number.is_none() {
        cell["qIsNull"] = json!(true);
    }
    cell
}

/// A measure's number as text.
pub(super) fn measure_text(measure: &Measure, number: Option<f64>) -> String {
    match measure
        .expression
        .as_ref()
        .and_then(|expression| expression.as_text())
    {
        Some(constant) => constant.to_owned(),
        None => text(number, &measure.format),
    }
}

/// A value of a field as a cell.
pub(in crate::engine) fn dimension_cell(
    table: &Table,
    states: &Association,
    field: FieldId,
    element: u32,
) -> Value {
    let value = table.field(field).value(element);
    json!({
        "qText": value.map_or("-", |value| &value.text),
        "qNum": json_number(value.and_then(|value| value.number)),
        "qElemNumber": element,
        "qState": states.state(field, element).code(),
    })
}
