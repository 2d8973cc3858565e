//! The handle of a field.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::{
    association::{Lock, Mode, State},
    data::FieldId,
    rpc::{Answer, Fault, out},
};

use super::Desk;

pub(super) fn answer(desk: &mut Desk<'_>, field: FieldId) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "Select" => select_match(desk, field, Mode::Replace),
        "ToggleSelect" => select_match(desk, field, Mode::Toggle),
        "SelectValues" => select_values(desk, field),
        "LowLevelSelect" => low_level_select(desk, field),
        "SelectAll" => select_states(desk, field, &EVERY_STATE),
        "SelectPossible" => select_states(desk, field, &POSSIBLE),
        "SelectExcluded" => select_states(desk, field, &EXCLUDED),
        "SelectAlternative" => select_states(desk, field, &[State::Alternative]),
        "Clear" => returned(
            desk.session
                .doc_mut()?
                .choose(None, |all, _| all.clear(field)),
        ),
        "ClearAllButThis" => {
            desk.session
                .doc_mut()?
                .choose(None, |all, _| all.clear_except(Some(field)))?;
            returned(Ok(true))
        }
        "Lock" => lock(desk, field, Lock::On),
        "Unlock" => lock(desk, field, Lock::Off),
        "GetCardinal" => cardinal(desk, field),
        _ => Err(desk.unknown("Field")),
    }
}

/// The states `SelectAll` selects.
pub(super) const EVERY_STATE: [State; 5] = [
    State::Selected,
    State::Optional,
    State::Alternative,
    State::Excluded,
    State::SelectedExcluded,
];
/// The states `SelectPossible` selects.
pub(super) const POSSIBLE: [State; 2] = [State::Selected, State::Optional];
/// The states `SelectExcluded` selects.
pub(super) const EXCLUDED: [State; 3] =
    [State::Alternative, State::Excluded, State::SelectedExcluded];

fn returned(success: Result<bool, Fault>) -> Result<Answer, Fault> {
    Ok(out("qReturn", json!(success?)))
}

fn select_match(desk: &mut Desk<'_>, field: FieldId, mode: Mode) -> Result<Answer, Fault> {
    let wanted = desk.request.text(0, "qMatch")?;
    let column = desk.session.doc()?.app.table.field(field);
    let found = column.matching(wanted);
    select(desk, field, &found, mode)
}

fn select_values(desk: &mut Desk<'_>, field: FieldId) -> Result<Answer, Fault> {
    let wanted = desk.request.list(0, "qFieldValues");
    let column = desk.session.doc()?.app.table.field(field);
    let is_wanted = |text: &str, number: Option<f64>| {
        wanted.iter().any(|value| {
            let by_number = value["qIsNumeric"] == Value::Bool(true);
            let is_number = number.is_some() && number == value["qNumber"].as_f64();
            if by_number {
                is_number
            } else {
                value["qText"].as_str() == Some(text)
            }
        })
    };
    let found = column.elements(is_wanted);
    let mode = Mode::toggle_when(desk.request.flag(1, "qToggleMode"));
    select(desk, field, &found, mode)
}

fn low_level_select(desk: &mut Desk<'_>, field: FieldId) -> Result<Answer, Fault> {
    let elements = desk.request.elements(0, "qValues");
    let mode = Mode::toggle_when(desk.request.flag(1, "qToggleMode"));
    select(desk, field, &elements, mode)
}

fn select_states(desk: &mut Desk<'_>, field: FieldId, states: &[State]) -> Result<Answer, Fault> {
    let doc = desk.session.doc_mut()?;
    returned(doc.choose(None, |chosen, now| {
        let free = !chosen.is_locked(field);
        if free {
            chosen.set(field, now.elements(field, states));
        }
        free
    }))
}

/// A selection that matches nothing is refused and changes nothing.
fn select(
    desk: &mut Desk<'_>,
    field: FieldId,
    elements: &[u32],
    mode: Mode,
) -> Result<Answer, Fault> {
    let doc = desk.session.doc_mut()?;
    let column = doc.app.table.field(field);
    let known: BTreeSet<u32> = elements
        .iter()
        .copied()
        .filter(|element| column.value(*element).is_some())
        .collect();
    if known.is_empty() {
        return returned(Ok(false));
    }
    let known: Vec<_> = known.into_iter().collect();
    returned(doc.choose(None, |chosen, _| chosen.select(field, &known, mode)))
}

fn lock(desk: &mut Desk<'_>, field: FieldId, lock: Lock) -> Result<Answer, Fault> {
    returned(
        desk.session
            .doc_mut()?
            .choose(None, |chosen, _| chosen.set_lock(field, lock)),
    )
}

fn cardinal(desk: &Desk<'_>, field: FieldId) -> Result<Answer, Fault> {
    let values = &desk.session.doc()?.app.table.field(field).values;
    Ok(out("qReturn", json!(values.len())))
}
