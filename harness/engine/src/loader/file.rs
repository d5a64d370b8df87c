//! Reads a plugin file, and checks that the file that is opened afterwards is still the same.
//!
//! The system's loader takes a path, not the bytes that were checked. So the file's identity is recorded when it is read,
//! and compared with that of the file at the path right before and right after the library is opened. This detects a file
//! that was replaced or written to in between: none of its functions is called then. It guarantees no more than that. The
//! initializers of a library run while it is opened, before the second comparison, and a file that is swapped and swapped
//! back in between is not detected. But whoever can do that may write to a plugin directory, and has no need to.

use super::error::LoadProblem;
use object::ReadCache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

/// So many bytes are read and then hashed, while they are still in the processor's cache.
const CHUNK: usize = 1 << 18;

/// The hash and the identity of a file that was read.
#[derive(Debug)]
pub(super) struct FileContent {
    /// SHA-256, in hex.
    pub(super) sha256: String,
    pub(super) identity: FileIdentity,
    /// What was read.
    file: File,
}

impl FileContent {
    /// Gives `look` the file, of which it reads no more than it needs: all of it need not be in memory.
    ///
    /// # Errors
    /// Those of `look`, or the file is another one by now.
    pub(super) fn inspect<T>(
        &self,
        look: impl FnOnce(&ReadCache<&File>) -> Result<T, LoadProblem>,
    ) -> Result<T, LoadProblem> {
        let found = look(&ReadCache::new(&self.file));
        self.check_unchanged()?;
        found
    }

    fn check_unchanged(&self) -> Result<(), LoadProblem> {
        match self.file.metadata() {
            Ok(metadata) if FileIdentity::of(&metadata) == self.identity => Ok(()),
            Ok(_) => Err(LoadProblem::Changed),
            Err(error) => Err(LoadProblem::Unreadable(error.to_string())),
        }
    }
}

/// Changes when the file is replaced or written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Device, inode, and the time of the last change of any kind, which no program can set.
    #[cfg(unix)]
    inode: [i64; 4],
    length: u64,
    modified: Option<std::time::SystemTime>,
}

/// Reads a file, a piece at a time through `piece`, whose former content is replaced.
pub(super) fn read(path: &Path, piece: &mut Vec<u8>) -> Result<FileContent, LoadProblem> {
    let unreadable = |error: std::io::Error| LoadProblem::Unreadable(error.to_string());
    // Opening a pipe would block until somebody writes to it.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "it is a directory" } else { "it is no regular file" };
        return Err(LoadProblem::NotALibrary(what.to_owned()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let identity = FileIdentity::of(&file.metadata().map_err(unreadable)?);
    let mut hasher = Sha256::new();
    piece.resize(CHUNK, 0);
    loop {
        match file.read(piece) {
            Ok(0) => break,
            Ok(count) => hasher.update(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let content = FileContent { sha256, identity, file };
    content.check_unchanged()?;
    Ok(content)
}

impl FileIdentity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        FileIdentity {
            #[cfg(unix)]
            inode: [
                metadata.dev().cast_signed(),
                metadata.ino().cast_signed(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ],
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    /// Checks that the file at the path is still this one.
    pub(super) fn check(&self, path: &Path) -> Result<(), LoadProblem> {
        match std::fs::metadata(path) {
            Ok(metadata) if FileIdentity::of(&metadata) == *self => Ok(()),
            _ => Err(LoadProblem::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_written_to_or_removed_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        let change = |what: &dyn Fn()| {
            std::fs::write(&path, "one").unwrap();
            let content = read(&path, &mut Vec::new()).unwrap();
            content.identity.check(&path).unwrap();
            what();
            content.identity.check(&path)
        };
        let other = directory.path().join("other.so");
        assert!(change(&|| {}).is_ok());
        assert!(matches!(change(&|| std::fs::write(&path, "longer").unwrap()), Err(LoadProblem::Changed)));
        assert!(matches!(change(&|| std::fs::remove_file(&path).unwrap()), Err(LoadProblem::Changed)));
        // The same content and times, in another file.
        let replace = || {
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            std::fs::write(&other, "one").unwrap();
            File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
            std::fs::rename(&other, &path).unwrap();
        };
        #[cfg(unix)]
        assert!(matches!(change(&replace), Err(LoadProblem::Changed)));
    }

    /// In pieces, through memory that held something longer.
    #[test]
    fn the_whole_file_is_read_and_hashed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        let mut bytes = Vec::new();
        for length in [2 * CHUNK + 1, 2 * CHUNK, CHUNK - 1, 0] {
            let content: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let found = read(&path, &mut bytes).unwrap();
            let length = found.inspect(|file| Ok(object::ReadRef::len(file).unwrap())).unwrap();
            assert_eq!(length, content.len() as u64);
            let whole: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found.sha256, whole);
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_inspected_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        std::fs::write(&path, "one").unwrap();
        let content = read(&path, &mut Vec::new()).unwrap();
        let write = |_: &ReadCache<&File>| {
            std::fs::write(&path, "longer").unwrap();
            Ok(())
        };
        assert!(matches!(content.inspect(write), Err(LoadProblem::Changed)));
    }

    #[test]
    fn special_files_are_refused_without_blocking() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path(), &mut Vec::new()), Err(LoadProblem::NotALibrary(_))));
        #[cfg(unix)]
        assert!(matches!(read(Path::new("/dev/null"), &mut Vec::new()), Err(LoadProblem::NotALibrary(_))));
    }
}
