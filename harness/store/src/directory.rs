//! The directory of a run, `outputs/<suite>-<timestamp>/`, and the paths in it.

use crate::storage::failure;
use examiner_api::{PluginError, Result};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A run's directory, locked by this process.
#[derive(Debug)]
pub struct RunDirectory {
    /// The directory.
    pub path: PathBuf,
    /// The suite's name.
    pub suite: String,
    _lock: File,
}

impl RunDirectory {
    /// Creates a new directory `<outputs>/<suite>-<timestamp>`, with a suffix if the name exists.
    pub fn create(outputs: &Path, suite: &str) -> Result<Self> {
        let timestamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        make(outputs)?;
        for attempt in 1..1000 {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            let path = outputs.join(format!("{suite}-{timestamp}{suffix}"));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    return Self::open(&path, suite).inspect_err(|_| {
                        // It is still empty.
                        let _ = std::fs::remove_dir_all(&path);
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failure("make the directory", &path, &error)),
            }
        }
        Err(PluginError::bad_input(format!("`{}` contains a thousand runs of this second", outputs.display())))
    }

    /// Locks a directory, which is created if it does not exist. The error names the process that has locked it, if there is one.
    pub fn open(path: &Path, suite: &str) -> Result<Self> {
        for part in ["journal", "samples", "logs"] {
            make(&path.join(part))?;
        }
        let lock_path = path.join("run.lock");
        let failed = |error: &std::io::Error| failure("lock", &lock_path, error);
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_path)
            .map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The number is only for the message; what counts is the lock.
                let _ = lock.read_to_string(&mut holder);
                return Err(PluginError::bad_input(format!(
                    "`{}` is in use by process {}",
                    path.display(),
                    holder.trim()
                ))
                .with_help("wait for it, or begin another run with `--fresh` or `--out`"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(|error| failed(&error))?;
        writeln!(lock, "{}", std::process::id()).map_err(|error| failed(&error))?;
        crate::atomic::remove_leftovers(path);
        Ok(RunDirectory { path: path.to_owned(), suite: suite.to_owned(), _lock: lock })
    }

    /// The run's name: the last part of its path.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The path of a pair's journal, whose directory is created.
    pub fn journal(&self, model: &str, dataset: &str) -> Result<PathBuf> {
        with_parent(journal_path(&self.path, model, dataset))
    }

    /// The path of a pair's samples, whose directory is created.
    pub fn samples(&self, model: &str, dataset: &str) -> Result<PathBuf> {
        with_parent(samples_path(&self.path, model, dataset))
    }

    /// Points `<outputs>/latest` to this run.
    pub fn mark_latest(&self) -> Result<()> {
        let Some(outputs) = self.path.parent() else { return Ok(()) };
        link_latest(outputs, &self.name())
    }
}

/// The path of a pair's journal in the directory of a run.
pub fn journal_path(run: &Path, model: &str, dataset: &str) -> PathBuf {
    of_pair(run, "journal", model, dataset)
}

/// The path of a pair's samples in the directory of a run.
pub fn samples_path(run: &Path, model: &str, dataset: &str) -> PathBuf {
    of_pair(run, "samples", model, dataset)
}

fn of_pair(run: &Path, part: &str, model: &str, dataset: &str) -> PathBuf {
    run.join(part).join(model).join(format!("{dataset}.jsonl"))
}

fn with_parent(path: PathBuf) -> Result<PathBuf> {
    path.parent().map_or(Ok(()), make)?;
    Ok(path)
}

/// Points `<outputs>/latest` to `newest`, if the run that it points to is gone; without one, it goes, too.
pub fn point_latest(outputs: &Path, newest: Option<&str>) -> Result<()> {
    let link = outputs.join("latest");
    match newest {
        _ if link.exists() || !link.is_symlink() => Ok(()),
        Some(newest) => link_latest(outputs, newest),
        None => std::fs::remove_file(&link).map_err(|error| failure("remove the link", &link, &error)),
    }
}

fn link_latest(outputs: &Path, name: &str) -> Result<()> {
    let link = outputs.join("latest");
    if std::fs::read_link(&link).is_ok_and(|target| target == Path::new(name)) {
        return Ok(());
    }
    crate::atomic::remove_leftovers_of(&link);
    let temporary = outputs.join(format!("latest.{}.tmp", std::process::id()));
    let linked = symlink(Path::new(name), &temporary).and_then(|()| std::fs::rename(&temporary, &link));
    linked.map_err(|error| failure("make the link", &link, &error))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::write(link, target.to_string_lossy().as_bytes())
}

fn make(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| failure("make the directory", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_second_get_two_directories() {
        let outputs = tempfile::tempdir().unwrap();
        let one = RunDirectory::create(outputs.path(), "s").unwrap();
        let two = RunDirectory::create(outputs.path(), "s").unwrap();
        assert_ne!(one.path, two.path);
        two.mark_latest().unwrap();
        one.mark_latest().unwrap();
        assert_eq!(outputs.path().join("latest").canonicalize().unwrap(), one.path.canonicalize().unwrap());
    }

    #[test]
    fn latest_survives_the_end_of_its_run() {
        let outputs = tempfile::tempdir().unwrap();
        let one = RunDirectory::create(outputs.path(), "s").unwrap();
        let two = RunDirectory::create(outputs.path(), "s").unwrap();
        two.mark_latest().unwrap();
        point_latest(outputs.path(), Some(&one.name())).unwrap();
        let latest = outputs.path().join("latest");
        assert_eq!(std::fs::read_link(&latest).unwrap(), Path::new(&two.name()), "its run is there");
        std::fs::remove_dir_all(&two.path).unwrap();
        point_latest(outputs.path(), Some(&one.name())).unwrap();
        assert_eq!(std::fs::read_link(&latest).unwrap(), Path::new(&one.name()));
        std::fs::remove_dir_all(&one.path).unwrap();
        point_latest(outputs.path(), None).unwrap();
        assert!(!latest.is_symlink());
    }

    #[test]
    fn a_directory_in_use_is_refused_with_the_holders_number() {
        let outputs = tempfile::tempdir().unwrap();
        let one = RunDirectory::create(outputs.path(), "s").unwrap();
        let error = RunDirectory::open(&one.path, "s").unwrap_err();
        assert!(error.message.contains(&format!("in use by process {}", std::process::id())), "{error}");
    }
}
