//! Directories with repositories, `DIR/ORG/NAME`, that are read instead of the hub.

use super::address::HubPath;
use super::cache::{create_atomically, create_parent, disk_error, is_commit};
use super::record::GivenRepository;
use examiner_api::{PluginError, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file in a repository of a mirror that says what it is a part of.
pub(super) const ABOUT: &str = ".examiner-mirror.json";

/// What a repository of a mirror is a part of.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct About {
    /// Whether it is a dataset; not known of a mirror that was made by hand.
    pub(super) is_dataset: Option<bool>,
    pub(super) commit: Option<String>,
    /// All files of the repository, of which some may be here.
    pub(super) files: Option<Vec<String>>,
}

impl About {
    /// What is known of the repository in a directory.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(ABOUT);
        if !path.is_file() {
            return Ok(About::default());
        }
        let bytes = std::fs::read(&path).map_err(|error| PluginError::io("read", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            PluginError::bad_input(format!("`{}` does not say what the directory is a part of", path.display()))
                .with_cause(&error)
                .with_help("remove the directory, and make it again with `examiner fetch --to`")
        })
    }

    /// Refuses a commit that is not the one of the mirror.
    pub(super) fn check(&self, path: &HubPath, directory: &Path) -> Result<()> {
        match &self.commit {
            Some(commit) if is_commit(&path.revision) && *commit != path.revision => {
                let message =
                    format!("`{}` is `{}` at `{commit}`, not at `{}`", directory.display(), path.repo, path.revision);
                Err(PluginError::not_found(message).with_help("make the mirror again, or leave the revision away"))
            }
            _ => Ok(()),
        }
    }
}

/// The file or folder at an address in a mirror; none where the mirror does not have the repository.
pub(super) fn find(mirror: &Path, path: &HubPath) -> Result<Option<PathBuf>> {
    let directory = mirror.join(&path.repo);
    if !directory.is_dir() {
        return Ok(None);
    }
    let about = About::read(&directory)?;
    let is_dataset = path.kind == super::address::RepoKind::Dataset;
    // A dataset and a model may have the same name.
    if about.is_dataset.is_some_and(|is_it| is_it != is_dataset) {
        return Ok(None);
    }
    about.check(path, &directory)?;
    let found = if path.path.is_empty() { directory.clone() } else { directory.join(&path.path) };
    match found.exists() {
        true => Ok(Some(found)),
        false => Err(PluginError::not_found(format!(
            "the mirror `{}` holds no `{}` of `{}`",
            mirror.display(),
            path.path,
            path.repo
        ))
        .with_help(
            "make the mirror again (`examiner fetch SUITE --to DIR`), or remove the directory of the repository",
        )),
    }
}

/// Copies what was given of a repository into a mirror. Returns how many bytes were written.
pub(super) fn copy(given: &GivenRepository, mirror: &Path) -> Result<u64> {
    let directory = mirror.join(&given.name);
    let earlier = About::read(&directory)?;
    let is_other = |is_dataset: bool| is_dataset != given.is_dataset;
    if earlier.is_dataset.is_some_and(is_other) || (earlier.commit.is_some() && earlier.commit != given.commit) {
        let commit = earlier.commit.unwrap_or_default();
        let message = format!("`{}` holds another state of `{}` (`{commit}`)", directory.display(), given.name);
        return Err(PluginError::bad_input(message).with_help("remove the directory, or name another one"));
    }
    let mut written = 0;
    for (name, from) in &given.files {
        let to = directory.join(name);
        let size = std::fs::metadata(from).map_err(|error| PluginError::io("read", from, &error))?.len();
        if std::fs::metadata(&to).is_ok_and(|metadata| metadata.len() == size) && is_same(from, &to)? {
            continue;
        }
        create_parent(&to)?;
        let temporary = to.with_file_name(format!(".{}.new", super::cache::unique()));
        std::fs::copy(from, &temporary)
            .and_then(|_| std::fs::rename(&temporary, &to))
            .map_err(|error| disk_error("write", &to, &error))?;
        written += size;
    }
    let about = About {
        is_dataset: Some(given.is_dataset),
        commit: given.commit.clone(),
        files: given.all.clone().or(earlier.files),
    };
    let bytes = serde_json::to_vec_pretty(&about).unwrap_or_default();
    create_atomically(&directory.join(ABOUT), |temporary| std::fs::write(temporary, &bytes))?;
    Ok(written)
}

fn is_same(one: &Path, other: &Path) -> Result<bool> {
    Ok(examiner_api::rows::fingerprint(one)? == examiner_api::rows::fingerprint(other)?)
}
