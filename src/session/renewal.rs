//! Sessions that go on: a token that was issued anew moves on the end of the sockets that an older
//! token of the same session opened. It gives no right that it would not give at a new socket, and
//! it wakes nothing that is over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::login::Login;
use super::{Session, Standing};

/// Below this many, nobody looks for watches that are no longer watched.
const FEW: usize = 1024;

/// The standings of one route's sockets whose end may move.
#[derive(Debug, Default)]
pub(super) struct Renewals(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    held: HashMap<Login, Vec<watch::Sender<Standing>>>,
    count: usize,
    sweep_at: usize,
}

impl Renewals {
    /// Takes a session in: whoever watches it from now on hears of its renewals.
    pub(super) fn follow(&self, session: Session) -> Session {
        let Some(login) = Login::of(&session.person) else {
            return session;
        };
        let (sender, standing) = watch::channel(*session.standing.borrow());
        self.book().hold(login, sender);
        Session {
            standing,
            ..session
        }
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
        let senders = book.held.get(&login).into_iter().flatten();
        senders
            .filter(|sender| !sender.is_closed() && move_on(sender, until))
            .count()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn move_on(sender: &watch::Sender<Standing>, later: Instant) -> bool {
    sender.send_if_modified(|standing| match standing {
        Standing::Valid { until: Some(until) } if *until > Instant::now() && later > *until => {
            *until = later;
            true
        }
        _ => false,
    })
}

impl Book {
    fn hold(&mut self, login: Login, sender: watch::Sender<Standing>) {
        if self.count >= self.sweep_at.max(FEW) {
            self.sweep();
        }
        self.held.entry(login).or_default().push(sender);
        self.count += 1;
    }

    /// Lets go of what nobody watches any more. What is left is at most twice as many before the
    /// next time: no more than sockets and tickets are open.
    fn sweep(&mut self) {
        self.held.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        self.count = self.held.values().map(Vec::len).sum();
        self.sweep_at = self.count * 2;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Map;
    use tokio::time::advance;

    use super::*;
    use crate::id::{Issuer, SessionId, Subject};
    use crate::person::Person;

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
        let own = renewals.follow(session("ada", Some("s1"), 10));
        let mut heard = own.standing();
        let second = renewals.follow(session("ada", Some("s1"), 20));
        let strangers = [
            renewals.follow(session("ada", Some("s2"), 10)),
            renewals.follow(session("eve", Some("s1"), 10)),
            renewals.follow(session("ada", None, 10)),
        ];
        assert_eq!(renewals.renew(&session("ada", Some("s1"), 60)), 2);
        assert!(heard.has_changed().unwrap());
        heard.borrow_and_update();
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
