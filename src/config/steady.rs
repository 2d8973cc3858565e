//! Sources that can say afterwards whether what was read from them is still what is there.
//!
//! Files that are put in place together can change between the reading of one and of the next: a
//! mounted `ConfigMap` does, when its folder is exchanged under its links.

use std::cell::RefCell;
use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};

use super::print::Print;
use super::sources::Sources;

/// Sources that remember what was read from them, by its hash alone.
pub struct Steady<'a> {
    sources: &'a dyn Sources,
    files: RefCell<Vec<(PathBuf, Option<Print>)>>,
    folders: RefCell<Vec<(PathBuf, Option<Vec<PathBuf>>)>>,
}

impl<'a> Steady<'a> {
    /// Remembers what is read from these.
    #[must_use]
    pub fn new(sources: &'a dyn Sources) -> Self {
        Self {
            sources,
            files: RefCell::default(),
            folders: RefCell::default(),
        }
    }

    /// Whether each file and each folder is still as it was when it was read.
    #[must_use]
    pub fn holds(&self) -> bool {
        let files = self.files.borrow();
        let folders = self.folders.borrow();
        files
            .iter()
            .all(|(path, seen)| content(&self.sources.file(path)) == *seen)
            && folders
                .iter()
                .all(|(path, seen)| names(&self.sources.files(path)) == *seen)
    }
}

impl Sources for Steady<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.sources.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = self.sources.file(path);
        let seen = (path.to_owned(), content(&read));
        self.files.borrow_mut().push(seen);
        read
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let read = self.sources.files(folder);
        let seen = (folder.to_owned(), names(&read));
        self.folders.borrow_mut().push(seen);
        read
    }
}

fn content(read: &io::Result<Vec<u8>>) -> Option<Print> {
    read.as_ref().ok().map(|content| Print::of(&[content]))
}

/// In any order, a folder is the same.
fn names(read: &io::Result<Vec<PathBuf>>) -> Option<Vec<PathBuf>> {
    let mut names = read.as_ref().ok()?.clone();
    names.sort();
    Some(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::sources::System;
    use super::*;

    /// A folder as a mounted `ConfigMap` is: links to a folder that is exchanged whole.
    fn mount(root: &Path, version: &str, files: &[(&str, &str)]) {
        fs::create_dir(root.join(version)).unwrap();
        for (name, text) in files {
            fs::write(root.join(version).join(name), text).unwrap();
        }
        symlink(version, root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        for (name, _) in files {
            let _ = symlink(Path::new("..data").join(name), root.join(name));
        }
    }

    #[test]
    fn files_that_are_exchanged_meanwhile_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        mount(root, "..1", &[("a", "1"), ("b", "1")]);
        let steady = Steady::new(&System);
        assert_eq!(steady.files(root).unwrap().len(), 2);
        assert_eq!(steady.file(&root.join("a")).unwrap(), b"1");
        assert!(steady.file(&root.join("c")).is_err());
        assert!(steady.holds());
        mount(root, "..2", &[("a", "1"), ("b", "2")]);
        assert!(steady.holds(), "nothing that was read is another");
        assert_eq!(steady.file(&root.join("b")).unwrap(), b"2");
        assert!(steady.holds());
        mount(root, "..3", &[("a", "3"), ("b", "2")]);
        assert!(!steady.holds(), "a and b were not read of one version");
    }

    #[test]
    fn what_comes_and_goes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        mount(root, "..1", &[("a", "1")]);
        let steady = Steady::new(&System);
        assert_eq!(steady.files(root).unwrap().len(), 1);
        mount(root, "..2", &[("b", "1")]);
        // The link is there still, and leads nowhere.
        assert!(!steady.holds());
        let missed = Steady::new(&System);
        assert!(missed.file(&root.join("a")).is_err());
        assert!(missed.holds());
        fs::write(root.join("..2/a"), "again").unwrap();
        assert!(!missed.holds());
    }
}
