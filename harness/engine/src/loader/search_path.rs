//! Where plugin files may lie, and which files stand there.
//!
//! Plugins come from places that somebody has chosen for them. What a directory holds is chosen with it, what a link in
//! it leads to elsewhere is not: whoever may write a link need not own what it leads to.

use super::{LoadError, Problem};
use std::path::{Path, PathBuf};

/// A place to look for plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchPath {
    /// A directory for plugins alone: every library in it is expected to be one.
    Directory(PathBuf),
    /// The program's own directory: only files named like Examiner's own plugins (`libexaminer_plugin_*`) count.
    BesideProgram(PathBuf),
    /// One file.
    File(PathBuf),
    /// The file of one plugin, as a suite names it: `plugins: { NAME: { path: FILE } }`.
    Plugin {
        /// The plugin's name in the suite, which must be its own.
        name: String,
        /// The file, as it was typed.
        path: PathBuf,
    },
}

impl SearchPath {
    /// Whether this is a single file, which somebody wants and not just finds.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, SearchPath::File(_) | SearchPath::Plugin { .. })
    }
}

/// A file that may be a plugin.
pub(super) struct Candidate {
    /// Where it was found.
    pub(super) path: PathBuf,
    /// Where it lies, links followed; or why it is refused unread.
    pub(super) real: Result<PathBuf, Problem>,
}

/// The files of a place, in the order of their names. `places` are all of them; `pinned` says that the suite knows the
/// content of the place's file.
pub(super) fn candidates(place: &SearchPath, places: &[SearchPath], pinned: bool) -> Result<Vec<Candidate>, LoadError> {
    let (directory, own_only) = match place {
        SearchPath::File(path) => return Ok(vec![Candidate { path: path.clone(), real: real(path) }]),
        SearchPath::Plugin { path, .. } => {
            return Ok(vec![Candidate { path: path.clone(), real: named(path, places, pinned) }]);
        }
        SearchPath::Directory(directory) => (directory, false),
        SearchPath::BesideProgram(directory) => (directory, true),
    };
    let unreadable = |error: std::io::Error| LoadError {
        path: directory.clone(),
        problem: Problem::Unreadable(error.to_string()),
        plugin: None,
    };
    // The directory itself may be a link: it was chosen by that name.
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

fn real(path: &Path) -> Result<PathBuf, Problem> {
    path.canonicalize().map_err(|error| Problem::Unreadable(error.to_string()))
}

/// Where an entry of the directory `root` lies, if that is beneath it.
fn within(path: &Path, root: &Path) -> Result<PathBuf, Problem> {
    let real = real(path)?;
    match real.starts_with(root) {
        true => Ok(real),
        false => Err(Problem::LeavesDirectory { leads_to: real, directory: root.to_owned() }),
    }
}

/// Where a file lies that a suite names.
///
/// Whoever wrote an absolute path has said where the file is, and a pinned file is known by its content, wherever it
/// is. A relative path means what lies beneath the directory that it starts from, or in a directory for plugins: with
/// `..`, or through a link, it leads to whatever happens to lie there on the machine of whoever runs the suite.
fn named(path: &Path, places: &[SearchPath], pinned: bool) -> Result<PathBuf, Problem> {
    let real = real(path)?;
    if pinned || path.is_absolute() {
        return Ok(real);
    }
    let start = std::env::current_dir().and_then(|start| start.canonicalize());
    let start = start.map_err(|error| Problem::Unreadable(error.to_string()))?;
    let directories = places.iter().filter_map(|place| match place {
        SearchPath::Directory(directory) | SearchPath::BesideProgram(directory) => directory.canonicalize().ok(),
        SearchPath::File(_) | SearchPath::Plugin { .. } => None,
    });
    match real.starts_with(&start) || directories.into_iter().any(|directory| real.starts_with(directory)) {
        true => Ok(real),
        false => Err(Problem::LeavesStart { leads_to: real, start }),
    }
}
