//! Where the values come from that a config only names: environment variables and files.

use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};

/// The world outside the config's text.
pub trait Sources {
    /// An environment variable.
    fn variable(&self, name: &str) -> Result<String, VarError>;
    /// The whole content of a file.
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The files of a folder, in any order; none of its folders.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
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

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            // Follows links: a mounted ConfigMap is made of them.
            if path.is_file() {
                files.push(path);
            }
        }
        Ok(files)
    }
}
