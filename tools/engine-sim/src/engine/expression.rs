//! The expressions the engine can calculate.
//!
//! Enters: text such as `Sum([Sales])/Count(distinct Customer)`. Leaves: a tree that gives a
//! number for a set of rows. Sums, counts, averages, extremes and the four operations; anything
//! else is refused here and becomes an engine-shaped error in a layout.

mod parse;

use std::collections::BTreeSet;

use super::data::{FieldId, Table};

/// A parsed expression over one table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Aggregate {
        function: Function,
        distinct: bool,
        field: FieldId,
    },
    Operation {
        sign: Sign,
        left: Box<Self>,
        right: Box<Self>,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    Sum,
    Count,
    Avg,
    Min,
    Max,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

/// The text is no expression this engine calculates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Incalculable;

impl Expression {
    /// Reads an expression; a leading `=` is allowed.
    pub(super) fn parse(text: &str, table: &Table) -> Result<Self, Incalculable> {
        parse::expression(text, table)
    }

    /// The number for these rows; `None` is the engine's null.
    pub(super) fn evaluate(&self, table: &Table, rows: &[usize]) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
            Self::Aggregate {
                function,
                distinct,
                field,
            } => aggregate(
                *function,
                table,
                *field,
                &picked(table, *field, *distinct, rows),
            ),
            Self::Operation { sign, left, right } => {
                let (left, right) = (left.evaluate(table, rows)?, right.evaluate(table, rows)?);
                operate(*sign, left, right)
            }
        }
    }

    /// The text of an expression that is nothing but a quoted text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The rows an aggregate looks at: all, or the first of each value.
fn picked(table: &Table, field: FieldId, distinct: bool, rows: &[usize]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let column = table.field(field);
    let wanted = |row: &usize| !distinct || seen.insert(column.element(*row));
    rows.iter().copied().filter(wanted).collect()
}

fn aggregate(function: Function, table: &Table, field: FieldId, rows: &[usize]) -> Option<f64> {
    let column = table.field(field);
    let numbers = || rows.iter().filter_map(|row| column.number(*row));
    match function {
        Function::Sum => Some(numbers().sum()),
        Function::Count => Some(count(rows.len())),
        Function::Avg => operate(Sign::Over, numbers().sum(), count(numbers().count())),
        Function::Min => numbers().reduce(f64::min),
        Function::Max => numbers().reduce(f64::max),
    }
}

fn operate(sign: Sign, left: f64, right: f64) -> Option<f64> {
    match sign {
        Sign::Plus => Some(left + right),
        Sign::Minus => Some(left - right),
        Sign::Times => Some(left * right),
        Sign::Over => (right != 0.0).then(|| left / right),
    }
}

/// A count as the engine's number; no table here comes near the edge.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::TableBuilder;

    fn table() -> Table {
        let mut table = TableBuilder::new("T", &["Who", "Net Sales", "Q"]);
        for (who, sales, q) in [("a", 10, 1), ("b", 20, 0), ("a", 30, 1)] {
            table.push(vec![who.into(), sales.into(), q.into()]);
        }
        table.finish()
    }

    fn evaluate(text: &str) -> Option<f64> {
        let table = table();
        Expression::parse(text, &table)
            .unwrap()
            .evaluate(&table, &[0, 1, 2])
    }

    #[test]
    fn aggregates_and_operations_give_numbers() {
        for (text, expected) in [
            ("Sum([Net Sales])", Some(60.0)),
            ("=sum( \"Net Sales\" )", Some(60.0)),
            ("Count(Who)", Some(3.0)),
            ("Count(distinct Who)", Some(2.0)),
            ("Count(DISTINCT [Who])", Some(2.0)),
            ("Avg([Net Sales])", Some(20.0)),
            ("Min(Q)", Some(0.0)),
            ("Max([Net Sales])", Some(30.0)),
            ("Sum([Net Sales])/Sum(Q)", Some(30.0)),
            ("1+2*3-(4-1)", Some(4.0)),
            ("-Sum(Q)", Some(-2.0)),
            ("Sum(Q)/0", None),
            ("Avg(Who)", None),
        ] {
            assert_eq!(evaluate(text), expected, "{text}");
        }
        assert_eq!(
            Expression::parse("='Total'", &table()).unwrap().as_text(),
            Some("Total")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let table = table();
        let odd = [
            "",
            "Sum(Nope)",
            "Rank(Q)",
            "Sum(Q",
            "Sum({<Who={a}>} Q)",
            "Sum(Q))",
            "1 2",
        ];
        for text in odd {
            assert_eq!(Expression::parse(text, &table), Err(Incalculable), "{text}");
        }
        let deep = "(".repeat(10_000);
        assert_eq!(Expression::parse(&deep, &table), Err(Incalculable));
    }
}
