//! In what order rows and values come.

use std::cmp::Ordering;

use serde_json::Value;

use crate::engine::{association::Association, data::FieldId, data::Table};

/// Which way one criterion sorts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::engine) enum Direction {
    Ascending,
    Descending,
    None,
}

impl Direction {
    pub(super) fn parse(number: &Value) -> Self {
        match number.as_i64() {
            Some(1..) => Self::Ascending,
            Some(..=-1) => Self::Descending,
            _ => Self::None,
        }
    }

    pub(super) fn indicator(self) -> &'static str {
        match self {
            Self::Ascending => "A",
            Self::Descending => "D",
            Self::None => "N",
        }
    }

    pub(super) fn reversed_when(self, reversed: bool) -> Self {
        match self {
            Self::Ascending if reversed => Self::Descending,
            Self::Descending if reversed => Self::Ascending,
            kept => kept,
        }
    }

    pub(super) fn apply(self, order: Ordering) -> Ordering {
        match self {
            Self::Ascending => order,
            Self::Descending => order.reverse(),
            Self::None => Ordering::Equal,
        }
    }
}

/// `qSortCriterias` of a dimension, in the engine's order of weight.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Criteria {
    state: Direction,
    numeric: Direction,
    ascii: Direction,
    load: Direction,
}

impl Criteria {
    pub(super) fn parse(criteria: &Value, reversed: bool) -> Self {
        let one = |name: &str| Direction::parse(&criteria[name]).reversed_when(reversed);
        Self {
            state: Direction::parse(&criteria["qSortByState"]),
            numeric: one("qSortByNumeric"),
            ascii: one("qSortByAscii"),
            load: one("qSortByLoadOrder"),
        }
    }

    /// `A`, `D` or `N`: the way the weightiest criterion of content sorts.
    pub(super) fn indicator(self) -> &'static str {
        let weighty = [self.numeric, self.ascii, self.load];
        weighty
            .into_iter()
            .find(|direction| *direction != Direction::None)
            .map_or("N", Direction::indicator)
    }
}

/// Compares two values of a field.
pub(in crate::engine) fn compare_elements(
    table: &Table,
    states: &Association,
    (field, criteria): (FieldId, Criteria),
    (left, right): (u32, u32),
) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let column = table.field(field);
    let (Some(one), Some(two)) = (column.value(left), column.value(right)) else {
        return Ordering::Equal;
    };
    let rank = |element| states.state(field, element).rank();
    let by_number = match (one.number, two.number) {
        (Some(one), Some(two)) => one.total_cmp(&two),
        _ => Ordering::Equal,
    };
    let by_text = one.text.to_lowercase().cmp(&two.text.to_lowercase());
    criteria
        .state
        .apply(rank(left).cmp(&rank(right)))
        .then(criteria.numeric.apply(by_number))
        .then(criteria.ascii.apply(by_text))
        .then(criteria.load.apply(left.cmp(&right)))
        .then(left.cmp(&right))
}
