//! Does a number of the same things on one thread, and ends: relays calls and their answers between
//! two ends in memory, or lets the whole proxy upgrade, or talk HTTP/2, on the loopback. Callgrind
//! counts what happens within [`counted`], and nothing of what comes before or after it
//! (`.ci/callgrind`).
//!
//! ```text
//! relay-cost ROW TIMES
//! ```

mod house;
mod secure;
mod talk;
mod whole;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

use self::talk::Talk;
use self::whole::{Stream, Upgrades};

/// How often it is done before it counts.
const FIRST: usize = 100;
/// So long that nothing falls due while something is counted.
const LONG: Duration = Duration::from_hours(24);
/// How long a usual answer is, in bytes.
const SMALL: usize = 200;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let row = words.next().context("which row?")?;
    let times = words.next().context("how many times?")?.parse()?;
    let mut runtime = Builder::new_current_thread();
    let runtime = match row.as_str() {
        // What waits for the kernel needs a clock that goes.
        "upgrade" | "http2" => runtime.enable_all().build()?,
        // It stands still: the same run is to take the same instructions on a busy machine.
        _ => runtime.enable_time().start_paused(true).build()?,
    };
    let mut work = runtime.block_on(Work::prepare(&row))?;
    runtime.block_on(work.repeat(FIRST))?;
    counted(&runtime, &mut work, times)
}

/// Callgrind knows this function by its name.
#[inline(never)]
fn counted(runtime: &Runtime, work: &mut Work, times: usize) -> Result<()> {
    runtime.block_on(work.repeat(times))
}

/// What is counted.
enum Work {
    Talk(Talk),
    Upgrades(Upgrades),
    Stream(Stream),
}

impl Work {
    async fn prepare(row: &str) -> Result<Self> {
        Ok(match row {
            "upgrade" => Self::Upgrades(Upgrades::start().await?),
            "http2" => Self::Stream(Stream::open(talk::call()).await?),
            row => Self::Talk(Talk::of(row).await?),
        })
    }

    async fn repeat(&mut self, times: usize) -> Result<()> {
        match self {
            Self::Talk(talk) => talk.hold(times).await,
            Self::Upgrades(upgrades) => upgrades.hold(times).await,
            Self::Stream(stream) => stream.hold(times).await,
        }
    }
}
