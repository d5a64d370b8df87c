//! The folders of the Hugging Face cache, as `huggingface_hub` lays them out:
//!
//! ```text
//! models--org--name/refs/main                     the last known commit of `main`
//! models--org--name/snapshots/<commit>/<path>  -> ../../blobs/<etag>
//! models--org--name/blobs/<etag>                  the content
//! .locks/models--org--name/<etag>.lock            locked while a blob is written
//! ```

use super::address::{HubPath, is_safe};
use super::errors::cancelled;
use examiner_api::{Flow, PluginError, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The cache of one repository.
pub(super) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, file: &HubPath) -> Self {
        let folder = format!("{}--{}", file.kind.plural(), file.repo.replace('/', "--"));
        RepoCache { root: cache.join(&folder), locks: cache.join(".locks").join(folder) }
    }

    /// The commit that a revision is, as far as the cache knows.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok()?.trim().to_owned();
        is_safe(&commit).then_some(commit)
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The path of the content with this tag, whether it exists or not.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// The file that is locked while the content with this tag is written.
    pub(super) fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// Stores which commit a revision is.
    pub(super) fn record_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        create_atomically(&path, |temporary| fs::write(temporary, commit))
    }

    /// Links a blob into the folder of a commit.
    pub(super) fn link(&self, commit: &str, path: &str, etag: &str) -> Result<PathBuf> {
        let pointer = self.snapshot(commit).join(path);
        let up = "../".repeat(path.split('/').count() + 1);
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        create_atomically(&pointer, |temporary| {
            #[cfg(unix)]
            if std::os::unix::fs::symlink(&target, temporary).is_ok() {
                return Ok(());
            }
            // Some file systems have no links; Python copies in this case, too.
            let _ = &target;
            fs::copy(self.blob(etag), temporary).map(drop)
        })?;
        Ok(pointer)
    }
}

/// Whether a revision is a commit, whose content never changes.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Creates a file under a temporary name and renames it, so that no other process sees a part of it.
pub(super) fn create_atomically(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let failed = |error: std::io::Error| disk_error("write", path, &error);
    create_parent(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", unique()));
    let temporary = path.with_file_name(name);
    let _ = fs::remove_file(&temporary);
    make(&temporary).and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

/// A name that no other process, and no other thread of this one, uses.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Creates the parent folder of `path`.
pub(super) fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| disk_error("create the folder", parent, &error))
}

/// An error of the disk, with help if the disk is full or not writable.
pub(super) fn disk_error(doing: &str, path: &Path, error: &std::io::Error) -> PluginError {
    let help = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "free some space, or point `HF_HOME` to a larger disk"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "point `HF_HOME` (and `XDG_CACHE_HOME`) to a folder that you may write to"
        }
        _ => return PluginError::io(doing, path, error),
    };
    PluginError::io(doing, path, error).with_help(help)
}

/// Locks `path`, waiting for other processes, until the result is dropped. None if the file system does not support locks.
pub(super) fn lock(path: &Path, wait: &dyn Fn() -> Flow) -> Result<Option<File>> {
    create_parent(path)?;
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| disk_error("open", path, &error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                if wait() == Flow::Stop {
                    return Err(cancelled());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
