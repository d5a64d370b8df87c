//! All plugins that a run can use, and the roles in them.

use super::{LoadError, Problem, image, library};
use crate::suite::nearest;
use examiner_api::ffi::LoadedPlugin;
use examiner_api::{Host, Metadata, OpenRole, Plugin, PluginError, PluginInfo, RoleInfo, RoleKind};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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
}

/// A plugin library in use.
pub struct LoadedFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, in hex: the identity of the build.
    pub sha256: String,
    /// What the plugin says of itself.
    pub info: PluginInfo,
    /// Whether the suite names the file itself.
    chosen: bool,
    source: Source,
}

impl LoadedFile {
    /// Whether it is a library of its own, and not the program itself.
    pub fn is_library(&self) -> bool {
        matches!(self.source, Source::Library(_))
    }
}

enum Source {
    BuiltIn(Plugin),
    Library(LoadedPlugin),
}

/// The plugins that were found.
#[derive(Default)]
pub struct Plugins {
    loaded: Vec<LoadedFile>,
    rejected: Vec<LoadError>,
}

impl Plugins {
    /// The built-in roles alone.
    pub fn built_in(plugins: Vec<Plugin>) -> Self {
        let path = std::env::current_exe().unwrap_or_else(|_| "examiner".into());
        let loaded = plugins.into_iter().map(|plugin| LoadedFile {
            path: path.clone(),
            sha256: format!("built-in {}", env!("CARGO_PKG_VERSION")),
            info: plugin.info(),
            chosen: false,
            source: Source::BuiltIn(plugin),
        });
        Plugins { loaded: loaded.collect(), rejected: Vec::new() }
    }

    /// Adds what stands in the search paths. A file that cannot be used is remembered, and reported when a role is not
    /// found; two plugins of one name are an error at once, because which of them ran would be a matter of chance, unless
    /// the suite names the file of one of them. Places with files must come first.
    ///
    /// `pins` are the SHA-256 that files of some plugins must have, by plugin name.
    pub fn search(&mut self, places: &[SearchPath], pins: &BTreeMap<String, String>) -> Result<(), LoadError> {
        for place in places {
            for path in files(place)? {
                let path = path.canonicalize().unwrap_or(path);
                if self.loaded.iter().any(|file| file.path == path) {
                    continue;
                }
                match load(&path, pins) {
                    Ok(file) => self.add(LoadedFile { chosen: matches!(place, SearchPath::File(_)), ..file })?,
                    Err(problem) => {
                        let error = LoadError { path, problem };
                        if matches!(place, SearchPath::File(_)) || matches!(error.problem, Problem::WrongHash { .. }) {
                            return Err(error);
                        }
                        self.rejected.push(error);
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, file: LoadedFile) -> Result<(), LoadError> {
        if let Some(other) = self.loaded.iter().find(|other| other.info.name == file.info.name) {
            // A file that the suite names (a build for a GPU, say) stands before what lies in a directory.
            if other.chosen && !file.chosen {
                return Ok(());
            }
            let problem = Problem::DuplicateName { name: file.info.name, other: other.path.clone() };
            return Err(LoadError { path: file.path, problem });
        }
        self.loaded.push(file);
        Ok(())
    }

    /// The plugins in use.
    pub fn loaded(&self) -> &[LoadedFile] {
        &self.loaded
    }

    /// The files that were found but are not used.
    pub fn rejected(&self) -> &[LoadError] {
        &self.rejected
    }

    /// The role of that kind and name, and the file it is in.
    pub fn find(&self, kind: RoleKind, name: &str) -> Result<(&LoadedFile, &RoleInfo), PluginError> {
        let mut found = self.loaded.iter().filter_map(|file| {
            file.info.roles.iter().find(|role| role.kind == kind && role.name == name).map(|role| (file, role))
        });
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some((one, _)), Some((other, _))) => Err(PluginError::bad_options(format!(
                "there are two {kind}s named `{name}`: in `{}` and in `{}`",
                one.path.display(),
                other.path.display()
            ))
            .with_help("remove one of the two plugins")),
            (None, _) => Err(self.missing(kind, name)),
        }
    }

    fn missing(&self, kind: RoleKind, name: &str) -> PluginError {
        let names: Vec<&str> = self
            .loaded
            .iter()
            .flat_map(|file| &file.info.roles)
            .filter(|role| role.kind == kind)
            .map(|role| role.name.as_str())
            .collect();
        let mut help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        help.push_str(&match names.is_empty() {
            true => format!("no {kind} was found in any plugin; `examiner plugins` shows where they are looked for"),
            false => format!("the {kind}s at hand are `{}`", names.join("`, `")),
        });
        // A file that is named for the role is the likely culprit; the others are no news.
        let (named, others): (Vec<_>, Vec<_>) =
            self.rejected.iter().partition(|rejected| names_plugin(&rejected.path, name));
        for rejected in named {
            help.push_str(&format!("; not used: {rejected}"));
        }
        if !others.is_empty() {
            help.push_str(&format!("; other files not used: {}, `examiner plugins` says why", others.len()));
        }
        PluginError::not_found(format!("there is no {kind} named `{name}` in any plugin")).with_help(help)
    }

    /// Opens a role with its options.
    pub fn open(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<OpenRole, PluginError> {
        let (file, role) = self.find(kind, name)?;
        match &file.source {
            Source::BuiltIn(plugin) => plugin.open(kind, &role.name, options, host),
            Source::Library(plugin) => plugin.open(kind, &role.name, options, host),
        }
    }
}

/// Opens a plugin file that has been seen before, if it is still the same.
pub fn open_file(path: &Path, sha256: &str) -> Result<LoadedPlugin, LoadError> {
    let opened = std::fs::read(path).map_err(|error| Problem::Unreadable(error.to_string())).and_then(|bytes| {
        check_pin(sha256, &hash(&bytes))?;
        library::open(path)
    });
    opened.map_err(|problem| LoadError { path: path.to_owned(), problem })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn load(path: &Path, pins: &BTreeMap<String, String>) -> Result<LoadedFile, Problem> {
    let bytes = std::fs::read(path).map_err(|error| Problem::Unreadable(error.to_string()))?;
    image::check(&bytes)?;
    let sha256 = hash(&bytes);
    if let Some((_, expected)) = pins.iter().find(|(name, _)| names_plugin(path, name)) {
        check_pin(expected, &sha256)?;
    }
    let plugin = library::open(path)?;
    let info = plugin.info().map_err(Problem::Registration)?;
    if let Some(expected) = pins.get(&info.name) {
        check_pin(expected, &sha256)?;
    }
    Ok(LoadedFile { path: path.to_owned(), sha256, info, chosen: false, source: Source::Library(plugin) })
}

fn check_pin(expected: &str, found: &str) -> Result<(), Problem> {
    match expected.eq_ignore_ascii_case(found) {
        true => Ok(()),
        false => Err(Problem::WrongHash { expected: expected.to_owned(), found: found.to_owned() }),
    }
}

/// Whether the file is named like the plugin, so that a pinned plugin is refused before any of it runs.
fn names_plugin(path: &Path, name: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let stem = stem.trim_start_matches("lib");
    stem == name || stem == format!("examiner_plugin_{}", name.replace('-', "_"))
}

fn files(place: &SearchPath) -> Result<Vec<PathBuf>, LoadError> {
    let (directory, own_only) = match place {
        SearchPath::File(path) => return Ok(vec![path.clone()]),
        SearchPath::Directory(directory) => (directory, false),
        SearchPath::BesideProgram(directory) => (directory, true),
    };
    let unreadable =
        |error: std::io::Error| LoadError { path: directory.clone(), problem: Problem::Unreadable(error.to_string()) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_library = path.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION);
        let own = name.starts_with(&format!("{}examiner_plugin_", std::env::consts::DLL_PREFIX));
        if is_library && (own || !own_only) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
