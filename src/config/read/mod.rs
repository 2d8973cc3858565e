//! One reader a table: asks for its keys, then looks at what must hold between them.

mod access;
mod credential;
mod customer;
mod customers;
mod engine;
mod home;
mod http2;
mod outbound;
mod process;
mod redis_server;
mod replicas;
mod route;
mod session;

use std::cell::RefCell;
use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};

use super::model::Config;
use super::notes::{Noted, Notes, Text};
use super::shape::Shape;
use super::sources::Sources;
use super::table::Table;

/// Reads the whole config.
pub(super) fn config(table: &mut Table<'_>) -> Result<Config, Noted> {
    process::config(table)
}

/// The shape of the whole config: what the readers ask for when there is nothing to be read.
pub(super) fn shape() -> Shape {
    let notes = Notes::new(&Nothing, Path::new(""), Text::Whole);
    Table::blank(&notes).run(config).1
}

/// The shape of a customer, in a file of its own or in the route.
pub(super) fn customer_shape() -> Shape {
    let notes = Notes::new(&Nothing, Path::new(""), Text::Whole);
    let taken = RefCell::default();
    let read = |t: &mut Table<'_>| customer::customer(t, &taken);
    Table::blank(&notes).run(read).1
}

/// No variables and no files.
struct Nothing;

impl Sources for Nothing {
    fn variable(&self, _name: &str) -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    fn file(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn files(&self, _folder: &Path) -> io::Result<Vec<PathBuf>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
