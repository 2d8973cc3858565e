//! Bytes that go from socket to socket within the kernel: of a large frame nobody reads the payload, and to
//! carry it up and down again costs more than all else that is done for it.
//!
//! A pipe lies between the two, the thread's own. It is lent empty and given back empty, so that no
//! socket's bytes can wait in it for another's.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A pipe has places for so many pages, and a segment takes one however small it is. A turn is some 46 segments of
/// 1,448 bytes: with pages of 4 KiB this makes 64 places, where a new pipe has 16. With fewer, less goes on
/// at once.
const ROOM: usize = 256 << 10;

thread_local! {
    static PIPE: Cell<Option<Pipe>> = const { Cell::new(None) };
}

struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
}

/// What was moved.
#[derive(Debug, Default)]
pub(super) struct Spliced {
    /// How much came of the first socket; 0 where it has to be read to know why.
    pub(super) came: usize,
    /// What of it the second one did not take.
    pub(super) rest: Vec<u8>,
}

/// Moves up to `most` bytes from one socket to another. An error leaves it open how many.
pub(super) fn pass(from: &TcpStream, to: &TcpStream, most: usize) -> io::Result<Spliced> {
    let Some(pipe) = PIPE.take().or_else(Pipe::new) else {
        return Ok(Spliced::default());
    };
    // What is the matter with the first socket a read says as well, and better.
    let Ok(came) = pipe.take_in(from, most) else {
        return Ok(Spliced::default());
    };
    let left = pipe.let_out(to, came);
    let rest = pipe.take_out(left)?;
    PIPE.set(Some(pipe));
    Ok(Spliced { came, rest })
}

impl Pipe {
    /// `None` where the process can have no more files.
    fn new() -> Option<Self> {
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // One that stays as small as it is carries less at once.
        let _ = fcntl_setpipe_size(&entry, ROOM);
        Some(Self { exit, entry })
    }

    /// How much came of a socket. That it has nothing to say only a read may find: `splice` says so as well of
    /// one that has come to urgent data, and once that is believed nobody asks it again.
    fn take_in(&self, from: &TcpStream, most: usize) -> io::Result<usize> {
        let shift = || unless_it_waits(shift(from, &self.entry, most));
        unless_it_waits(from.try_io(Interest::READABLE, shift))
    }

    /// How much of what is in the pipe a socket does not take.
    fn let_out(&self, to: &TcpStream, mut waiting: usize) -> usize {
        while waiting > 0 {
            match to.try_io(Interest::WRITABLE, || shift(&self.exit, to, waiting)) {
                Ok(taken) if taken > 0 => waiting -= taken,
                _ => break,
            }
        }
        waiting
    }

    fn take_out(&self, waiting: usize) -> io::Result<Vec<u8>> {
        let mut rest = vec![0; waiting];
        let mut at = 0;
        while at < waiting {
            match rustix::io::read(&self.exit, &mut rest[at..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => at += length,
            }
        }
        Ok(rest)
    }
}

fn shift(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    // A peer that is gone raises SIGPIPE here, which nobody can ask `splice` not to do: Rust's runtime ignores it.
    Ok(splice(from, None, to, None, most, SpliceFlags::NONBLOCK)?)
}

/// Nothing, of what would have to wait.
fn unless_it_waits(moved: io::Result<usize>) -> io::Result<usize> {
    moved.or_else(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Ok(0),
        _ => Err(error),
    })
}

/// Gives up the thread's pipe; whether there was one.
#[cfg(test)]
pub(super) fn forget_pipe() -> bool {
    PIPE.take().is_some()
}
