//! The associative states against a naive reading of the rule.

use proptest::prelude::*;

use super::*;
use crate::engine::data::TableBuilder;

const WIDTH: usize = 3;

fn table(rows: &[[u32; WIDTH]]) -> Table {
    let mut table = TableBuilder::new("T", &["A", "B", "C"]);
    for row in rows {
        table.push(row.iter().map(|cell| (*cell).into()).collect());
    }
    table.finish()
}

/// The rule in its own words: the newest selection counts first, an older one only if it
/// leaves a row.
fn naive_rows(table: &Table, selections: &Selections, but: Option<FieldId>) -> Vec<usize> {
    let active = naive_active(table, selections);
    let holds = |row: usize, field: &FieldId| {
        Some(*field) == but
            || selections
                .elements(*field)
                .contains(&table.field(*field).element(row))
    };
    (0..table.rows)
        .filter(|row| active.iter().all(|field| holds(*row, field)))
        .collect()
}

fn naive_active(table: &Table, selections: &Selections) -> Vec<FieldId> {
    let mut active: Vec<FieldId> = Vec::new();
    let holds = |field: &FieldId, row: usize| {
        selections
            .elements(*field)
            .contains(&table.field(*field).element(row))
    };
    for field in selections.fields().iter().rev() {
        let all = |row: usize| holds(field, row) && active.iter().all(|it| holds(it, row));
        if (0..table.rows).any(all) {
            active.push(*field);
        }
    }
    active
}

fn naive_state(table: &Table, selections: &Selections, field: FieldId, element: u32) -> State {
    let reaches = |rows: Vec<usize>| {
        rows.iter()
            .any(|row| table.field(field).element(*row) == element)
    };
    let possible = reaches(naive_rows(table, selections, None));
    let chosen = selections.elements(field);
    match (
        chosen.contains(&element),
        chosen.is_empty(),
        selections.is_locked(field),
    ) {
        (true, _, false) if possible => State::Selected,
        (true, _, true) if possible => State::Locked,
        (true, _, false) => State::SelectedExcluded,
        (true, _, true) => State::LockedExcluded,
        (_, true, _) if possible => State::Optional,
        (_, false, false) if reaches(naive_rows(table, selections, Some(field))) => {
            State::Alternative
        }
        _ => State::Excluded,
    }
}

fn cells() -> impl Strategy<Value = Vec<[u32; WIDTH]>> {
    prop::collection::vec(prop::array::uniform3(0..4_u32), 1..25)
}

fn choices() -> impl Strategy<Value = Vec<(usize, Vec<u32>, bool, bool)>> {
    let one = (
        0..WIDTH,
        prop::collection::vec(0..4_u32, 0..4),
        any::<bool>(),
        any::<bool>(),
    );
    prop::collection::vec(one, 0..5)
}

proptest! {
    #[test]
    fn every_state_is_what_a_naive_reading_says(rows in cells(), choices in choices()) {
        let table = table(&rows);
        let mut selections = Selections::default();
        for (field, elements, toggle, lock) in choices {
            let known = table.fields[field].values.len();
            let elements: Vec<_> =
                elements.into_iter().filter(|e| (*e as usize) < known).collect();
            selections.select(FieldId(field), &elements, Mode::toggle_when(toggle));
            if lock {
                selections.set_lock(FieldId(field), Lock::On);
            }
        }
        let association = Association::of(&table, &selections);
        prop_assert_eq!(
            association.rows().collect::<Vec<_>>(),
            naive_rows(&table, &selections, None)
        );
        for field in table.ids() {
            for element in 0..u32::try_from(table.field(field).values.len()).unwrap() {
                prop_assert_eq!(
                    association.state(field, element),
                    naive_state(&table, &selections, field, element)
                );
            }
        }
    }
}

#[test]
fn the_newest_of_two_that_exclude_each_other_wins() {
    let table = table(&[[0, 0, 0], [1, 1, 1]]);
    let (a, b) = (FieldId(0), FieldId(1));
    let mut selections = Selections::default();
    assert!(selections.select(a, &[0], Mode::Replace));
    assert!(selections.select(b, &[1], Mode::Replace));
    let association = Association::of(&table, &selections);
    assert_eq!(association.rows().collect::<Vec<_>>(), [1]);
    assert_eq!(
        association.states(a),
        [State::SelectedExcluded, State::Alternative]
    );
    assert_eq!(association.states(b), [State::Alternative, State::Selected]);
}

#[test]
fn a_locked_field_keeps_its_selection() {
    let mut selections = Selections::default();
    selections.select(FieldId(0), &[1], Mode::Replace);
    assert!(selections.set_lock(FieldId(0), Lock::On));
    assert!(!selections.set_lock(FieldId(1), Lock::On));
    assert!(!selections.select(FieldId(0), &[2], Mode::Toggle));
    selections.clear_except(None);
    assert_eq!(selections.elements(FieldId(0)), &BTreeSet::from([1]));
}
