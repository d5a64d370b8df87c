//! Where plugins are looked for, and what of a suite is changed on the command line.

use anyhow::{Result, anyhow};
use examiner_engine::loader::{self, LoadError, Plugins, SearchPath};
use examiner_engine::paths;
use examiner_engine::progress::print_to_stderr;
use examiner_engine::worker;
use examiner_store::provenance::Provenance;
use examiner_suite::{FieldPath, Loaded, Override, Problem, Problems, Suite};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The places to look in, in order: the suite's own files, `--plugins`, `EXAMINER_PLUGINS`, `plugins` beside the
/// program, the program's directory.
pub(super) fn places(suite: Option<&Suite>, directories: &[PathBuf]) -> Vec<SearchPath> {
    let entries = suite.into_iter().flat_map(|suite| &suite.plugins);
    let mut places: Vec<SearchPath> = entries
        .filter_map(|(name, pin)| {
            let (path, paths) = (pin.path.clone()?, &suite?.paths);
            let start = paths::start_of_plugin(paths, name, &path);
            Some(SearchPath::Plugin { name: name.clone(), path, start })
        })
        .collect();
    places.extend(directories.iter().cloned().map(SearchPath::Directory));
    if let Some(listed) = std::env::var_os("EXAMINER_PLUGINS") {
        // An empty entry is what a separator too many leaves.
        let directories = std::env::split_paths(&listed).filter(|directory| !directory.as_os_str().is_empty());
        // It holds for every command of a shell, where one of its directories may be gone.
        let (there, gone): (Vec<_>, Vec<_>) = directories.partition(|directory| directory.exists());
        for directory in gone {
            let directory = directory.display();
            print_to_stderr(&format!("warning: `EXAMINER_PLUGINS` names `{directory}`, which does not exist"));
        }
        places.extend(there.into_iter().map(SearchPath::Directory));
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

/// The built-in roles and every plugin that is found. What is wrong with a file that the suite names or pins is reported with
/// the line on which it does.
pub(super) fn plugins(loaded: Option<&Loaded>, directories: &[PathBuf]) -> Result<Plugins> {
    found(loaded, places(loaded.map(|loaded| &loaded.suite), directories))
}

/// As [`plugins`], with this file among them, whatever other plugin has its name.
pub(super) fn plugins_with(file: &Path, loaded: &Loaded, directories: &[PathBuf]) -> Result<Plugins> {
    let mut places = places(Some(&loaded.suite), directories);
    places.insert(0, SearchPath::File(file.to_owned()));
    found(Some(loaded), places)
}

/// As [`plugins`], but a file that the suite names may be gone: it may have held a model that is not needed.
pub(super) fn plugins_left(loaded: &Loaded, directories: &[PathBuf]) -> Result<Plugins> {
    let mut places = places(Some(&loaded.suite), directories);
    places.retain(|place| !matches!(place, SearchPath::Plugin { path, start, .. } if !start.join(path).exists()));
    found(Some(loaded), places)
}

fn found(loaded: Option<&Loaded>, places: Vec<SearchPath>) -> Result<Plugins> {
    let suite = loaded.map(|loaded| &loaded.suite);
    let pins: BTreeMap<String, String> = suite
        .into_iter()
        .flat_map(|suite| &suite.plugins)
        .filter_map(|(name, pin)| Some((name.clone(), pin.sha256.clone()?)))
        .collect();
    let mut plugins = Plugins::built_in(vec![examiner_engine::scorers::plugin()]);
    let register = worker::registration(worker::program());
    plugins.search(&places, &pins, &*register).map_err(|error| match loaded {
        Some(loaded) => at_its_line(loaded, error),
        None => error.into(),
    })?;
    Ok(plugins)
}

fn at_its_line(loaded: &Loaded, error: LoadError) -> anyhow::Error {
    let entry = error.plugin.as_deref().filter(|name| loaded.suite.plugins.contains_key(*name));
    let Some(name) = entry else { return error.into() };
    let key = match error.problem {
        loader::LoadProblem::WrongHash { .. } => "sha256",
        _ => "path",
    };
    let path = FieldPath::of(&["plugins", name, key]);
    let position = loaded.locate(&path);
    Problems(vec![Problem { position, path: path.to_string(), message: error.to_string(), help: None }]).into()
}

/// The suite in the directory of a run, with these changes, and with its paths as they began where the run was made.
pub(super) fn suite_of_run(run: &Path, made: &Provenance, set: &[String]) -> Result<Loaded> {
    let mut loaded = examiner_suite::load(&run.join("suite.yaml"), &overrides(set)?)?;
    paths::begin_in(&mut loaded, &made.suite_directory);
    Ok(loaded)
}

/// `--set`, as typed.
pub(super) fn overrides(set: &[String]) -> Result<Vec<Override>> {
    set.iter().map(|text| text.parse().map_err(|error: String| anyhow!("--set: {error}"))).collect()
}
