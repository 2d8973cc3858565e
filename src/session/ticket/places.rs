//! How many tickets are out: in all, and of one person.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::error::SessionError;
use crate::id::{Issuer, Subject};
use crate::person::Person;

/// How many tickets of one route are out at once; each is good for seconds.
const MOST: usize = 10_000;
/// How many of them one person may have.
const MOST_A_PERSON: usize = 64;

/// The places that tickets take.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    people: HashMap<Owner, usize>,
}

type Owner = (Issuer, Subject);

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    owner: Owner,
    places: Places,
}

impl Places {
    /// Takes a place for a ticket of a person, or says that there is none.
    pub(super) fn take(&self, person: &Person) -> Result<Place, SessionError> {
        let owner = (person.issuer().clone(), person.subject().clone());
        let mut taken = self.taken();
        let holds = taken.people.get(&owner).copied().unwrap_or_default();
        if taken.all >= MOST || holds >= MOST_A_PERSON {
            return Err(SessionError::Crowded);
        }
        taken.all += 1;
        taken.people.insert(owner.clone(), holds + 1);
        let places = self.clone();
        Ok(Place { owner, places })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        match taken.people.get_mut(&self.owner) {
            Some(holds) if *holds > 1 => *holds -= 1,
            _ => drop(taken.people.remove(&self.owner)),
        }
    }
}
