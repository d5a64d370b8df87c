//! Finds plugin libraries, checks them, opens them, and finds roles in them.
//!
//! **Invariant.** A file is judged by its bytes before it is opened: opening a truncated library kills the process, and
//! opening any library runs code of it. Libraries stay loaded until the process ends; nothing is unloaded.

mod file;
mod image;
mod library;
mod places;
mod plugins;

pub use places::SearchPath;
pub use plugins::{LoadedFile, Plugins, open_file};

use std::path::PathBuf;

/// Why a file is not used as a plugin. Every message ends with what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{}` {problem}", path.display())]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
    /// The plugin that it was to be, where the suite or its pin has said so.
    pub plugin: Option<Box<str>>,
}

impl LoadError {
    fn of(path: PathBuf, problem: Problem, entry: Option<&str>) -> Self {
        let plugin = match &problem {
            Problem::WrongHash { plugin, .. } => Some(plugin.as_str().into()),
            _ => entry.map(Into::into),
        };
        LoadError { path, problem, plugin }
    }
}

/// What can be wrong with a plugin file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {0}; check the path and its permissions")]
    Unreadable(String),
    /// Not an object file at all.
    #[error(
        "is not a shared library ({0}); build the plugin with `crate-type = [\"cdylib\"]` and name the library file"
    )]
    NotALibrary(String),
    /// The file is shorter than its own headers say.
    #[error("is truncated: {0}; copy or build it again")]
    Truncated(String),
    /// Built for another machine or system.
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
    /// A shared library, but not a plugin.
    #[error(
        "is a shared library but not an Examiner plugin: it has no symbol `{symbol}`; write `examiner_api::export_plugin!(plugin);` at the root of the crate"
    )]
    NotAPlugin {
        /// The missing symbol.
        symbol: &'static str,
    },
    /// Its header does not read.
    #[error("has a plugin header that cannot be read; rebuild it with `examiner-api` {0}")]
    BadHeader(&'static str),
    /// Built with another version of the interface.
    #[error(
        "was built with `examiner-api` {plugin}, this program speaks {program}; rebuild it: `cargo update -p examiner-api --precise {program} && cargo build --release`"
    )]
    WrongApiVersion {
        /// The plugin's version.
        plugin: String,
        /// The program's version.
        program: String,
    },
    /// The system's loader refused it.
    #[error("cannot be opened: {0}; a library that it needs may be missing (`ldd` names it)")]
    Refused(String),
    /// The interface has another shape than the program's.
    #[error(
        "has a plugin interface of another shape than `examiner-api` {version}; rebuild it with the same version and `abi_stable`: {detail}"
    )]
    WrongLayout {
        /// The program's version.
        version: String,
        /// The end of what the layout check says.
        detail: String,
    },
    /// It failed to say what it is.
    #[error("failed while registering its roles: {0}; this is an error in the plugin, tell its author")]
    Registration(examiner_api::PluginError),
    /// Its content is not what the suite pinned.
    #[error(
        "has SHA-256 {found}, the suite pins {expected} for the plugin `{plugin}`; install the pinned build, or change the pin if you trust this one"
    )]
    WrongHash {
        /// The plugin that the suite pins.
        plugin: String,
        /// What the suite says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A suite names it for another plugin.
    #[error(
        "is the plugin `{found}`, the suite names it for `{expected}`; write `plugins: {{ {found}: {{ path: FILE }} }}`, or name the right file"
    )]
    OtherPlugin {
        /// What it is.
        found: String,
        /// What the suite says.
        expected: String,
    },
    /// It lies in a plugin directory as a link that leads out of it.
    #[error(
        "is a link to `{}`, which lies outside of the plugin directory `{}`; copy the library into the directory, or name it in the suite: `plugins: {{ NAME: {{ path: FILE, sha256: DIGITS }} }}`", leads_to.display(), directory.display()
    )]
    LeavesDirectory {
        /// Where the link leads.
        leads_to: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// A suite names it by a relative path that leads elsewhere.
    #[error(
        "leads to `{}`, which lies neither beneath `{}`, where relative paths start, nor in a plugin directory; write its absolute path, or pin it with `sha256`", leads_to.display(), start.display()
    )]
    LeavesStart {
        /// Where the path leads.
        leads_to: PathBuf,
        /// Where it starts.
        start: PathBuf,
    },
    /// It is not any more what was judged.
    #[error("was changed while it was being opened; try again when nobody writes to it")]
    Changed,
    /// Another file has a plugin of the same name.
    #[error("is a plugin named `{name}`, as is `{}`; remove one of them", other.display())]
    DuplicateName {
        /// The name of both.
        name: String,
        /// The other file.
        other: PathBuf,
    },
}
