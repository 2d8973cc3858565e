//! Random bytes that are said on the wire: nonces, masks, tags. Keys, tokens and tickets are not made here.
//!
//! AWS-LC takes as long to draw 8 bytes as to draw 256, so each thread draws many at once. None is given out
//! twice, and none stays here once it was. A machine that is copied while it runs says what lay here once more,
//! up to 256 bytes a thread: for that too nothing secret is made of it.

use std::cell::RefCell;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;

/// How many are drawn at once: what two or three openings take.
const DRAWN: usize = 256;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new()) };
}

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) -> Result<(), Unspecified> {
    POOL.with_borrow_mut(|pool| pool.fill(bytes))
}

/// What a thread has drawn; the first `left` of it nobody has had yet.
struct Pool {
    drawn: [u8; DRAWN],
    left: usize,
}

impl Pool {
    const fn new() -> Self {
        Self {
            drawn: [0; DRAWN],
            left: 0,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Unspecified> {
        if bytes.len() > DRAWN {
            return rand::fill(bytes);
        }
        if bytes.len() > self.left {
            self.left = 0;
            rand::fill(&mut self.drawn)?;
            self.left = DRAWN;
        }
        let rest = self.left - bytes.len();
        let given = &mut self.drawn[rest..self.left];
        bytes.copy_from_slice(given);
        given.fill(0);
        self.left = rest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn taken(pool: &mut Pool, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        pool.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn all_that_is_drawn_is_given_out_once_and_not_kept() {
        let mut pool = Pool::new();
        let numbered: Vec<u8> = (0..=u8::MAX).collect();
        pool.drawn.copy_from_slice(&numbered);
        pool.left = DRAWN;
        let mut given = Vec::new();
        for length in [16, 4, 32, 0, 32, 4, 100, 68] {
            given.extend(taken(&mut pool, length));
            assert!(pool.drawn[pool.left..].iter().all(|byte| *byte == 0));
        }
        given.sort_unstable();
        assert_eq!(given, numbered);
    }

    #[test]
    fn nothing_is_given_out_twice() {
        let (mut pool, mut seen) = (Pool::new(), HashSet::new());
        let lengths = [8, 200, 40, DRAWN - 1, DRAWN, DRAWN + 1, 3 * DRAWN];
        for length in lengths.into_iter().cycle().take(200) {
            let bytes = taken(&mut pool, length);
            for eight in bytes.chunks_exact(8) {
                assert!(seen.insert(eight.to_vec()), "{eight:?}");
            }
        }
    }
}
