//! Sessions that go on: a token that was issued anew moves on the end of the sockets that an older
//! token of the same session opened. It gives no right that it would not give at a new socket, and
//! it wakes nothing that is over.
//!
//! Sockets that the same token opens share what it says, and what their session comes to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::login::Login;
use super::{Session, Standing};
use crate::person::Trace;

/// Below this many, nobody looks for watches that are no longer watched.
const FEW: usize = 1024;

/// The clocks that a token's end is told by are this exact at least.
const JITTER: Duration = Duration::from_millis(100);

/// The standings of one route's sockets whose end may move.
#[derive(Debug, Default)]
pub(super) struct Renewals(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    held: HashMap<Login, Vec<Held>>,
    count: usize,
    sweep_at: usize,
}

/// What the sockets of one token share.
#[derive(Debug)]
struct Held {
    standing: watch::Sender<Standing>,
    person: Trace,
}

impl Held {
    fn new(session: &Session) -> Self {
        Self {
            standing: watch::Sender::new(*session.standing.borrow()),
            person: session.person.trace(),
        }
    }

    /// Whether a session is of the same token, whose end has not moved since: it shares it then.
    fn takes(&self, session: &mut Session) -> bool {
        if self.standing.is_closed()
            || !agree(*self.standing.borrow(), *session.standing.borrow())
            || !session.person.join(&self.person)
        {
            return false;
        }
        session.standing = self.standing.subscribe();
        true
    }
}

impl Renewals {
    /// Takes a session in: whoever watches it from now on hears of its renewals.
    pub(super) fn follow(&self, mut session: Session) -> Session {
        if let Some(login) = Login::of(&session.person) {
            self.book().hold(login, &mut session);
        }
        session
    }

    /// Moves on the end of what belongs to the same session, to the end of this one; only to a
    /// later one, and only of what is not over. Says how many moved.
    pub(super) fn renew(&self, session: &Session) -> usize {
        let Standing::Valid { until: Some(until) } = *session.standing.borrow() else {
            return 0;
        };
        let Some(login) = Login::of(&session.person) else {
            return 0;
        };
        let book = self.book();
        let held = book.held.get(&login).into_iter().flatten();
        held.map(|held| move_on(&held.standing, until)).sum()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how many sockets heard of a later end.
fn move_on(sender: &watch::Sender<Standing>, later: Instant) -> usize {
    let moved = sender.send_if_modified(|standing| match standing {
        Standing::Valid { until: Some(until) } if *until > Instant::now() && later > *until => {
            *until = later;
            true
        }
        _ => false,
    });
    if moved { sender.receiver_count() } else { 0 }
}

fn agree(one: Standing, other: Standing) -> bool {
    match (one, other) {
        (Standing::Valid { until: Some(one) }, Standing::Valid { until: Some(other) }) => {
            one.max(other) - one.min(other) < JITTER
        }
        _ => false,
    }
}

impl Book {
    fn hold(&mut self, login: Login, session: &mut Session) {
        if self.count >= self.sweep_at.max(FEW) {
            self.sweep();
        }
        let all = self.held.entry(login).or_default();
        if all.iter().any(|held| held.takes(session)) {
            return;
        }
        let held = Held::new(session);
        session.standing = held.standing.subscribe();
        // Mostly there is one.
        all.reserve_exact(1);
        all.push(held);
        self.count += 1;
    }

    /// Lets go of what nobody watches any more. What is left is at most twice as many before the
    /// next time: no more than sockets and tickets are open.
    fn sweep(&mut self) {
        self.held.retain(|_, all| {
            all.retain(|held| !held.standing.is_closed());
            !all.is_empty()
        });
        self.count = self.held.values().map(Vec::len).sum();
        self.sweep_at = self.count * 2;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use tokio::time::advance;

    use super::*;
    use crate::id::{Issuer, SessionId, Subject};
    use crate::person::{ClaimPath, Person};

    fn session(subject: &str, sid: Option<&str>, seconds: u64) -> Session {
        let until = Some(Instant::now() + Duration::from_secs(seconds));
        let (_, standing) = watch::channel(Standing::Valid { until });
        let issuer = Issuer::new("idp");
        let person = Person::new(
            issuer,
            Subject::new(subject),
            sid.map(SessionId::new),
            Map::new(),
        );
        Session {
            person,
            standing,
            activity: crate::session::Activity::default(),
            app: None,
        }
    }

    fn left(session: &Session) -> u64 {
        match *session.standing().borrow() {
            Standing::Valid { until: Some(until) } => (until - Instant::now()).as_secs(),
            _ => 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_token_moves_on_what_belongs_to_its_session() {
        let renewals = Renewals::default();
        let mut own = renewals.follow(session("ada", Some("s1"), 10));
        let second = renewals.follow(session("ada", Some("s1"), 20));
        let strangers = [
            renewals.follow(session("ada", Some("s2"), 10)),
            renewals.follow(session("eve", Some("s1"), 10)),
            renewals.follow(session("ada", None, 10)),
        ];
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 60)), 2);
        assert!(own.standing.has_changed().unwrap());
        own.standing.borrow_and_update();
        assert_eq!((left(&own), left(&second)), (60, 60));
        assert!(strangers.iter().all(|stranger| left(stranger) == 10));
        assert_eq!(renewals.renew(&session("ada", None, 60)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_only_moves_to_a_later_time() {
        let renewals = Renewals::default();
        let own = renewals.follow(session("ada", Some("s1"), 60));
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 10)), 0);
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 60)), 0);
        assert_eq!(left(&own), 60);
        let endless = Session {
            standing: watch::channel(Standing::Valid { until: None }).1,
            ..session("ada", Some("s1"), 0)
        };
        assert_eq!(renewals.renew(&endless), 0);
        assert_eq!(left(&own), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_over_comes_back() {
        let renewals = Renewals::default();
        let expired = renewals.follow(session("ada", Some("s1"), 10));
        let ended = renewals.follow(Session {
            standing: watch::channel(Standing::Ended).1,
            ..session("ada", Some("s1"), 0)
        });
        advance(Duration::from_secs(10)).await;
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 60)), 0);
        assert!(!expired.is_valid() && !ended.is_valid());
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_of_one_token_share_what_they_keep() {
        let renewals = Renewals::default();
        let one = renewals.follow(session("ada", Some("s1"), 10));
        let two = renewals.follow(session("ada", Some("s1"), 10));
        assert!(one.standing.same_channel(&two.standing));
        assert_eq!(renewals.book().count, 1);
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 60)), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_shares_what_says_something_else_or_has_moved() {
        let renewals = Renewals::default();
        let own = renewals.follow(session("ada", Some("s1"), 10));
        let mut others = vec![
            renewals.follow(session("eve", Some("s1"), 10)),
            renewals.follow(session("ada", Some("s2"), 10)),
            renewals.follow(session("ada", Some("s1"), 11)),
        ];
        let claims = Map::from_iter([("role".to_owned(), "admin".into())]);
        let (issuer, subject) = (Issuer::new("idp"), Subject::new("ada"));
        others.push(renewals.follow(Session {
            person: Person::new(issuer, subject, Some(SessionId::new("s1")), claims),
            ..session("ada", Some("s1"), 10)
        }));
        renewals.renew(&session("ada", Some("s1"), 60));
        others.push(renewals.follow(session("ada", Some("s1"), 10)));
        let shares = |other: &Session| own.standing.same_channel(&other.standing);
        assert!(!others.iter().any(shares));
        assert_eq!(left(&others[4]), 10, "its token says no more");
        let role = |session: &Session| session.person.claim(&ClaimPath::new("role")).is_some();
        assert_eq!(others.iter().filter(|other| role(other)).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_watches_is_let_go() {
        let renewals = Renewals::default();
        let kept = renewals.follow(session("ada", Some("kept"), 10));
        for n in 0..10 * FEW {
            drop(renewals.follow(session("ada", Some(&n.to_string()), 10)));
        }
        let book = renewals.book();
        assert!(book.count <= FEW && book.held.len() <= FEW);
        drop(book);
        assert_eq!(renewals.renew(&session("ada", Some("kept"), 60)), 1);
        assert_eq!(left(&kept), 60);
    }
}
