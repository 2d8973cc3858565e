//! An open app in one engine session: its objects, its selections, and who is selecting.
//!
//! Enters: changes of selections and objects. Leaves: the associative state, and a note of which
//! objects a change touched. Never knows sockets or handles.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    association::{Association, Selections},
    cube::{Library, View},
    data::App,
    object::Object,
    rpc::Fault,
};

/// The app as this session has it.
#[derive(Debug)]
pub(super) struct Doc {
    pub(super) app: Arc<App>,
    objects: BTreeMap<String, Object>,
    chosen: Selections,
    current: Arc<Association>,
    past: Vec<Selections>,
    future: Vec<Selections>,
    modal: Option<Modal>,
    touched: Touched,
    made: u64,
}

/// An object that is being selected in.
#[derive(Debug)]
struct Modal {
    object: String,
    before: Selections,
    rows: Arc<Association>,
}

/// What changed since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Every object whose layout follows the selections.
    pub(super) selections: bool,
    pub(super) objects: BTreeSet<String>,
    pub(super) removed: Vec<String>,
}

impl Touched {
    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        !self.selections && self.objects.is_empty() && self.removed.is_empty()
    }
}

/// The most steps that can be taken back.
const LONGEST_PAST: usize = 100;

impl Doc {
    pub(super) fn open(app: Arc<App>) -> Self {
        let stored = app.objects.iter();
        let chosen = Selections::default();
        Self {
            objects: stored
                .map(|(id, p)| (id.clone(), Object::stored(p.clone())))
                .collect(),
            current: Arc::new(Association::of(&app.table, &chosen)),
            chosen,
            past: Vec::new(),
            future: Vec::new(),
            modal: None,
            touched: Touched::default(),
            made: 0,
            app,
        }
    }

    pub(super) fn selections(&self) -> &Selections {
        &self.chosen
    }

    pub(super) fn association(&self) -> &Association {
        &self.current
    }

    /// What `object` is calculated from.
    pub(super) fn view(&self, object: &str) -> View<'_> {
        let modal = self.modal.as_ref().filter(|modal| modal.object == object);
        View {
            table: &self.app.table,
            rows: modal.map_or(&self.current, |modal| &modal.rows),
            states: &self.current,
        }
    }

    pub(super) fn steps(&self) -> (usize, usize) {
        (self.past.len(), self.future.len())
    }

    /// Changes the selections on behalf of `object`, or of nobody; refused while another object
    /// is being selected in.
    pub(super) fn choose<T>(
        &mut self,
        object: Option<&str>,
        change: impl FnOnce(&mut Selections, &Association) -> T,
    ) -> Result<T, Fault> {
        self.refuse_modal(object)?;
        let mut chosen = self.chosen.clone();
        let outcome = change(&mut chosen, &self.current);
        if chosen != self.chosen {
            if self.modal.is_none() {
                self.remember(self.chosen.clone());
            }
            self.settle(chosen);
        }
        Ok(outcome)
    }

    /// Takes one step back, or one forward again.
    pub(super) fn step(&mut self, direction: Step) -> Result<bool, Fault> {
        self.refuse_modal(None)?;
        let from = match direction {
            Step::Back => self.past.pop(),
            Step::Forward => self.future.pop(),
        };
        let Some(chosen) = from else { return Ok(false) };
        match direction {
            Step::Back => self.future.push(self.chosen.clone()),
            Step::Forward => self.past.push(self.chosen.clone()),
        }
        self.settle(chosen);
        Ok(true)
    }

    /// Begins selecting in an object.
    pub(super) fn begin(&mut self, object: &str) -> Result<(), Fault> {
        self.refuse_modal(Some(object))?;
        if self.modal.is_none() {
            let (before, rows) = (self.chosen.clone(), Arc::clone(&self.current));
            self.modal = Some(Modal {
                object: object.to_owned(),
                before,
                rows,
            });
            self.touched.objects.insert(object.to_owned());
        }
        Ok(())
    }

    /// Ends selecting: what was selected stays, or it is as it was before.
    pub(super) fn end(&mut self, ending: Ending) {
        let Some(modal) = self.modal.take() else {
            return;
        };
        if ending == Ending::Abort {
            self.settle(modal.before);
        } else if modal.before != self.chosen {
            self.remember(modal.before);
        }
        // Its rows were held back while it was selected in.
        self.touched.objects.insert(modal.object);
    }

    /// Undoes what was selected since `begin`, and goes on selecting.
    pub(super) fn reset(&mut self, object: &str) {
        if let Some(modal) = self.modal.as_ref().filter(|modal| modal.object == object) {
            self.settle(modal.before.clone());
        }
    }

    pub(super) fn is_modal(&self, object: &str) -> bool {
        self.modal
            .as_ref()
            .is_some_and(|modal| modal.object == object)
    }

    pub(super) fn has_made_selections(&self, object: &str) -> bool {
        self.modal
            .as_ref()
            .is_some_and(|it| it.object == object && it.before != self.chosen)
    }

    pub(super) fn object(&self, id: &str) -> Option<&Object> {
        self.objects.get(id)
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.objects
            .iter()
            .map(|(id, object)| (id.as_str(), object))
    }

    /// Adds an object under the id its properties name, or a new one.
    pub(super) fn add(&mut self, mut properties: Value) -> Result<String, Fault> {
        if !properties["qInfo"].is_object() {
            return Err(Fault::invalid_params("qInfo"));
        }
        let named = properties["qInfo"]["qId"]
            .as_str()
            .filter(|id| !id.is_empty());
        let id = if let Some(id) = named {
            id.to_owned()
        } else {
            self.made += 1;
            format!("made-{:04}", self.made)
        };
        if self.objects.contains_key(&id) {
            return Err(Fault::already_exists(&id));
        }
        properties["qInfo"]["qId"] = Value::from(id.as_str());
        self.objects.insert(id.clone(), Object::made(properties));
        Ok(id)
    }

    /// Changes an object's properties.
    pub(super) fn change<T>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Object) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let object = self
            .objects
            .get_mut(id)
            .ok_or_else(|| Fault::not_found(id))?;
        let outcome = change(object)?;
        self.touched.objects.insert(id.to_owned());
        Ok(outcome)
    }

    /// Removes an object that a client made.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let is_made = self
            .objects
            .get(id)
            .is_some_and(|object| !object.is_stored());
        if is_made {
            self.objects.remove(id);
            self.touched.removed.push(id.to_owned());
            if self.is_modal(id) {
                self.end(Ending::Accept);
            }
        }
        is_made
    }

    /// What changed since the last time.
    pub(super) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    fn refuse_modal(&self, object: Option<&str>) -> Result<(), Fault> {
        match &self.modal {
            Some(modal) if Some(modal.object.as_str()) != object => {
                Err(Fault::modal(&modal.object))
            }
            _ => Ok(()),
        }
    }

    fn remember(&mut self, before: Selections) {
        self.future.clear();
        self.past.push(before);
        if self.past.len() > LONGEST_PAST {
            self.past.remove(0);
        }
    }

    fn settle(&mut self, chosen: Selections) {
        if chosen == self.chosen {
            return;
        }
        self.current = Arc::new(Association::of(&self.app.table, &chosen));
        self.chosen = chosen;
        self.touched.selections = true;
    }
}

impl Library for Doc {
    fn dimension(&self, id: &str) -> Option<&Value> {
        self.objects
            .get(id)
            .map(|object| &object.effective()["qDim"])
            .filter(|it| it.is_object())
    }

    fn measure(&self, id: &str) -> Option<&Value> {
        let measure = self
            .objects
            .get(id)
            .map(|object| &object.effective()["qMeasure"]);
        measure.filter(|it| it.is_object())
    }
}

/// A step through the selections of the past.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Back,
    Forward,
}

/// How selecting in an object ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Accept,
    Abort,
}
