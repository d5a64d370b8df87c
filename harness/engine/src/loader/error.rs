//! Why a file is not used as a plugin.

use super::versions;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Why a file is not used as a plugin. Every message ends with what to try.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{}` {problem}", path.display())]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: LoadProblem,
    /// The plugin that it was expected to be, if the suite or a pin names one.
    pub plugin: Option<Box<str>>,
}

impl LoadError {
    pub(super) fn of(path: PathBuf, problem: LoadProblem, entry: Option<&str>) -> Self {
        let plugin = match &problem {
            LoadProblem::WrongHash { plugin, .. } => Some(plugin.as_str().into()),
            _ => entry.map(Into::into),
        };
        LoadError { path, problem, plugin }
    }
}

/// What can be wrong with a plugin file.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LoadProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}; check the path and its permissions")]
    Unreadable(String),
    /// It is not an object file.
    #[error(
        "is not a shared library ({0}); build the plugin with `crate-type = [\"cdylib\"]` and name the library file"
    )]
    NotALibrary(String),
    /// The file is shorter than its own headers say.
    #[error("is truncated: {0}; copy or build it again")]
    Truncated(String),
    /// It is built for another machine or system.
    #[error(
        "is built for {found}, this program runs on {expected}; build the plugin with `cargo build --release --target {target}`"
    )]
    WrongMachine {
        /// What the file is built for.
        found: String,
        /// What the program runs on.
        expected: String,
        /// The program's target triple.
        target: String,
    },
    /// It is a shared library, but not a plugin.
    #[error(
        "is a shared library but not an Examiner plugin: it has no symbol `{symbol}`; write `examiner_api::export_plugin!(plugin);` at the root of the crate"
    )]
    NotAPlugin {
        /// The missing symbol.
        symbol: String,
    },
    /// Its header cannot be read.
    #[error("has a plugin header that cannot be read; rebuild it with `examiner-api` {0}")]
    BadHeader(String),
    /// It is built with another interface.
    #[error("{}", versions::other_interface(plugin, *interface, program))]
    WrongInterface {
        /// The version of `examiner-api` that the plugin was built with.
        plugin: String,
        /// The plugin's interface; none where it was built before interfaces had numbers.
        interface: Option<u32>,
        /// The program's version of `examiner-api`.
        program: String,
    },
    /// The system cannot open it.
    #[error("cannot be opened: {0}; a library that it needs may be missing (`ldd` names it)")]
    Refused(String),
    /// Its interface has another layout than the program's.
    #[error(
        "has a plugin interface of another layout than `examiner-api` {version}; rebuild it with the same version and `abi_stable`: {detail}"
    )]
    WrongLayout {
        /// The program's version.
        version: String,
        /// The last error of the layout check.
        detail: String,
    },
    /// It failed to describe itself.
    #[error("failed while registering its roles: {0}; this is an error in the plugin, tell its author")]
    Registration(Box<examiner_api::PluginError>),
    /// It ended the process in which it was to describe itself, or did not come back.
    #[error("cannot describe itself: {0}")]
    Died(Box<examiner_api::PluginError>),
    /// Its content is not the one that the suite pins.
    #[error(
        "has SHA-256 {found}, the suite pins {expected} for the plugin `{plugin}`; install the pinned build, or change the pin if you trust this one"
    )]
    WrongHash {
        /// The plugin that is pinned.
        plugin: String,
        /// The SHA-256 in the suite.
        expected: String,
        /// The SHA-256 of the file.
        found: String,
    },
    /// The suite names it as the file of another plugin.
    #[error(
        "is the plugin `{found}`, the suite names it for `{expected}`; write `plugins: {{ {found}: {{ path: FILE }} }}`, or name the right file"
    )]
    OtherPlugin {
        /// The plugin that it is.
        found: String,
        /// The plugin in the suite.
        expected: String,
    },
    /// It is a link in a plugin directory to a file outside of it.
    #[error(
        "is a link to `{}`, which is outside of the plugin directory `{}`; copy the library into the directory, or name it in the suite: `plugins: {{ NAME: {{ path: FILE, sha256: DIGITS }} }}`", leads_to.display(), directory.display()
    )]
    LeavesDirectory {
        /// The target of the link.
        leads_to: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// The suite names it by a relative path that leads out of the working directory and of all plugin directories.
    #[error(
        "leads to `{}`, which is neither in `{}`, where relative paths start, nor in a plugin directory; write its absolute path, or pin it with `sha256`", leads_to.display(), start.display()
    )]
    LeavesStart {
        /// The target of the path.
        leads_to: PathBuf,
        /// The directory in which relative paths start.
        start: PathBuf,
    },
    /// It has changed since it was checked.
    #[error("was changed while it was being opened; try again when nobody writes to it")]
    Changed,
    /// Another file holds a plugin of the same name.
    #[error("is a plugin named `{name}`, as is `{}`; remove one of them", other.display())]
    DuplicateName {
        /// The name of both.
        name: String,
        /// The other file.
        other: PathBuf,
    },
}
