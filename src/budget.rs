//! Budgets a minute for any number of keys, in a fixed room: token buckets in a set-associative
//! table that never grows.
//!
//! A key is a number that its owner cannot choose (a keyed hash). A key that has no place has its
//! whole budget; where places run out, the one that has used the least of its budget loses it.
//! Time is a parameter: how long ago the table began.

use std::time::Duration;

/// How many places one key can have; the table looks at no others for it.
const WAYS: usize = 8;

/// How much of a budget something uses, in eighths of one event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share(u64);

impl Share {
    /// One event.
    pub const WHOLE: Self = Self(8);
    /// What is held of an event that may turn out not to count.
    pub const PLEDGE: Self = Self(1);
    /// What a pledge lacks to a whole.
    pub const REST: Self = Self(Self::WHOLE.0 - Self::PLEDGE.0);
}

/// The budgets of many keys.
#[derive(Debug)]
pub struct Budgets {
    /// A place's weight is when its budget is whole again, in nanoseconds.
    places: Places,
    /// How long a budget takes to win back an eighth of an event, in nanoseconds.
    eighth: u64,
    /// How long an empty budget takes to be whole again, in nanoseconds.
    span: u64,
}

impl Budgets {
    /// Whole budgets of so many events, in a table of so many places. A budget may be used at
    /// once; it comes back evenly, all of it in a minute.
    #[must_use]
    pub fn new(per_minute: usize, places: usize) -> Self {
        let events = per_minute.max(1) as u64;
        let eighths = events.saturating_mul(Share::WHOLE.0);
        let eighth = (nanos(Duration::from_mins(1)) / eighths).max(1);
        Self {
            places: Places::new(places),
            eighth,
            span: eighth.saturating_mul(eighths),
        }
    }

    /// Takes one event.
    pub fn take(&mut self, key: u64, now: Duration) -> Result<(), Empty> {
        self.hold(key, Share::WHOLE, now)
    }

    /// Takes a share of an event where there is room for the whole of it.
    pub fn hold(&mut self, key: u64, share: Share, now: Duration) -> Result<(), Empty> {
        let now = nanos(now);
        let used = self.used(key, now);
        let excess = (used + self.worth(Share::WHOLE)).saturating_sub(self.span);
        if excess > 0 {
            return Err(Empty {
                wait: Duration::from_nanos(excess),
            });
        }
        self.places.claim(key).weight = now + used + self.worth(share);
        Ok(())
    }

    /// Uses up a share, or what there is of it: no budget is ever more than empty.
    pub fn charge(&mut self, key: u64, share: Share, now: Duration) {
        let now = nanos(now);
        let used = (self.used(key, now) + self.worth(share)).min(self.span);
        self.places.claim(key).weight = now + used;
    }

    /// Gives a share back.
    pub fn give_back(&mut self, key: u64, share: Share) {
        let worth = self.worth(share);
        if let Some(place) = self.places.find(key) {
            place.weight = place.weight.saturating_sub(worth);
        }
    }

    /// How much of a budget is used, as the time it takes to come back.
    fn used(&mut self, key: u64, now: u64) -> u64 {
        let place = self.places.find(key);
        place.map_or(0, |place| place.weight.saturating_sub(now))
    }

    fn worth(&self, share: Share) -> u64 {
        self.eighth.saturating_mul(share.0)
    }
}

/// A budget that has no room for one more event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Empty {
    /// When it has, if nothing else uses it up.
    pub wait: Duration,
}

/// The keys that were seen last, in a table of the same kind.
#[derive(Debug)]
pub struct Memory(Places);

impl Memory {
    /// A memory of so many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Places::new(places))
    }

    /// Remembers a key, at the cost of one that was not seen for longer.
    pub fn remember(&mut self, key: u64, now: Duration) {
        self.0.claim(key).weight = nanos(now).saturating_add(1);
    }

    /// Whether a key is remembered.
    pub fn knows(&mut self, key: u64) -> bool {
        self.0.find(key).is_some_and(|place| place.weight > 0)
    }

    /// Forgets a key.
    pub fn forget(&mut self, key: u64) {
        if let Some(place) = self.0.find(key) {
            place.weight = 0;
        }
    }
}

/// A table of a fixed size.
#[derive(Debug)]
struct Places(Box<[[Place; WAYS]]>);

/// A place that weighs nothing is free.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    key: u64,
    weight: u64,
}

impl Places {
    fn new(places: usize) -> Self {
        let sets = places.div_ceil(WAYS).max(1);
        Self(vec![[Place::default(); WAYS]; sets].into_boxed_slice())
    }

    fn find(&mut self, key: u64) -> Option<&mut Place> {
        self.set(key).iter_mut().find(|place| place.key == key)
    }

    /// The key's place, or else the lightest, which is then the key's.
    fn claim(&mut self, key: u64) -> &mut Place {
        let set = self.set(key);
        let found = set.iter().position(|place| place.key == key);
        let lightest = || (0..WAYS).min_by_key(|way| set[*way].weight).unwrap_or(0);
        let way = found.unwrap_or_else(lightest);
        let place = &mut set[way];
        if place.key != key {
            *place = Place { key, weight: 0 };
        }
        place
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is less than a length"
    )]
    fn set(&mut self, key: u64) -> &mut [Place; WAYS] {
        let index = key % self.0.len() as u64;
        &mut self.0[index as usize]
    }
}

/// A table lives for less than 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn takes(budgets: &mut Budgets, key: u64, now: Duration) -> usize {
        (0..10_000)
            .take_while(|_| budgets.take(key, now).is_ok())
            .count()
    }

    #[test]
    fn a_budget_may_be_used_at_once_and_comes_back_evenly() {
        let mut budgets = Budgets::new(60, 64);
        let table = [
            (0, 60, "whole"),
            (0, 0, "empty"),
            (1, 1, "one a second"),
            (11, 10, "ten in ten seconds"),
            (71, 60, "whole after a minute"),
            (7000, 60, "and never more than whole"),
        ];
        for (at, passed, what) in table {
            assert_eq!(takes(&mut budgets, 1, seconds(at)), passed, "{what}");
        }
        assert_eq!(takes(&mut budgets, 2, seconds(7000)), 60, "another's");
    }

    #[test]
    fn who_is_refused_is_told_how_long_to_wait() {
        let mut budgets = Budgets::new(6, 64);
        assert_eq!(takes(&mut budgets, 1, MINUTE), 6);
        let Empty { wait } = budgets.take(1, MINUTE + seconds(3)).unwrap_err();
        assert_eq!(wait, seconds(7));
        assert!(budgets.take(1, Duration::from_millis(69_999)).is_err());
        assert!(budgets.take(1, MINUTE + seconds(10)).is_ok());
    }

    #[test]
    fn pledges_are_given_back_or_become_wholes() {
        let mut budgets = Budgets::new(2, 64);
        let hold = |budgets: &mut Budgets| budgets.hold(1, Share::PLEDGE, MINUTE);
        for _ in 0..100 {
            hold(&mut budgets).unwrap();
            budgets.give_back(1, Share::PLEDGE);
        }
        let under_way = (0..100).take_while(|_| hold(&mut budgets).is_ok()).count();
        assert_eq!(under_way, 9, "the last needs room for a whole");
        for _ in 0..under_way {
            budgets.charge(1, Share::REST, MINUTE);
        }
        let Empty { wait } = hold(&mut budgets).unwrap_err();
        assert_eq!(wait, seconds(30), "and never more than empty");
    }

    #[test]
    fn odd_numbers_do_no_harm() {
        for per_minute in [1, 7, 1_000_003, usize::MAX] {
            let mut budgets = Budgets::new(per_minute, 0);
            let most = per_minute.min(10_000);
            assert_eq!(takes(&mut budgets, 1, Duration::ZERO), most);
            assert!(budgets.take(1, seconds(1_000_000_000)).is_ok());
        }
    }

    #[test]
    fn the_table_never_grows_and_keeps_who_has_used_most() {
        let mut budgets = Budgets::new(60, 1 << 10);
        let room = size_of_val(&*budgets.places.0);
        assert_eq!(room, 16 << 10);
        assert_eq!(takes(&mut budgets, 42, seconds(1)), 60);
        for stranger in 0..2_000_000 {
            // Spread as hashes are.
            let key = u64::wrapping_mul(stranger + 1000, 0x9e37_79b9_7f4a_7c15);
            budgets.charge(key, Share::WHOLE, seconds(2));
        }
        assert_eq!(size_of_val(&*budgets.places.0), room);
        assert_eq!(takes(&mut budgets, 42, seconds(2)), 1, "it is not lost");
    }

    #[test]
    fn a_memory_forgets_who_was_not_seen_for_longest() {
        let mut memory = Memory::new(WAYS);
        for key in 0..8 {
            memory.remember(key, seconds(key));
        }
        memory.remember(0, seconds(8));
        memory.remember(99, seconds(9));
        let known: Vec<u64> = (0..100).filter(|key| memory.knows(*key)).collect();
        assert_eq!(known, [0, 2, 3, 4, 5, 6, 7, 99]);
        memory.forget(99);
        assert!(!memory.knows(99) && memory.knows(0));
        assert!(!Memory::new(WAYS).knows(0), "an empty place is nobody's");
    }

    proptest! {
        /// Of one key never more passes within a window than the budget and what comes back in it,
        /// and it is never refused what it is due.
        #[test]
        fn no_window_passes_more_than_its_budget(
            per_minute in 1_usize..200,
            steps in vec(prop_oneof![Just(0), 0_u64..3_000, 0_u64..90_000], 1..400),
        ) {
            let mut budgets = Budgets::new(per_minute, 64);
            let mut passed: Vec<Duration> = Vec::new();
            let mut now = Duration::ZERO;
            for step in steps {
                now += Duration::from_millis(step);
                let recent = passed.iter().filter(|at| **at + MINUTE > now).count();
                match budgets.take(7, now) {
                    Ok(()) => passed.push(now),
                    Err(Empty { wait }) => {
                        prop_assert!(recent > 0, "refused without cause");
                        prop_assert!(wait <= MINUTE && budgets.take(7, now + wait).is_ok());
                        passed.push(now + wait);
                        now += wait;
                    }
                }
            }
            let each = Duration::from_nanos(budgets.eighth * 8);
            let whole = each * u32::try_from(per_minute).unwrap();
            prop_assert!(whole <= MINUTE && whole + Duration::from_micros(2) > MINUTE);
            for (first, begin) in passed.iter().enumerate() {
                for (count, end) in (1..).zip(&passed[first..]) {
                    let beyond = u32::try_from(per_minute).map_or(0, |budget| u32::saturating_sub(count, budget));
                    prop_assert!(each * beyond <= end.saturating_sub(*begin));
                }
            }
        }

        /// As long as places do not run out, keys have nothing to do with each other.
        #[test]
        fn keys_are_independent(events in vec((0_u64..8, 0_u64..2_000), 1..300)) {
            let mut shared = Budgets::new(5, WAYS);
            let mut own: HashMap<u64, Budgets> = HashMap::new();
            let mut now = Duration::ZERO;
            for (key, step) in events {
                now += Duration::from_millis(step);
                let alone = own.entry(key).or_insert_with(|| Budgets::new(5, WAYS));
                prop_assert_eq!(shared.take(key, now), alone.take(key, now));
            }
        }
    }
}
