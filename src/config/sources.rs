//! Where the values come from that a config only names: environment variables and files.

use std::env::VarError;
use std::io;
use std::path::Path;

/// The world outside the config's text.
pub trait Sources {
    /// An environment variable.
    fn variable(&self, name: &str) -> Result<String, VarError>;
    /// The whole content of a file.
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// The process's own environment and file system.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Sources for System {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}
