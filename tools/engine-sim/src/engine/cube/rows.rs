//! The calculation itself.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
};

use crate::engine::{association::Association, data::Table};

use super::{
    definition::CubeDefinition,
    sort::{Direction, compare_elements},
};

/// What a calculation looks at: the rows of one association, the states of another. They differ
/// while an object is being selected in, which keeps its rows until the selection is confirmed.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct View<'a> {
    pub(in crate::engine) table: &'a Table,
    pub(in crate::engine) rows: &'a Association,
    pub(in crate::engine) states: &'a Association,
}

/// A calculated hypercube.
#[derive(Debug)]
pub(in crate::engine) struct Cube<'a> {
    pub(super) definition: &'a CubeDefinition,
    pub(super) view: View<'a>,
    pub(super) rows: Vec<Group>,
    pub(super) totals: Vec<Option<f64>>,
}

/// One row of a cube.
#[derive(Debug)]
pub(super) struct Group {
    /// The element number of each dimension.
    pub(super) elements: Vec<u32>,
    /// The number of each measure.
    pub(super) numbers: Vec<Option<f64>>,
    /// The table's rows behind it.
    pub(super) rows: Vec<usize>,
}

impl<'a> Cube<'a> {
    pub(in crate::engine) fn calculate(definition: &'a CubeDefinition, view: View<'a>) -> Self {
        let mut rows = group(definition, view);
        let totals = numbers(
            definition,
            view.table,
            &view.rows.rows().collect::<Vec<_>>(),
        );
        if definition.suppress_zero && !definition.measures.is_empty() {
            rows.retain(|row| {
                row.numbers
                    .iter()
                    .any(|number| number.unwrap_or(0.0) != 0.0)
            });
        }
        rows.sort_by(|left, right| compare(definition, view, left, right));
        Self {
            definition,
            view,
            rows,
            totals,
        }
    }

    /// The values in one dimension of the rows that are wanted, by their place and measures.
    pub(in crate::engine) fn elements(
        &self,
        dimension: usize,
        is_wanted: impl Fn(usize, &[Option<f64>]) -> bool,
    ) -> BTreeSet<u32> {
        let rows = self.rows.iter().enumerate();
        let wanted = rows.filter(|(at, row)| is_wanted(*at, &row.numbers));
        wanted
            .filter_map(|(_, row)| row.elements.get(dimension).copied())
            .collect()
    }
}

fn group(definition: &CubeDefinition, view: View<'_>) -> Vec<Group> {
    let Some(fields) = definition
        .dimensions
        .iter()
        .map(|d| d.field)
        .collect::<Option<Vec<_>>>()
    else {
        return Vec::new();
    };
    if fields.is_empty() && definition.measures.is_empty() {
        return Vec::new();
    }
    let mut places = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for row in view.rows.rows() {
        let elements: Vec<_> = fields
            .iter()
            .map(|id| view.table.field(*id).element(row))
            .collect();
        let place = *places.entry(elements.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                elements,
                numbers: Vec::new(),
                rows: Vec::new(),
            });
        }
        groups[place].rows.push(row);
    }
    if fields.is_empty() && groups.is_empty() {
        groups.push(Group {
            elements: Vec::new(),
            numbers: Vec::new(),
            rows: Vec::new(),
        });
    }
    for group in &mut groups {
        group.numbers = numbers(definition, view.table, &group.rows);
    }
    groups
}

fn numbers(definition: &CubeDefinition, table: &Table, rows: &[usize]) -> Vec<Option<f64>> {
    let of = |expression: &Option<_>| {
        expression
            .as_ref()
            .and_then(|it: &crate::engine::expression::Expression| it.evaluate(table, rows))
    };
    definition
        .measures
        .iter()
        .map(|measure| of(&measure.expression))
        .collect()
}

fn compare(definition: &CubeDefinition, view: View<'_>, left: &Group, right: &Group) -> Ordering {
    let mut order = Ordering::Equal;
    for column in &definition.sort_order {
        order = order.then_with(|| compare_column(definition, view, *column, (left, right)));
    }
    order
}

fn compare_column(
    definition: &CubeDefinition,
    view: View<'_>,
    column: usize,
    (left, right): (&Group, &Group),
) -> Ordering {
    if let Some(dimension) = definition.dimensions.get(column) {
        let Some(field) = dimension.field else {
            return Ordering::Equal;
        };
        let elements = (left.elements[column], right.elements[column]);
        return compare_elements(
            view.table,
            view.states,
            (field, dimension.criteria),
            elements,
        );
    }
    let at = column - definition.dimensions.len();
    let measure = &definition.measures[at];
    let direction = measure.direction.reversed_when(measure.reversed);
    match (left.numbers[at], right.numbers[at]) {
        (Some(one), Some(two)) => direction.apply(one.total_cmp(&two)),
        // Nulls come last whichever way the numbers go.
        (one, two) if direction != Direction::None => one.is_none().cmp(&two.is_none()),
        _ => Ordering::Equal,
    }
}
