//! Where plugins are looked for.

use crate::loader::{Plugins, SearchPath};
use crate::suite::Suite;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The places to look in, in order: the suite's own files, `--plugins`, `EXAMINER_PLUGINS`, `plugins` beside the
/// program, the program's directory.
pub(super) fn places(suite: Option<&Suite>, directories: &[PathBuf]) -> Vec<SearchPath> {
    let files = suite.into_iter().flat_map(|suite| suite.plugins.values()).filter_map(|pin| pin.path.clone());
    let mut places: Vec<SearchPath> = files.map(SearchPath::File).collect();
    places.extend(directories.iter().cloned().map(SearchPath::Directory));
    if let Some(listed) = std::env::var_os("EXAMINER_PLUGINS") {
        places.extend(std::env::split_paths(&listed).map(SearchPath::Directory));
    }
    let program = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    if let Some(beside) = program.as_deref().and_then(|path| path.parent()) {
        let own = beside.join("plugins");
        if own.is_dir() {
            places.push(SearchPath::Directory(own));
        }
        places.push(SearchPath::BesideProgram(beside.to_owned()));
    }
    places
}

/// The built-in roles and every plugin that is found.
pub(super) fn plugins(suite: Option<&Suite>, directories: &[PathBuf]) -> Result<Plugins> {
    found(suite, places(suite, directories))
}

/// As [`plugins`], but a file that the suite names may be gone: it may have held a model that is not needed.
pub(super) fn plugins_left(suite: &Suite, directories: &[PathBuf]) -> Result<Plugins> {
    let mut places = places(Some(suite), directories);
    places.retain(|place| !matches!(place, SearchPath::File(path) if !path.exists()));
    found(Some(suite), places)
}

fn found(suite: Option<&Suite>, places: Vec<SearchPath>) -> Result<Plugins> {
    let pins: BTreeMap<String, String> = suite
        .into_iter()
        .flat_map(|suite| &suite.plugins)
        .filter_map(|(name, pin)| Some((name.clone(), pin.sha256.clone()?)))
        .collect();
    let mut plugins = Plugins::built_in(vec![crate::scorers::plugin()]);
    plugins.search(&places, &pins)?;
    Ok(plugins)
}
