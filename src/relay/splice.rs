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

/// A pipe holds so many pages, and one segment of the network's usual size takes the place of one: room for
/// a turn of them.
const ROOM: usize = 256 << 10;

thread_local! {
    static PIPE: Cell<Option<Pipe>> = const { Cell::new(None) };
}

struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
}

/// What was moved.
pub(super) struct Spliced {
    /// How much came of the first socket; 0 where it has to be read to know why.
    pub(super) came: usize,
    /// What of it the second one did not take.
    pub(super) rest: Vec<u8>,
}

/// Moves up to `most` bytes from one socket to another. An error leaves it open how many.
pub(super) fn pass(from: &TcpStream, to: &TcpStream, most: usize) -> io::Result<Spliced> {
    let Some(pipe) = PIPE.take().map_or_else(Pipe::new, Some) else {
        return Ok(Spliced::nothing());
    };
    let spliced = pipe.pass(from, to, most)?;
    PIPE.set(Some(pipe));
    Ok(spliced)
}

impl Spliced {
    const fn nothing() -> Self {
        Self {
            came: 0,
            rest: Vec::new(),
        }
    }
}

impl Pipe {
    /// `None` where the process can have no more files.
    fn new() -> Option<Self> {
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // One that stays as small as it is carries less at once.
        let _ = fcntl_setpipe_size(&entry, ROOM);
        Some(Self { exit, entry })
    }

    fn pass(&self, from: &TcpStream, to: &TcpStream, most: usize) -> io::Result<Spliced> {
        let came = from.try_io(Interest::READABLE, || shift(from, &self.entry, most));
        // Whatever is the matter with the socket, a read says it as well.
        let Ok(came) = came else {
            return Ok(Spliced::nothing());
        };
        let mut waiting = came;
        while waiting > 0 {
            let taken = to.try_io(Interest::WRITABLE, || shift(&self.exit, to, waiting));
            match taken {
                Ok(taken) if taken > 0 => waiting -= taken,
                _ => break,
            }
        }
        let rest = self.take_out(waiting)?;
        Ok(Spliced { came, rest })
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
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    Ok(splice(from, None, to, None, most, flags)?)
}

/// Whether this thread has spliced.
#[cfg(test)]
pub(super) fn has_pipe() -> bool {
    let pipe = PIPE.take();
    let has = pipe.is_some();
    PIPE.set(pipe);
    has
}
