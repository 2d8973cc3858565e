//! A file that is a pipe: whoever reads it is known to have come so far, and waits.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use super::SOON;

/// Makes one.
pub(crate) fn make_pipe(path: &str) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "{path}");
}

/// Waits until somebody reads it; they go on when what is returned is dropped.
pub(crate) fn reader_of(path: &Path) -> File {
    let (tell, told) = mpsc::channel();
    let path = path.to_owned();
    // A thread of its own: where nobody reads, it waits for ever.
    thread::spawn(move || {
        let opened = OpenOptions::new().write(true).open(path);
        let _ = tell.send(opened);
    });
    told.recv_timeout(SOON).expect("nobody reads it").unwrap()
}
