//! Opens a plugin file that has passed the checks of `image`.

use super::Problem;
use super::file::Identity;
use examiner_api::ffi::{AbiHeaderRef, LibraryError, LoadedPlugin, PluginModuleRef, ROOT_SYMBOL};
use std::path::Path;

/// Opens the library and checks the interface's layout. Each file is opened by itself: `abi_stable`'s own way to load
/// would return the first plugin for every later one. `identity` is that of the file that was checked.
pub(super) fn open(path: &Path, identity: &Identity) -> Result<LoadedPlugin, Problem> {
    identity.check(path)?;
    // SAFETY: opening a library runs its initializers; the user put the file into a plugin directory to have it run, and
    // its extent, machine and interface version have been checked.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| Problem::Refused(reason(&error)))?;
    // Nothing is unloaded: vtables and strings of the plugin live in it.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    identity.check(path)?;
    // SAFETY: the symbol is a static `LibHeader`, which begins with an `AbiHeader`; the address of it is what an
    // `AbiHeaderRef` holds. The plugin's header has said that it was built with a compatible `examiner-api`.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) }
        .map(|symbol| *symbol)
        .map_err(|_| Problem::NotAPlugin { symbol: ROOT_SYMBOL })?;
    header
        .upgrade()
        .and_then(|header| header.init_root_module::<PluginModuleRef>())
        .map(LoadedPlugin)
        .map_err(|error| layout_problem(&error))
}

/// What the system's loader says, which stands beneath libloading's own error.
fn reason(error: &libloading::Error) -> String {
    let beneath = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", beneath.unwrap_or_default())
}

/// The layout check says over a thousand lines; the last error is the one that matters.
fn layout_problem(error: &LibraryError) -> Problem {
    let said = error.to_string();
    let detail = said.rfind("Error:").map_or(said.as_str(), |at| &said[at..]);
    let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = match detail.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &detail[..end]),
        None => detail,
    };
    Problem::WrongLayout { version: examiner_api::API_VERSION.to_owned(), detail }
}
