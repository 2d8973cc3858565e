//! Selecting through an object: in its hypercube or its list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::engine::{
    association::{Lock, Mode, State},
    cube::{Cube, CubeDefinition, Dimension},
    data::FieldId,
    rpc::{Answer, Fault, nothing, out},
};

use super::{
    Desk,
    field::{EVERY_STATE, EXCLUDED, POSSIBLE},
    object::definition,
};

pub(super) fn answer(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "SelectHyperCubeValues" => select_values(desk, id),
        "SelectHyperCubeCells" => select_cells(desk, id),
        "RangeSelectHyperCubeValues" => select_ranges(desk, id),
        "SelectListObjectValues" => select_list_values(desk, id),
        "SelectListObjectAll" => select_list_states(desk, id, &EVERY_STATE),
        "SelectListObjectPossible" => select_list_states(desk, id, &POSSIBLE),
        "SelectListObjectExcluded" => select_list_states(desk, id, &EXCLUDED),
        "SelectListObjectAlternative" => select_list_states(desk, id, &[State::Alternative]),
        "ClearSelections" => clear(desk, id),
        "ResetMadeSelections" => {
            desk.session.doc_mut()?.reset(id);
            Ok(nothing())
        }
        "Lock" => lock(desk, id, Lock::On),
        "Unlock" => lock(desk, id, Lock::Off),
        _ => Err(desk.unknown("GenericObject")),
    }
}

fn success(success: Result<bool, Fault>) -> Result<Answer, Fault> {
    Ok(out("qSuccess", json!(success?)))
}

fn select_values(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let field = dimension_field(desk, id, desk.request.index(1, "qDimNo")?)?;
    let elements = desk.request.elements(2, "qValues");
    let mode = Mode::toggle_when(desk.request.flag(3, "qToggleMode"));
    let doc = desk.session.doc_mut()?;
    success(doc.choose(Some(id), |chosen, _| chosen.select(field, &elements, mode)))
}

fn select_list_values(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let field = list_field(desk, id)?;
    let elements = desk.request.elements(1, "qValues");
    let mode = Mode::toggle_when(desk.request.flag(2, "qToggleMode"));
    let doc = desk.session.doc_mut()?;
    success(doc.choose(Some(id), |chosen, _| chosen.select(field, &elements, mode)))
}

fn select_list_states(desk: &mut Desk<'_>, id: &str, states: &[State]) -> Result<Answer, Fault> {
    let field = list_field(desk, id)?;
    success(desk.session.doc_mut()?.choose(Some(id), |chosen, now| {
        let free = !chosen.is_locked(field);
        if free {
            chosen.set(field, now.elements(field, states));
        }
        free
    }))
}

/// Selects the values of the cells in `qRowIndices` by `qColIndices`.
fn select_cells(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let rows: BTreeSet<_> = desk
        .request
        .elements(1, "qRowIndices")
        .into_iter()
        .collect();
    let columns = desk.request.elements(2, "qColIndices");
    let picked = picked(desk, id, &columns, |row, _| {
        u32::try_from(row).is_ok_and(|row| rows.contains(&row))
    })?;
    select_all(desk, id, picked)
}

/// Selects the values of the rows whose measures lie in all `qRanges`, or in one of them.
fn select_ranges(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let ranges: Vec<_> = desk
        .request
        .list(1, "qRanges")
        .iter()
        .map(Range::parse)
        .collect();
    let columns = desk.request.elements(2, "qColumnsToSelect");
    let any = desk.request.flag(3, "qOrMode");
    let picked = picked(desk, id, &columns, |_, numbers| {
        let holds = |range: &Range| range.holds(numbers);
        if any {
            ranges.iter().any(holds)
        } else {
            ranges.iter().all(holds)
        }
    })?;
    select_all(desk, id, picked)
}

type Picked = BTreeMap<FieldId, BTreeSet<u32>>;

/// The values in the dimensions `columns` (all, if none are named) of the rows that are wanted.
fn picked(
    desk: &Desk<'_>,
    id: &str,
    columns: &[u32],
    is_wanted: impl Fn(usize, &[Option<f64>]) -> bool,
) -> Result<Picked, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let definition = CubeDefinition::parse(def, &doc.app.table, doc);
    let cube = Cube::calculate(&definition, doc.view(id));
    let mut picked = Picked::new();
    for (column, dimension) in (0_u32..).zip(&definition.dimensions) {
        let Some(field) = dimension.field else {
            continue;
        };
        if columns.is_empty() || columns.contains(&column) {
            let at = usize::try_from(column).unwrap_or(usize::MAX);
            picked.insert(field, cube.elements(at, &is_wanted));
        }
    }
    Ok(picked)
}

fn select_all(desk: &mut Desk<'_>, id: &str, picked: Picked) -> Result<Answer, Fault> {
    let doc = desk.session.doc_mut()?;
    success(doc.choose(Some(id), |chosen, _| {
        let free = picked.keys().all(|field| !chosen.is_locked(*field));
        if free {
            for (field, elements) in picked {
                chosen.set(field, elements);
            }
        }
        free
    }))
}

/// Clears every field the object shows, or only the dimensions `qColIndices`.
fn clear(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let columns = desk.request.elements(1, "qColIndices");
    let fields = fields(desk, id)?;
    desk.session.doc_mut()?.choose(Some(id), |chosen, _| {
        for (column, field) in (0_u32..).zip(fields) {
            if columns.is_empty() || columns.contains(&column) {
                chosen.clear(field);
            }
        }
    })?;
    Ok(nothing())
}

fn lock(desk: &mut Desk<'_>, id: &str, lock: Lock) -> Result<Answer, Fault> {
    let fields = fields(desk, id)?;
    desk.session.doc_mut()?.choose(Some(id), |chosen, _| {
        for field in fields {
            chosen.set_lock(field, lock);
        }
    })?;
    Ok(nothing())
}

/// The fields behind the definition at `qPath`: a hypercube's, or a list's one.
fn fields(desk: &Desk<'_>, id: &str) -> Result<Vec<FieldId>, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    if def["qDimensions"].is_array() {
        let cube = CubeDefinition::parse(def, &doc.app.table, doc);
        return Ok(cube
            .dimensions
            .iter()
            .filter_map(|dimension| dimension.field)
            .collect());
    }
    Ok(Dimension::parse(def, &doc.app.table, doc)
        .field
        .into_iter()
        .collect())
}

pub(super) fn list_field(desk: &Desk<'_>, id: &str) -> Result<FieldId, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let field = Dimension::parse(def, &doc.app.table, doc).field;
    field.ok_or_else(|| Fault::invalid_object("qPath"))
}

fn dimension_field(desk: &Desk<'_>, id: &str, at: usize) -> Result<FieldId, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let cube = CubeDefinition::parse(def, &doc.app.table, doc);
    let field = cube
        .dimensions
        .get(at)
        .and_then(|dimension| dimension.field);
    field.ok_or_else(|| Fault::invalid_params("qDimNo"))
}

/// One `NxRangeSelectInfo`.
struct Range {
    measure: usize,
    low: f64,
    high: f64,
    with_low: bool,
    with_high: bool,
}

impl Range {
    fn parse(info: &Value) -> Self {
        let range = &info["qRange"];
        let measure = info["qMeasureIx"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok());
        Self {
            measure: measure.unwrap_or(0),
            low: range["qMin"].as_f64().unwrap_or(f64::NEG_INFINITY),
            high: range["qMax"].as_f64().unwrap_or(f64::INFINITY),
            with_low: range["qMinInclEq"].as_bool().unwrap_or(true),
            with_high: range["qMaxInclEq"].as_bool().unwrap_or(true),
        }
    }

    fn holds(&self, numbers: &[Option<f64>]) -> bool {
        let Some(number) = numbers.get(self.measure).copied().flatten() else {
            return false;
        };
        let above = if self.with_low {
            number >= self.low
        } else {
            number > self.low
        };
        let below = if self.with_high {
            number <= self.high
        } else {
            number < self.high
        };
        above && below
    }
}
