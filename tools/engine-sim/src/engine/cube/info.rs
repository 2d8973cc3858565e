//! `qHyperCube` of a layout: everything about a cube but its cells, and the first pages of those.

use serde_json::{Map, Value, json};

use crate::engine::{
    association::{Association, State},
    data::{Field, FieldId, Table},
    number::json_number,
};

use super::{
    definition::{Dimension, Measure},
    pages::measure_text,
    rows::Cube,
};

/// The engine's code for a definition that cannot be calculated.
const INVALID_DEFINITION: i64 = 7000;

impl Cube<'_> {
    /// The layout of the cube.
    pub(in crate::engine) fn layout(&self) -> Value {
        let definition = self.definition;
        let dimensions = definition.dimensions.iter().enumerate();
        let measures = definition.measures.iter().enumerate();
        json!({
            "qSize": { "qcx": definition.width(), "qcy": self.height() },
            "qDimensionInfo": dimensions.map(|(at, d)| self.dimension_info(at, d)).collect::<Value>(),
            "qMeasureInfo": measures.map(|(at, m)| self.measure_info(at, m)).collect::<Value>(),
            "qEffectiveInterColumnSortOrder": definition.sort_order,
            "qGrandTotalRow": self.total_row(),
            "qDataPages": self.initial_pages(),
            "qPivotDataPages": [],
            "qStackedDataPages": self.initial_stacks(),
            "qMode": definition.mode,
            "qNoOfLeftDims": -1,
            "qTitle": definition.title,
            "qTreeNodesOnDim": [],
            "qColumnOrder": if definition.column_order.is_array() {
                definition.column_order.clone()
            } else {
                json!([])
            },
        })
    }

    fn height(&self) -> usize {
        if self.is_stacked() {
            self.stack_height()
        } else {
            self.rows.len()
        }
    }

    fn dimension_info(&self, at: usize, dimension: &Dimension) -> Value {
        let mut info = dimension_info(dimension, self.view.table, self.view.states);
        let mut seen: Vec<_> = self.rows.iter().map(|row| row.elements[at]).collect();
        seen.sort_unstable();
        seen.dedup();
        info["qCardinalities"]["qHypercubeCardinal"] = json!(seen.len());
        info["qAttrExprInfo"] = self.attribute_info(&dimension.attributes);
        info
    }

    fn measure_info(&self, at: usize, measure: &Measure) -> Value {
        let numbers = || self.rows.iter().filter_map(|row| row.numbers[at]);
        let longest = self
            .rows
            .iter()
            .map(|row| measure_text(measure, row.numbers[at]).len());
        let direction = measure.direction.reversed_when(measure.reversed);
        let mut info = json!({
            "qFallbackTitle": measure.title,
            "qApprMaxGlyphCount": longest.max().unwrap_or(0),
            "qCardinal": 0,
            "qSortIndicator": direction.indicator(),
            "qNumFormat": measure.format,
            "qMin": json_number(numbers().reduce(f64::min)),
            "qMax": json_number(numbers().reduce(f64::max)),
            "qIsAutoFormat": measure.format["qType"].as_str().is_none_or(|kind| kind == "U"),
            "qReverseSort": measure.reversed,
            "qAttrExprInfo": self.attribute_info(&measure.attributes),
            "qAttrDimInfo": [],
            "qTrendLines": [],
        });
        finish(&mut info, measure.library.as_deref(), &measure.extras);
        if measure.expression.is_none() {
            info["qError"] =
                json!({ "qErrorCode": INVALID_DEFINITION, "qContext": measure.definition });
        }
        info
    }

    fn attribute_info(&self, attributes: &[Measure]) -> Value {
        let one = |attribute: &Measure| {
            let expression = attribute.expression.as_ref();
            let number = |rows: &[usize]| expression?.evaluate(self.view.table, rows);
            let numbers: Vec<_> = self
                .rows
                .iter()
                .filter_map(|row| number(&row.rows))
                .collect();
            let mut info = json!({
                "qMin": json_number(numbers.iter().copied().reduce(f64::min)),
                "qMax": json_number(numbers.iter().copied().reduce(f64::max)),
                "qFallbackTitle": attribute.title,
                "qNumFormat": attribute.format,
                "qIsAutoFormat": true,
            });
            finish(&mut info, None, &attribute.extras);
            info
        };
        attributes.iter().map(one).collect()
    }
}

/// `qDimensionInfo` of a cube or a list.
pub(in crate::engine) fn dimension_info(
    dimension: &Dimension,
    table: &Table,
    states: &Association,
) -> Value {
    let field = dimension.field.map(|id| (id, table.field(id)));
    let numeric = field.filter(|(_, field)| field.is_numeric());
    let possible = || {
        numeric
            .into_iter()
            .flat_map(|(id, field)| possible(id, field, states))
    };
    let cardinal = field.map_or(0, |(_, field)| field.values.len());
    let longest = field.and_then(|(_, f)| f.values.iter().map(|v| v.text.chars().count()).max());
    let mut info = json!({
        "qFallbackTitle": dimension.title,
        "qApprMaxGlyphCount": longest.unwrap_or(0),
        "qCardinal": cardinal,
        "qSortIndicator": dimension.criteria.indicator(),
        "qGroupFallbackTitles": [dimension.title],
        "qGroupPos": 0,
        "qStateCounts": state_counts(dimension.field, states),
        "qTags": field.map_or(&[] as &[_], |(_, field)| field.tags()),
        "qDimensionType": if numeric.is_some() { "N" } else { "D" },
        "qGrouping": "N",
        "qNumFormat": { "qType": "U", "qnDec": 0, "qUseThou": 0 },
        "qIsAutoFormat": true,
        "qGroupFieldDefs": [dimension.name],
        "qMin": json_number(possible().reduce(f64::min)),
        "qMax": json_number(possible().reduce(f64::max)),
        "qReverseSort": false,
        "qAttrExprInfo": [],
        "qAttrDimInfo": [],
        "qCardinalities": {
            "qCardinal": cardinal, "qHypercubeCardinal": 0, "qAllValuesCardinal": -1
        },
    });
    finish(&mut info, dimension.library.as_deref(), &dimension.extras);
    if field.is_none() {
        info["qError"] = json!({ "qErrorCode": INVALID_DEFINITION, "qContext": dimension.name });
    }
    info
}

/// The numbers of the values that are still possible.
fn possible(id: FieldId, field: &Field, states: &Association) -> impl Iterator<Item = f64> {
    let values = field.values.iter().zip(states.states(id));
    values
        .filter(|(_, state)| state.is_possible())
        .filter_map(|(value, _)| value.number)
}

fn state_counts(field: Option<FieldId>, states: &Association) -> Value {
    let of = |state| field.map_or(0, |field| states.count(field, state));
    json!({
        "qLocked": of(State::Locked),
        "qSelected": of(State::Selected),
        "qOption": of(State::Optional),
        "qDeselected": 0,
        "qAlternative": of(State::Alternative),
        "qExcluded": of(State::Excluded),
        "qSelectedExcluded": of(State::SelectedExcluded),
        "qLockedExcluded": of(State::LockedExcluded),
    })
}

fn finish(info: &mut Value, library: Option<&str>, extras: &Map<String, Value>) {
    if let Some(id) = library {
        info["qLibraryId"] = json!(id);
    }
    for (key, value) in extras {
        info[key.as_str()] = value.clone();
    }
}
