//! The files of a dataset's repository: on the hub at one commit, or in a mirror on this machine.

use super::super::address::HubPath;
use super::super::cache::{RepoCache, create_atomically, is_commit};
use super::super::download::ProgressCallback;
use super::super::errors::not_offline;
use super::super::http::Http;
use super::super::mirror::{ABOUT, About};
use super::super::repository;
use super::super::settings::Settings;
use super::super::tree;
use examiner_api::{PluginError, Result};
use std::path::{Path, PathBuf};

/// What fetching takes.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) http: &'a Http,
    pub(super) settings: &'a Settings,
    pub(super) report: ProgressCallback<'a>,
}

/// The files of a repository.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// `org/name`.
    pub(super) name: String,
    place: Place,
    /// All files, in order; none where the hub cannot be asked and only some of them may be here.
    files: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
enum Place {
    /// The repository, its directory and its commit, if that is known.
    Mirror(HubPath, PathBuf, Option<String>),
    /// The repository at a commit.
    Hub(HubPath),
}

impl Source {
    /// The files of a repository: in `mirror`, or on the hub.
    pub(super) fn open(path: &HubPath, mirror: Option<&Path>, way: Way<'_>) -> Result<Self> {
        match mirror {
            Some(mirror) => Source::in_mirror(path, mirror),
            None => Source::on_hub(path, way),
        }
        .inspect(|source| {
            if let Some(files) = &source.files {
                way.http.record.list(path, source.commit(), files);
            }
        })
    }

    fn in_mirror(path: &HubPath, mirror: &Path) -> Result<Self> {
        let directory = mirror.join(&path.repo);
        if !directory.is_dir() {
            let message = format!("the mirror `{}` has no dataset `{}`", mirror.display(), path.repo);
            return Err(PluginError::not_found(message).with_help(format!(
                "a dataset lies in a mirror as `ORG/NAME/README.md` with its files beside it; `{}` is not there",
                directory.display()
            )));
        }
        let about = About::read(&directory)?;
        about.check(path, &directory)?;
        // Of a repository that was fetched in part, all names decide which file belongs to which split.
        let mut files = about.files.unwrap_or_default();
        if files.is_empty() {
            walk(&directory, "", 0, &mut files)?;
        }
        files.sort();
        let place = Place::Mirror(path.clone(), directory, about.commit);
        Ok(Source { name: path.repo.clone(), place, files: Some(files) })
    }

    fn on_hub(path: &HubPath, way: Way<'_>) -> Result<Self> {
        let Way { http, settings, report } = way;
        let cache = RepoCache::new(&settings.cache, path);
        let cached = cache.commit_of(&path.revision);
        let list_of = |commit: &str| settings.splits.join(path.repo.replace('/', "--")).join(commit).join("files.json");
        let known = |commit: &str| -> Option<Vec<String>> {
            serde_json::from_slice(&std::fs::read(list_of(commit)).ok()?).ok()
        };
        let at = |commit: String, files: Option<Vec<String>>| {
            let place = Place::Hub(HubPath { revision: commit, ..path.clone() });
            Ok(Source { name: path.repo.clone(), place, files })
        };
        let as_cached = |error: PluginError| match &cached {
            // A repository of which nothing is here is not told apart from one without files.
            Some(commit) if known(commit).is_some() || cache.snapshot(commit).is_dir() => {
                at(commit.clone(), known(commit))
            }
            _ => Err(error),
        };
        if settings.offline {
            return as_cached(not_offline(&path.to_string()));
        }
        if is_commit(&path.revision)
            && let Some(files) = known(&path.revision)
        {
            return at(path.revision.clone(), Some(files));
        }
        let commit = match repository::commit(http, path, cached.is_some().then_some(1), report) {
            Ok(commit) => commit,
            Err(error) if repository::is_absence(error.code) => return as_cached(error),
            Err(error) => return Err(error),
        };
        let files = match known(&commit) {
            Some(files) => files,
            None => {
                let files = tree::files(http, &HubPath { revision: commit.clone(), ..path.clone() }, report)?;
                let bytes = serde_json::to_vec(&files).unwrap_or_default();
                create_atomically(&list_of(&commit), |temporary| std::fs::write(temporary, &bytes))?;
                files
            }
        };
        cache.record_commit(&path.revision, &commit)?;
        at(commit, Some(files))
    }

    /// The commit of the files, on the hub.
    pub(super) fn commit(&self) -> Option<&str> {
        match &self.place {
            Place::Hub(path) => Some(&path.revision),
            Place::Mirror(_, _, commit) => commit.as_deref(),
        }
    }

    /// Whether it is sure that there is a file of this name.
    pub(super) fn knows(&self, file: &str) -> bool {
        self.files.as_ref().is_some_and(|files| files.binary_search_by(|known| known.as_str().cmp(file)).is_ok())
    }

    /// All files.
    pub(super) fn files(&self) -> Result<&[String]> {
        self.files.as_deref().ok_or_else(|| {
            PluginError::not_found(format!(
                "the list of files of `{}` at its last known commit is not in the cache, and `HF_HUB_OFFLINE` forbids downloading it",
                self.name
            ))
            .with_help("fetch the dataset once with a network (`examiner fetch SUITE`), or use a mirror")
        })
    }

    /// The local path of a file; none if the repository has none of that name.
    pub(super) fn get(&self, file: &str, way: Way<'_>) -> Result<Option<PathBuf>> {
        if self.files.is_some() && !self.knows(file) {
            return Ok(None);
        }
        match &self.place {
            Place::Mirror(path, directory, commit) => {
                let found = directory.join(file);
                if !found.is_file() {
                    let message = format!("the mirror lacks `{file}` of `{}`, of which it has a part", self.name);
                    return Err(PluginError::not_found(message)
                        .with_help("fetch it with a suite that reads it: `examiner fetch SUITE --to DIR`"));
                }
                way.http.record.file(path, commit.as_deref(), file, &found);
                Ok(Some(found))
            }
            Place::Hub(path) => {
                let path = HubPath { path: file.to_owned(), ..path.clone() };
                match repository::fetch_file(way.http, way.settings, &path, way.report) {
                    // Without a list nobody knows whether it should be here.
                    Err(error) if self.files.is_none() && super::super::was_offline(&error) => Ok(None),
                    other => other,
                }
            }
        }
    }

    /// The text of a file, if there is one.
    pub(super) fn text(&self, file: &str, way: Way<'_>) -> Result<Option<String>> {
        let Some(path) = self.get(file, way)? else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(|error| PluginError::io("read", &path, &error))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| PluginError::bad_input(format!("`{file}` of `{}` is not UTF-8", self.name)))?;
        Ok(Some(text))
    }
}

/// The files below a directory, with `/` between the parts of their paths.
fn walk(directory: &Path, before: &str, depth: usize, files: &mut Vec<String>) -> Result<()> {
    const DEPTH: usize = 32;
    let failed = |error: std::io::Error| PluginError::io("list", directory, &error);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{before}{name}");
        match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() && name != ".git" && depth < DEPTH => {
                walk(&entry.path(), &format!("{path}/"), depth + 1, files)?;
            }
            Ok(metadata) if metadata.is_file() && name != ABOUT => files.push(path),
            _ => {}
        }
    }
    Ok(())
}
