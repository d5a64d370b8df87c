//! Reads a plugin file, and tells whether what is opened afterwards is still that file.
//!
//! The system's loader takes a path, not the bytes that were judged. So the file's identity is taken when it is read, and
//! compared with what stands under the path right before and right after the library is opened. That notices a file that
//! was replaced, or written to, in between: none of its functions is called then. It does not give more than that. The
//! initializers of a library run while it is opened, before the second look; and who can put another file there and the
//! first one back, all in the time between, is not noticed. Whoever can do that may write to a plugin directory, and has
//! no need to.

use super::Problem;
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

/// So much is hashed at a time, while it is still near.
const PIECE: usize = 1 << 18;

/// What the content of a file is known by.
#[derive(Debug)]
pub(super) struct Content {
    /// SHA-256, in hex.
    pub(super) sha256: String,
    pub(super) identity: Identity,
}

/// What makes a file this one, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Device, inode, and the time of the last change of any kind, which no program can set.
    #[cfg(unix)]
    inode: [i64; 4],
    length: u64,
    modified: Option<std::time::SystemTime>,
}

/// Reads a file. Its bytes stand in `bytes` then, in place of what stood there before.
pub(super) fn read(path: &Path, bytes: &mut Vec<u8>) -> Result<Content, Problem> {
    let unreadable = |error: std::io::Error| Problem::Unreadable(error.to_string());
    // Opening a pipe would wait for somebody to write to it.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "it is a directory" } else { "it is no regular file" };
        return Err(Problem::NotALibrary(what.to_owned()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let identity = Identity::of(&file.metadata().map_err(unreadable)?);
    bytes.clear();
    bytes.reserve(usize::try_from(metadata.len()).unwrap_or(0));
    let mut hasher = Sha256::new();
    loop {
        let before = bytes.len();
        (&mut file).take(PIECE as u64).read_to_end(bytes).map_err(unreadable)?;
        if bytes.len() == before {
            break;
        }
        hasher.update(&bytes[before..]);
    }
    if Identity::of(&file.metadata().map_err(unreadable)?) != identity {
        return Err(Problem::Changed);
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Content { sha256, identity })
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Identity {
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

    /// Whether the file is still what stands under the path.
    pub(super) fn check(&self, path: &Path) -> Result<(), Problem> {
        match std::fs::metadata(path) {
            Ok(metadata) if Identity::of(&metadata) == *self => Ok(()),
            _ => Err(Problem::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_written_to_or_removed_is_another() {
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
        assert!(matches!(change(&|| std::fs::write(&path, "longer").unwrap()), Err(Problem::Changed)));
        assert!(matches!(change(&|| std::fs::remove_file(&path).unwrap()), Err(Problem::Changed)));
        // The same content and times, in another file.
        let replace = || {
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            std::fs::write(&other, "one").unwrap();
            File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
            std::fs::rename(&other, &path).unwrap();
        };
        #[cfg(unix)]
        assert!(matches!(change(&replace), Err(Problem::Changed)));
    }

    /// In pieces, and in a place where something longer stood.
    #[test]
    fn what_is_read_and_hashed_is_the_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        let mut bytes = Vec::new();
        for length in [2 * PIECE + 1, 2 * PIECE, PIECE - 1, 0] {
            let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let found = read(&path, &mut bytes).unwrap();
            assert_eq!(bytes, content);
            let whole: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found.sha256, whole);
        }
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path(), &mut Vec::new()), Err(Problem::NotALibrary(_))));
        #[cfg(unix)]
        assert!(matches!(read(Path::new("/dev/null"), &mut Vec::new()), Err(Problem::NotALibrary(_))));
    }
}
