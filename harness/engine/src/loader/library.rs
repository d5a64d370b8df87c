//! Opens a plugin file that has passed the checks of `image`.

use super::error::LoadProblem;
use super::file::FileIdentity;
use examiner_api::PluginInfo;
use examiner_api::ffi::{AbiHeaderRef, LibraryError, LoadedPlugin, PluginModuleRef, ROOT_SYMBOL};
use std::path::Path;

/// Opens the library and checks the layout of its interface. `identity` is that of the file whose bytes were checked.
///
/// `abi_stable`'s own function for this is not used: it caches the first library, and would return it for every later one.
pub(super) fn open(path: &Path, identity: &FileIdentity) -> Result<LoadedPlugin, LoadProblem> {
    identity.check(path)?;
    // SAFETY: opening a library runs its initializers; the user put the file into a plugin directory to have it run, and
    // its extent, machine and interface version have been checked.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| LoadProblem::Refused(reason(&error)))?;
    // Never unloaded: vtables and strings of the plugin are in it.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    identity.check(path)?;
    // SAFETY: the symbol is a static `LibHeader`, which begins with an `AbiHeader`; the address of it is what an
    // `AbiHeaderRef` holds. According to its header the plugin was built with a compatible `examiner-api`.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) }
        .map(|symbol| *symbol)
        .map_err(|_| LoadProblem::NotAPlugin { symbol: ROOT_SYMBOL.to_owned() })?;
    header
        .upgrade()
        .and_then(|header| header.init_root_module::<PluginModuleRef>())
        .map(LoadedPlugin)
        .map_err(|error| layout_problem(&error))
}

/// Opens a library that was checked, in this process, and asks for its description.
///
/// # Errors
/// The file has changed, or cannot be opened, or fails to describe itself.
pub fn describe(path: &Path, identity: &FileIdentity) -> Result<PluginInfo, LoadProblem> {
    open(path, identity)?.info().map_err(|error| LoadProblem::Registration(Box::new(error)))
}

/// The message of the system's loader, which is the source of libloading's own error.
fn reason(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// The layout check reports over a thousand lines; the last error is the relevant one.
fn layout_problem(error: &LibraryError) -> LoadProblem {
    let report = error.to_string();
    let detail = report.rfind("Error:").map_or(report.as_str(), |start| &report[start..]);
    let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = match detail.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &detail[..end]),
        None => detail,
    };
    LoadProblem::WrongLayout { version: examiner_api::API_VERSION.to_owned(), detail }
}
