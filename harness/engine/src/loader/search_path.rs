//! Where plugins are searched, and which files are found there.
//!
//! Plugins come from locations that somebody has chosen for them. Choosing a directory includes its files, but not the
//! targets of links that lead out of it: whoever can create a link need not own its target.

use super::error::{LoadError, LoadProblem};
use std::path::{Path, PathBuf};

/// A location that is searched for plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchPath {
    /// A directory of plugins: every library in it is expected to be one.
    Directory(PathBuf),
    /// The program's own directory: only files named like Examiner's own plugins (`libexaminer_plugin_*`) count.
    BesideProgram(PathBuf),
    /// One file.
    File(PathBuf),
    /// The file of one plugin, as a suite names it: `plugins: { NAME: { path: FILE } }`.
    Plugin {
        /// The plugin's name in the suite, which must be its own.
        name: String,
        /// The file, as it is written in the suite.
        path: PathBuf,
        /// The directory in which a relative path begins; empty for the working directory.
        start: PathBuf,
    },
}

impl SearchPath {
    /// Whether this is a single file, which was asked for rather than found.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, SearchPath::File(_) | SearchPath::Plugin { .. })
    }
}

/// A file that may be a plugin.
pub(super) struct Candidate {
    /// The path under which it was found.
    pub(super) path: PathBuf,
    /// The path with all links resolved; or why the file is refused before it is read.
    pub(super) real: Result<PathBuf, LoadProblem>,
}

/// The files of a location, in the order of their names. `all` are all locations; `pinned` says that the suite pins the
/// content of this one's file.
pub(super) fn candidates(location: &SearchPath, all: &[SearchPath], pinned: bool) -> Result<Vec<Candidate>, LoadError> {
    let (directory, own_only) = match location {
        SearchPath::File(path) => return Ok(vec![Candidate { path: path.clone(), real: real(path) }]),
        SearchPath::Plugin { path, start, .. } => {
            return Ok(vec![Candidate { path: start.join(path), real: named(path, start, all, pinned) }]);
        }
        SearchPath::Directory(directory) => (directory, false),
        SearchPath::BesideProgram(directory) => (directory, true),
    };
    let unreadable = |error: std::io::Error| LoadError {
        path: directory.clone(),
        problem: LoadProblem::Unreadable(error.to_string()),
        plugin: None,
    };
    // The directory itself may be a link, since it was chosen under this name.
    let root = directory.canonicalize().map_err(unreadable)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&root).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let path = directory.join(&name);
        let is_library = path.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION);
        let prefix = format!("{}examiner_plugin_", std::env::consts::DLL_PREFIX);
        if is_library && (!own_only || name.to_str().is_some_and(|name| name.starts_with(&prefix))) {
            let real = within(&root.join(&name), &root);
            found.push(Candidate { path, real });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn real(path: &Path) -> Result<PathBuf, LoadProblem> {
    path.canonicalize().map_err(|error| LoadProblem::Unreadable(error.to_string()))
}

/// The resolved path of an entry of the directory `root`, if it is within the directory.
fn within(path: &Path, root: &Path) -> Result<PathBuf, LoadProblem> {
    let real = real(path)?;
    match real.starts_with(root) {
        true => Ok(real),
        false => Err(LoadProblem::LeavesDirectory { leads_to: real, directory: root.to_owned() }),
    }
}

/// The resolved path of a file that a suite names.
///
/// An absolute path says exactly which file is meant, and a pinned file is identified by its content. A relative path must
/// stay within the directory that it starts from, or lead into the working directory or a plugin directory: through `..` or a link it could reach
/// any file that happens to be on the machine on which the suite runs.
fn named(path: &Path, start: &Path, all: &[SearchPath], pinned: bool) -> Result<PathBuf, LoadProblem> {
    let real = real(&start.join(path))?;
    if pinned || path.is_absolute() {
        return Ok(real);
    }
    let unreadable = |error: std::io::Error| LoadProblem::Unreadable(error.to_string());
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).map_err(unreadable)?;
    // An empty path joined to it is the directory itself.
    let start = here.join(start).canonicalize().map_err(unreadable)?;
    let directories = all.iter().filter_map(|location| match location {
        SearchPath::Directory(directory) | SearchPath::BesideProgram(directory) => directory.canonicalize().ok(),
        SearchPath::File(_) | SearchPath::Plugin { .. } => None,
    });
    match real.starts_with(&start)
        || real.starts_with(&here)
        || directories.into_iter().any(|directory| real.starts_with(directory))
    {
        true => Ok(real),
        false => Err(LoadProblem::LeavesStart { leads_to: real, start }),
    }
}
