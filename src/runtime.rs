//! What the program runs on: a thread for each core it may use; where that is one, the main thread and no
//! other.
//!
//! A process of one thread pays less for each of its calls: the kernel need not count who else holds
//! a file, nor the libc whether somebody could cancel the call.

use std::io;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use tikv_jemalloc_ctl::{Access, AsName, background_thread};
use tokio::runtime::{Builder, Runtime};
use tokio::time::interval;

/// How soon memory that nobody uses goes back to the system, in milliseconds; as in `.cargo/config.toml`.
const DECAY: isize = 1000;
/// How long what cannot be cancelled may hold up the exit, a name that is still being looked up above all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does the work of a short command.
pub(crate) fn block_on(work: impl Future<Output = ExitCode>) -> io::Result<ExitCode> {
    let runtime = on_this_thread()?;
    Ok(conclude(runtime, work))
}

/// Serves on all cores.
pub(crate) fn serve(work: impl Future<Output = ExitCode>) -> io::Result<ExitCode> {
    if available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        // Without it memory comes back later, and that is all.
        let _ = background_thread::write(true);
        return Ok(conclude(Runtime::new()?, work));
    }
    let runtime = on_this_thread()?;
    runtime.spawn(give_back());
    Ok(conclude(runtime, work))
}

fn on_this_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn conclude(runtime: Runtime, work: impl Future<Output = ExitCode>) -> ExitCode {
    let code = runtime.block_on(work);
    runtime.shutdown_timeout(PATIENCE);
    code
}

/// Does what a thread of the allocator does elsewhere: told to keep nothing, it gives back all that nobody
/// uses.
async fn give_back() {
    let kept = b"arena.0.dirty_decay_ms\0"[..].name();
    let mut turns = interval(Duration::from_millis(DECAY.unsigned_abs() as u64));
    loop {
        turns.tick().await;
        let _ = kept.write(0_isize).and_then(|()| kept.write(DECAY));
    }
}
