//! All plugins that a run can use, and the roles in them.

use super::error::{LoadError, LoadProblem};
use super::search_path::{Candidate, SearchPath, candidates};
use super::{FileIdentity, file, image, library};
use crate::parallel;
use examiner_api::ffi::{HeaderFields, LoadedPlugin};
use examiner_api::nearest;
use examiner_api::{API_VERSION, Host, Metadata, OpenRole, Plugin, PluginError, PluginInfo, RoleInfo, RoleKind};
use examiner_store::provenance::PluginFile;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The SHA-256, in hex, that the file of a plugin must have, by the plugin's name.
type Pins = BTreeMap<String, String>;

/// A plugin library in use.
pub struct LoadedFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, in hex: the identity of the build.
    pub sha256: String,
    /// The version of `examiner-api` that it was built with.
    pub api_version: String,
    /// The plugin's description of itself.
    pub info: PluginInfo,
    /// Whether the suite names the file itself.
    chosen: bool,
    source: Source,
}

/// Asks plugin files what they are, several side by side. Code of theirs runs.
pub trait Register: Sync {
    /// The description of a plugin whose file was checked, and had this identity then.
    ///
    /// # Errors
    /// The file cannot be opened, or fails to describe itself.
    fn describe(&self, path: &Path, identity: &FileIdentity) -> Result<PluginInfo, LoadProblem>;
}

impl LoadedFile {
    /// The identity of its file, if it is a library and not a part of the program.
    pub fn library(&self) -> Option<&FileIdentity> {
        match &self.source {
            Source::Library { identity, .. } => Some(identity),
            Source::BuiltIn(_) => None,
        }
    }

    /// Opens one of its roles in this process.
    fn open(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<OpenRole, PluginError> {
        let (identity, opened) = match &self.source {
            Source::BuiltIn(plugin) => return plugin.open(kind, name, options, host),
            Source::Library { identity, opened } => (identity, opened),
        };
        let plugin = match opened.get() {
            Some(plugin) => *plugin,
            None => {
                let plugin = open_file(&self.path, &self.sha256, identity)?;
                *opened.get_or_init(|| plugin)
            }
        };
        plugin.open(kind, name, options, host)
    }
}

enum Source {
    BuiltIn(Plugin),
    /// Opened in this process when one of its roles first is.
    Library {
        identity: FileIdentity,
        opened: OnceLock<LoadedPlugin>,
    },
}

/// The plugins that were found.
#[derive(Default)]
pub struct Plugins {
    loaded: Vec<LoadedFile>,
    rejected: Vec<LoadError>,
}

impl Plugins {
    /// The plugins as `run.json` lists them, by name.
    pub fn provenance(&self) -> BTreeMap<String, PluginFile> {
        let file = |file: &LoadedFile| {
            let path = file.path.display().to_string();
            let (version, sha256) = (file.info.version.clone(), file.sha256.clone());
            (file.info.name.clone(), PluginFile { path, version, sha256 })
        };
        self.loaded.iter().map(file).collect()
    }

    /// The built-in roles alone.
    pub fn built_in(plugins: Vec<Plugin>) -> Self {
        let path = std::env::current_exe().unwrap_or_else(|_| "examiner".into());
        let loaded = plugins.into_iter().map(|plugin| LoadedFile {
            path: path.clone(),
            sha256: format!("built-in {}", env!("CARGO_PKG_VERSION")),
            api_version: API_VERSION.to_owned(),
            info: plugin.info(),
            chosen: false,
            source: Source::BuiltIn(plugin),
        });
        Plugins { loaded: loaded.collect(), rejected: Vec::new() }
    }

    /// Adds the plugins in these locations, of which those that are single files must come first. A file that cannot be used
    /// is recorded, and reported when a role is not found. Two plugins of one name are an error, because it would be
    /// arbitrary which of them runs, unless the suite names the file of one of them.
    ///
    /// `pins` are the SHA-256 that the files of some plugins must have, by plugin name. A file with another SHA-256 is an
    /// error, wherever it comes from, unless the suite names the file of that plugin: then it is ignored. A file that the
    /// suite names for the plugin, or whose name contains the plugin's, is checked before any of its code runs. A file with
    /// another name has to be opened to learn which plugin it is, and is checked right after that.
    pub fn search(
        &mut self,
        locations: &[SearchPath],
        pins: &BTreeMap<String, String>,
        register: &dyn Register,
    ) -> Result<(), LoadError> {
        let is_pinned = |location| entry_of(location).is_some_and(|name| pins.contains_key(name));
        let found: Vec<_> =
            locations.iter().map(|location| candidates(location, locations, is_pinned(location))).collect();
        let mut described = describe_all(locations, &found, pins, register);
        for (location, candidates) in locations.iter().zip(found) {
            let entry = entry_of(location);
            for candidate in candidates? {
                if candidate.real.as_ref().is_ok_and(|real| self.loaded.iter().any(|file| file.path == *real)) {
                    continue;
                }
                let shown = candidate.real.as_ref().unwrap_or(&candidate.path).clone();
                let file = described.remove(&candidate.path);
                match file.unwrap_or_else(|| describe(&candidate, entry, pins, register, &mut Vec::new())) {
                    Ok(file) => self.add(LoadedFile { chosen: location.is_file(), ..file })?,
                    Err(problem) => self.reject(location, LoadError::of(shown, problem, entry))?,
                }
            }
        }
        Ok(())
    }

    /// Records a file that cannot be used. Returns the error if no other file may be used instead.
    fn reject(&mut self, location: &SearchPath, error: LoadError) -> Result<(), LoadError> {
        let fatal = match &error.problem {
            LoadProblem::WrongHash { plugin, .. } => !self.is_chosen(plugin),
            _ => false,
        };
        if fatal || location.is_file() {
            return Err(error);
        }
        self.rejected.push(error);
        Ok(())
    }

    /// Whether the suite names the file of the plugin, and it is in use.
    fn is_chosen(&self, name: &str) -> bool {
        self.loaded.iter().any(|file| file.chosen && file.info.name == name)
    }

    fn add(&mut self, file: LoadedFile) -> Result<(), LoadError> {
        if let Some(other) = self.loaded.iter().find(|other| other.info.name == file.info.name) {
            // A file that the suite names, a build for a GPU for example, has priority over those in a directory.
            if other.chosen && !file.chosen {
                return Ok(());
            }
            let problem = LoadProblem::DuplicateName { name: file.info.name.clone(), other: other.path.clone() };
            return Err(LoadError::of(file.path, problem, Some(&file.info.name)));
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

    /// The role of that kind and name, and the file it is in. `PLUGIN/ROLE` is the one of that plugin.
    pub fn find(&self, kind: RoleKind, name: &str) -> Result<(&LoadedFile, &RoleInfo), PluginError> {
        let (plugin, name) = match name.split_once('/') {
            Some((plugin, name)) => (Some(self.named(plugin)?), name),
            None => (None, name),
        };
        let files = self.loaded.iter().filter(|file| plugin.is_none_or(|plugin| std::ptr::eq(plugin, *file)));
        let mut found = files.filter_map(|file| {
            file.info.roles.iter().find(|role| role.kind == kind && role.name == name).map(|role| (file, role))
        });
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some((one, _)), Some((other, _))) => Err(PluginError::bad_options(format!(
                "there are two {kind}s named `{name}`: in `{}` and in `{}`",
                one.path.display(),
                other.path.display()
            ))
            .with_help(format!(
                "say which: `{{ name: {name}, from: {} }}` or `{{ name: {name}, from: {} }}`",
                one.info.name, other.info.name
            ))),
            (None, _) => Err(self.missing(kind, name)),
        }
    }

    /// The plugin of that name.
    pub fn named(&self, name: &str) -> Result<&LoadedFile, PluginError> {
        if let Some(file) = self.loaded.iter().find(|file| file.info.name == name) {
            return Ok(file);
        }
        let names: Vec<&str> = self.loaded.iter().map(|file| file.info.name.as_str()).collect();
        let near = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        let there = format!("the plugins at hand are `{}`", names.join("`, `"));
        let help = format!("{}{there}{}", near.unwrap_or_default(), self.not_used(name));
        Err(PluginError::not_found(format!("there is no plugin named `{name}`")).with_help(help))
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
        help.push_str(&self.not_used(name));
        PluginError::not_found(format!("there is no {kind} named `{name}` in any plugin")).with_help(help)
    }

    /// A note on the files that are not used, for the error that `name` was not found. A file whose name contains it is
    /// probably the cause; the others are only counted.
    fn not_used(&self, name: &str) -> String {
        let (named, others): (Vec<_>, Vec<_>) =
            self.rejected.iter().partition(|rejected| names_plugin(&rejected.path, name));
        let mut text: String = named.iter().map(|rejected| format!("; not used: {rejected}")).collect();
        if !others.is_empty() {
            text.push_str(&format!("; other files not used: {}, `examiner plugins` says why", others.len()));
        }
        text
    }

    /// Opens a role with its options.
    pub fn open(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<OpenRole, PluginError> {
        let (file, role) = self.find(kind, name)?;
        file.open(kind, &role.name, options, host)
    }
}

/// Opens a plugin file, in this process, that was checked before: it had this SHA-256, and this identity then. Where the identity
/// is another one now, its bytes decide.
///
/// # Errors
/// The file cannot be read or opened, or has another content than the one of that SHA-256.
pub fn open_file(path: &Path, sha256: &str, identity: &FileIdentity) -> Result<LoadedPlugin, PluginError> {
    let opened = match identity.check(path) {
        Ok(()) => library::open(path, identity),
        Err(_) => file::read(path, &mut Vec::new()).and_then(|content| match content.sha256 == sha256 {
            true => library::open(path, &content.identity),
            false => Err(LoadProblem::Changed),
        }),
    };
    opened.map_err(|problem| {
        let error = LoadError { path: path.to_owned(), plugin: None, problem };
        PluginError::bad_input(format!("the plugin is not the file that the run began with: {error}"))
            .with_help("do not replace plugins while they are in use; run again to continue with the new one")
    })
}

/// The plugin's name in the suite, if the suite names its file.
fn entry_of(location: &SearchPath) -> Option<&str> {
    match location {
        SearchPath::Plugin { name, .. } => Some(name),
        _ => None,
    }
}

/// A file whose bytes have been checked, and that may be opened.
struct CheckedFile {
    path: PathBuf,
    content: file::FileContent,
    api_version: String,
}

/// Checks all files that were found and has them describe themselves, the largest first and in parallel: this is most of the work of a
/// short command. The results are by the path under which a file was found; a file that is found twice is read once.
fn describe_all(
    locations: &[SearchPath],
    found: &[Result<Vec<Candidate>, LoadError>],
    pins: &Pins,
    register: &dyn Register,
) -> HashMap<PathBuf, Result<LoadedFile, LoadProblem>> {
    let of_location = |(location, found)| -> Vec<(&SearchPath, &Candidate)> {
        let found: &Result<Vec<Candidate>, LoadError> = found;
        found.iter().flatten().map(|candidate| (location, candidate)).collect()
    };
    let all = locations.iter().zip(found).flat_map(of_location);
    let mut seen = HashSet::new();
    let mut files: Vec<(u64, &SearchPath, &Candidate)> = all
        .filter(|(_, candidate)| candidate.real.as_ref().is_ok_and(|real| seen.insert(real)))
        .map(|(location, candidate)| {
            (std::fs::metadata(&candidate.path).map_or(0, |file| file.len()), location, candidate)
        })
        .collect();
    files.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    // Each thread reuses one buffer: new memory would have to be cleared.
    let described = parallel::map_with(&files, |(_, location, candidate), piece: &mut Vec<u8>| {
        describe(candidate, entry_of(location), pins, register, piece)
    });
    files.iter().map(|(_, _, candidate)| candidate.path.clone()).zip(described).collect()
}

/// Reads a file and checks its bytes. No code of it runs. `entry` is the plugin's name in the suite, if the suite names the
/// file.
fn check(
    candidate: &Candidate,
    entry: Option<&str>,
    pins: &Pins,
    piece: &mut Vec<u8>,
) -> Result<CheckedFile, LoadProblem> {
    let path = candidate.real.as_ref().map_err(Clone::clone)?;
    let content = file::read(path, piece)?;
    let is_named = |name: &str| names_plugin(&candidate.path, name) || names_plugin(path, name);
    let named = entry.or_else(|| pins.keys().map(String::as_str).find(|name| is_named(name)));
    // First of all: nothing else may be read out of bytes that are not the pinned ones.
    check_pin(named, &content.sha256, pins)?;
    let HeaderFields { api_version, .. } = content.inspect(|file| image::check(file))?;
    Ok(CheckedFile { path: path.clone(), content, api_version })
}

/// The plugin in a file, which is checked, and opened only if it is still the same.
fn describe(
    candidate: &Candidate,
    entry: Option<&str>,
    pins: &Pins,
    register: &dyn Register,
    piece: &mut Vec<u8>,
) -> Result<LoadedFile, LoadProblem> {
    let CheckedFile { path, content, api_version } = check(candidate, entry, pins, piece)?;
    let info = register.describe(&path, &content.identity)?;
    if let Some(entry) = entry.filter(|entry| *entry != info.name) {
        return Err(LoadProblem::OtherPlugin { found: info.name, expected: entry.to_owned() });
    }
    check_pin(Some(&info.name), &content.sha256, pins)?;
    let source = Source::Library { identity: content.identity, opened: OnceLock::new() };
    Ok(LoadedFile { path, sha256: content.sha256, api_version, info, chosen: false, source })
}

fn check_pin(plugin: Option<&str>, found: &str, pins: &Pins) -> Result<(), LoadProblem> {
    let Some((plugin, expected)) = plugin.and_then(|plugin| pins.get_key_value(plugin)) else { return Ok(()) };
    match expected.eq_ignore_ascii_case(found) {
        true => Ok(()),
        false => Err(LoadProblem::WrongHash {
            plugin: plugin.clone(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }),
    }
}

/// Whether the file's name is that of the plugin, so that a wrong build of a pinned plugin is refused before any of its code
/// runs.
fn names_plugin(path: &Path, name: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let bare = stem.strip_prefix("lib").unwrap_or(stem);
    let own = format!("examiner_plugin_{}", name.replace('-', "_"));
    stem == name || bare == name || bare == name.replace('-', "_") || bare == own
}

#[cfg(test)]
mod tests {
    use super::{Plugins, names_plugin};
    use crate::scorers::AnswerExtraction;
    use examiner_api::{Plugin, RoleKind};
    use std::path::Path;

    #[test]
    fn a_role_of_two_plugins_is_told_apart_by_its_plugin() {
        let plugin = |name| Plugin::new(name, "1").scorer::<AnswerExtraction>("echo", "d");
        let plugins = Plugins::built_in(vec![plugin("one"), plugin("two")]);
        let from = |name: &str| plugins.find(RoleKind::Scorer, name).map(|(file, _)| file.info.name.clone());
        assert_eq!((from("one/echo").unwrap(), from("two/echo").unwrap()), ("one".to_owned(), "two".to_owned()));
        let unclear = from("echo").unwrap_err();
        assert!(unclear.to_string().contains("{ name: echo, from: two }"), "{unclear}");
        assert!(from("three/echo").unwrap_err().message.contains("no plugin named `three`"));
        assert!(from("one/other").unwrap_err().message.contains("no scorer named `other`"));
    }

    #[test]
    fn file_names_match_plugin_names() {
        for (file, name, fits) in [
            ("libexaminer_plugin_echo.so", "echo", true),
            ("libexaminer_plugin_my_own.so", "my-own", true),
            ("libmy_own.so", "my-own", true),
            ("echo.so", "echo", true),
            ("liblibrary.so", "library", true),
            ("library.so", "library", true),
            ("libexaminer_plugin_echo_again.so", "echo", false),
            ("libecho.so.1", "echo", false),
        ] {
            assert_eq!(names_plugin(Path::new(file), name), fits, "{file} for {name}");
        }
    }
}
