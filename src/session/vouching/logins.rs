//! Vouches by the app session that they stand for, so that evidence which was issued anew finds them.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::login::Login;
use super::vouch::Vouch;

/// The vouches in force whose app session has an id: each is here as long as it is watched over.
#[derive(Debug)]
pub(super) struct Logins<E>(HashMap<Login, Vec<Arc<Vouch<E>>>>);

impl<E> Logins<E> {
    /// Takes one in.
    pub(super) fn hold(&mut self, login: Login, vouch: &Arc<Vouch<E>>) {
        self.0.entry(login).or_default().push(Arc::clone(vouch));
    }

    /// Lets go of one.
    pub(super) fn let_go(&mut self, login: &Login, vouch: &Arc<Vouch<E>>) {
        if let Some(held) = self.0.get_mut(login) {
            held.retain(|one| !Arc::ptr_eq(one, vouch));
            if held.is_empty() {
                self.0.remove(login);
            }
        }
    }

    /// All of one app session.
    pub(super) fn of(&self, login: &Login) -> &[Arc<Vouch<E>>] {
        self.0.get(login).map_or(&[], Vec::as_slice)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

impl<E> Default for Logins<E> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}
