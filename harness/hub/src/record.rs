//! Which files of the hub a program was given.

use super::address::{HubPath, RepoKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A repository at one commit, and the files of it that were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GivenRepository {
    /// Whether it is a dataset; a model otherwise.
    pub is_dataset: bool,
    /// `org/name`.
    pub name: String,
    /// The commit; none for a mirror that does not say it.
    pub commit: Option<String>,
    /// The names of the files, and where they lie.
    pub files: BTreeMap<String, PathBuf>,
    /// The names of all its files, where they are known.
    pub all: Option<Vec<String>>,
}

impl GivenRepository {
    /// Its address without a revision: `hf://datasets/org/name`.
    pub fn address(&self) -> String {
        format!("hf://{}{}", if self.is_dataset { "datasets/" } else { "" }, self.name)
    }
}

/// What was given so far.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Vec<GivenRepository>>);

impl Record {
    /// Notes a file of a repository at a commit.
    pub(super) fn file(&self, path: &HubPath, commit: Option<&str>, file: &str, at: &Path) {
        self.with(path, commit, |given| _ = given.files.insert(file.to_owned(), at.to_owned()));
    }

    /// Notes which files a repository has.
    pub(super) fn list(&self, path: &HubPath, commit: Option<&str>, all: &[String]) {
        self.with(path, commit, |given| given.all = Some(all.to_vec()));
    }

    fn with(&self, path: &HubPath, commit: Option<&str>, change: impl FnOnce(&mut GivenRepository)) {
        let is_dataset = path.kind == RepoKind::Dataset;
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let is_same = |given: &GivenRepository| {
            given.is_dataset == is_dataset && given.name == path.repo && given.commit.as_deref() == commit
        };
        let place = all.iter().position(is_same).unwrap_or_else(|| {
            let (name, commit) = (path.repo.clone(), commit.map(str::to_owned));
            all.push(GivenRepository { is_dataset, name, commit, ..GivenRepository::default() });
            all.len() - 1
        });
        change(&mut all[place]);
    }

    /// All that was given, by name.
    pub(super) fn all(&self) -> Vec<GivenRepository> {
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        all.sort_by(|one, other| {
            (one.is_dataset, &one.name, &one.commit).cmp(&(other.is_dataset, &other.name, &other.commit))
        });
        all
    }
}
