//! Prolonging a session as the app would, because somebody is at work: by what the app itself does
//! at every request, and never to less than the session has.

use std::time::Duration;

use redis::Pipeline;

use super::super::moment::Moment;
use super::super::vouching::Answer;
use super::spring::LAST_USED;

/// How much longer than the session the hash of an indexed repository lives.
const AFTERLIFE: Duration = Duration::from_mins(5);

/// Notes the last use, of a session that is there and that says it this way: a hash with nothing but
/// a last use would be a session that nobody began.
const NOTE_USE: &str = "if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then \
                        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end return 0";

/// What prolongs a session of one key, by its last answer; `None` where it is not to be.
pub(super) fn key(key: &str, span: Duration, answer: &Answer) -> Option<Pipeline> {
    is_behind(span, answer).then(|| {
        let mut telling = Pipeline::with_capacity(1);
        prolong(&mut telling, key, span);
        telling
    })
}

/// The same for a hash of Spring's, which says when it was last used.
pub(super) fn hash(key: &str, span: Duration, answer: &Answer) -> Pipeline {
    let mut telling = note_use(key);
    if is_behind(span, answer) {
        prolong(&mut telling, key, span);
    }
    telling
}

/// The same where a key beside the hash lives as long as the session.
pub(super) fn indexed(key: &str, beside: &str, span: Duration, answer: &Answer) -> Pipeline {
    let mut telling = note_use(key);
    if is_behind(span, answer) {
        prolong(&mut telling, key, span + AFTERLIFE);
        prolong(&mut telling, beside, span);
    }
    telling
}

/// Whether a session has less than the span ahead; one without an end keeps none.
fn is_behind(span: Duration, answer: &Answer) -> bool {
    let end = Moment::now().unix() + span.as_secs_f64();
    answer.expires.is_some_and(|expires| expires < end)
}

/// A key that is gone stays gone.
fn prolong(telling: &mut Pipeline, key: &str, span: Duration) {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    telling.cmd("PEXPIRE").arg(key).arg(span).ignore();
}

fn note_use(key: &str) -> Pipeline {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the wall clock, in milliseconds"
    )]
    let now = (Moment::now().unix() * 1000.0) as u64;
    let mut telling = Pipeline::with_capacity(3);
    telling.cmd("EVAL").arg(NOTE_USE).arg(1).arg(key);
    telling.arg(LAST_USED).arg(now).ignore();
    telling
}
