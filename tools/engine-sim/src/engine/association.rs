//! Selections, and what they do to every value of every field.
//!
//! Enters: what was selected, and a table. Leaves: the rows that remain and the state of each
//! value (selected, optional, alternative, excluded). Never knows objects or sessions.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{FieldId, Table};

/// How a new choice meets the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Replace,
    Toggle,
}

impl Mode {
    pub(super) fn toggle_when(toggle: bool) -> Self {
        if toggle { Self::Toggle } else { Self::Replace }
    }
}

/// What is selected, in the order of selecting.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selections {
    fields: BTreeMap<FieldId, Picked>,
    order: Vec<FieldId>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Picked {
    elements: BTreeSet<u32>,
    locked: bool,
}

impl Selections {
    /// Selects `elements` in a field; a locked field refuses.
    pub(super) fn select(&mut self, field: FieldId, elements: &[u32], mode: Mode) -> bool {
        if self.is_locked(field) {
            return false;
        }
        let mut picked = match mode {
            Mode::Replace => BTreeSet::new(),
            Mode::Toggle => self.elements(field).clone(),
        };
        for element in elements {
            if !picked.remove(element) {
                picked.insert(*element);
            }
        }
        self.set(field, picked);
        true
    }

    /// Selects exactly `elements`; none clears the field.
    pub(super) fn set(&mut self, field: FieldId, elements: BTreeSet<u32>) {
        self.order.retain(|other| *other != field);
        if elements.is_empty() {
            self.fields.remove(&field);
            return;
        }
        self.order.push(field);
        self.fields.insert(
            field,
            Picked {
                elements,
                locked: false,
            },
        );
    }

    /// Clears a field unless it is locked.
    pub(super) fn clear(&mut self, field: FieldId) -> bool {
        let free = !self.is_locked(field);
        if free {
            self.set(field, BTreeSet::new());
        }
        free
    }

    /// Clears every field that is not locked, or every field but `kept`.
    pub(super) fn clear_except(&mut self, kept: Option<FieldId>) {
        let others: Vec<_> = self
            .order
            .iter()
            .copied()
            .filter(|id| Some(*id) != kept)
            .collect();
        for field in others {
            self.clear(field);
        }
    }

    /// Locks what is selected in a field, or lets it go; nothing selected is nothing to lock.
    pub(super) fn set_lock(&mut self, field: FieldId, lock: Lock) -> bool {
        let found = self.fields.get_mut(&field);
        found
            .map(|picked| picked.locked = lock == Lock::On)
            .is_some()
    }

    /// Locks or unlocks every field that has a selection.
    pub(super) fn set_locks(&mut self, lock: Lock) {
        for picked in self.fields.values_mut() {
            picked.locked = lock == Lock::On;
        }
    }

    pub(super) fn is_locked(&self, field: FieldId) -> bool {
        self.fields.get(&field).is_some_and(|picked| picked.locked)
    }

    pub(super) fn elements(&self, field: FieldId) -> &BTreeSet<u32> {
        static NONE: BTreeSet<u32> = BTreeSet::new();
        self.fields
            .get(&field)
            .map_or(&NONE, |picked| &picked.elements)
    }

    /// The fields with a selection, oldest first.
    pub(super) fn fields(&self) -> &[FieldId] {
        &self.order
    }
}

/// Whether a field's selection can be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lock {
    On,
    Off,
}

/// What a value is to the selections of the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Selected,
    Optional,
    Alternative,
    Excluded,
    SelectedExcluded,
    Locked,
    LockedExcluded,
}

impl State {
    /// The engine's name for it in a cell.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Selected => "S",
            Self::Optional => "O",
            Self::Alternative => "A",
            Self::Excluded => "X",
            Self::SelectedExcluded => "XS",
            Self::Locked => "L",
            Self::LockedExcluded => "XL",
        }
    }

    /// Where lists sorted by state put it.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Locked => 0,
            Self::Selected => 1,
            Self::Optional => 2,
            Self::Alternative => 3,
            Self::Excluded | Self::SelectedExcluded | Self::LockedExcluded => 4,
        }
    }

    pub(super) fn is_possible(self) -> bool {
        matches!(self, Self::Selected | Self::Optional | Self::Locked)
    }
}

/// The selections, followed through the table.
#[derive(Debug)]
pub(super) struct Association {
    included: Vec<bool>,
    states: Vec<Vec<State>>,
}

impl Association {
    /// Follows the selections. The newest has its way: an older one that would leave no row is
    /// passed over, and its values are selected but excluded.
    pub(super) fn of(table: &Table, selections: &Selections) -> Self {
        let active = compatible(table, selections);
        let mut included = vec![true; table.rows];
        let mut reach: Vec<_> = table
            .fields
            .iter()
            .map(|field| vec![Reach::default(); field.values.len()])
            .collect();
        for (row, is_included) in included.iter_mut().enumerate() {
            let mut misses = active.iter().filter(|field| {
                !selections
                    .elements(**field)
                    .contains(&table.field(**field).element(row))
            });
            match (misses.next(), misses.next()) {
                (None, _) => mark_possible(table, row, &mut reach),
                (Some(only), None) => {
                    *is_included = false;
                    mark(
                        &mut reach[only.0],
                        table.field(*only).element(row),
                        Reach::but_for_own,
                    );
                }
                _ => *is_included = false,
            }
        }
        let states = table
            .ids()
            .map(|id| judge(id, &reach[id.0], selections))
            .collect();
        Self { included, states }
    }

    /// The rows that remain.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.included
            .iter()
            .enumerate()
            .filter(|(_, is)| **is)
            .map(|(row, _)| row)
    }

    pub(super) fn state(&self, field: FieldId, element: u32) -> State {
        let states = &self.states[field.0];
        let at = usize::try_from(element).unwrap_or(usize::MAX);
        states.get(at).copied().unwrap_or(State::Excluded)
    }

    /// The states of a field's values, by element number.
    pub(super) fn states(&self, field: FieldId) -> &[State] {
        &self.states[field.0]
    }

    /// The elements of a field whose state is one of `wanted`.
    pub(super) fn elements(&self, field: FieldId, wanted: &[State]) -> BTreeSet<u32> {
        let matching = (0_u32..)
            .zip(self.states(field))
            .filter(|(_, is)| wanted.contains(is));
        matching.map(|(element, _)| element).collect()
    }

    pub(super) fn count(&self, field: FieldId, state: State) -> usize {
        self.states(field).iter().filter(|is| **is == state).count()
    }
}

#[derive(Clone, Copy, Default)]
struct Reach {
    possible: bool,
    but_for_own: bool,
}

impl Reach {
    fn possible(&mut self) {
        self.possible = true;
    }

    fn but_for_own(&mut self) {
        self.but_for_own = true;
    }
}

fn mark_possible(table: &Table, row: usize, reach: &mut [Vec<Reach>]) {
    for (field, reach) in table.fields.iter().zip(reach) {
        mark(reach, field.element(row), Reach::possible);
    }
}

fn mark(reach: &mut [Reach], element: u32, how: fn(&mut Reach)) {
    if let Some(reach) = usize::try_from(element)
        .ok()
        .and_then(|at| reach.get_mut(at))
    {
        how(reach);
    }
}

/// The fields whose selections leave rows, the newest weighing most.
fn compatible(table: &Table, selections: &Selections) -> Vec<FieldId> {
    let mut rows: Vec<usize> = (0..table.rows).collect();
    let mut active = Vec::new();
    for field in selections.fields().iter().rev() {
        let chosen = selections.elements(*field);
        let column = table.field(*field);
        let left: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| chosen.contains(&column.element(*row)))
            .collect();
        if !left.is_empty() {
            rows = left;
            active.push(*field);
        }
    }
    active
}

fn judge(field: FieldId, reach: &[Reach], selections: &Selections) -> Vec<State> {
    let chosen = selections.elements(field);
    let locked = selections.is_locked(field);
    let each = (0_u32..).zip(reach).map(|(element, reach)| {
        match (chosen.contains(&element), reach.possible, locked) {
            (true, true, false) => State::Selected,
            (true, true, true) => State::Locked,
            (true, false, false) => State::SelectedExcluded,
            (true, false, true) => State::LockedExcluded,
            (false, true, _) if chosen.is_empty() => State::Optional,
            (false, possible, false) if possible || reach.but_for_own => State::Alternative,
            (false, _, _) => State::Excluded,
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests;
