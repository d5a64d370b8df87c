//! The YAML files of a tree, each with what it includes.

use crate::yaml;
use crate::{FunctionName, Setting};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The settings of a file, in its order.
pub(super) type Settings = Vec<(String, Setting)>;

/// Directories that no task is looked for in.
const IGNORED: [&str; 2] = ["__pycache__", ".ipynb_checkpoints"];

/// The paths of all `.yaml` files below a directory, in the order in which lm-evaluation-harness reads them: by their whole paths.
/// Directories that are symbolic links are not entered.
pub(super) fn yaml_files(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_ignored = |name: &std::ffi::OsStr| IGNORED.iter().any(|ignored| name == *ignored);
    if root.components().any(|part| matches!(part, Component::Normal(name) if is_ignored(name))) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            if is_ignored(&name) {
                continue;
            }
            if kind.is_dir() {
                directories.push(entry.path());
            } else if name.as_encoded_bytes().ends_with(b".yaml") {
                found.push(entry.path());
            }
        }
    }
    found.sort_unstable_by(|one, other| one.as_os_str().as_encoded_bytes().cmp(other.as_os_str().as_encoded_bytes()));
    Ok(found)
}

/// Files that have been read. Many tasks include the same one.
#[derive(Default)]
pub(super) struct Files {
    read: Mutex<HashMap<PathBuf, Arc<Result<Settings, String>>>>,
}

impl Files {
    /// The settings of a file, on top of those of the files that it includes.
    ///
    /// # Errors
    /// lm-evaluation-harness does not read the file, or one that it includes, or it has something that no task needs.
    pub(super) fn load(&self, path: &Path) -> Result<Settings, String> {
        self.load_into(path, &mut Vec::new())
    }

    /// `seen` has every file that was read for one and the same task. None is read twice, not even by two ways: that is an
    /// error there, too.
    fn load_into(&self, path: &Path, seen: &mut Vec<PathBuf>) -> Result<Settings, String> {
        // What a file names lies beside it, and not beside a link to it. Directories without `..` are canonical already.
        let is_link = || path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let path = if has_parents(path) || is_link() { canonical(path)? } else { normalized(path) };
        if seen.contains(&path) {
            return Err(format!("`{}` is included a second time; include each file once", path.display()));
        }
        seen.push(path.clone());
        // What includes nothing is likely to be included by others.
        let own = self.own(&path, seen.len() > 1);
        let mut own = match Arc::try_unwrap(own) {
            Ok(own) => own?,
            Err(shared) => shared.as_ref().clone()?,
        };
        let Some(place) = own.iter().position(|(key, _)| key == "include") else { return Ok(own) };
        let (_, includes) = own.remove(place);
        let includes = match includes {
            Setting::List(items) => items,
            one => vec![one],
        };
        let mut merged = Settings::new();
        for include in includes {
            let Setting::Text(include) = include else {
                return Err(format!("`{}`: expected a path behind `include`, or a list of paths", path.display()));
            };
            let beside = path.parent().unwrap_or(Path::new(""));
            let mut included = self.load_into(&beside.join(include), seen)?;
            included.retain(|(key, _)| key != "task_list");
            merged = over(merged, included);
        }
        Ok(over(merged, own))
    }

    /// The settings of one file alone, from memory if `keep` says that it will be asked for again.
    fn own(&self, path: &Path, keep: bool) -> Arc<Result<Settings, String>> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known {
            return known;
        }
        let read = Arc::new(read(path));
        if keep {
            self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), read.clone());
        }
        read
    }
}

fn read(path: &Path) -> Result<Settings, String> {
    let at = |message: String| format!("`{}`: {message}", path.display());
    let bytes = std::fs::read(path).map_err(|error| at(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| at("expected text in UTF-8".to_owned()))?;
    let beside = path.parent().unwrap_or(Path::new(""));
    match yaml::parse(&text, &|name| function(name, beside)).map_err(|error| at(error.to_string()))? {
        Setting::Map(settings) => Ok(settings),
        _ => Err(at("expected settings, a mapping, found another value".to_owned())),
    }
}

/// The settings of `top` over those of `base`, as Python's `dict.update` orders them: a key of both keeps the place that it has
/// in `base`.
pub(super) fn over(mut base: Settings, top: impl IntoIterator<Item = (String, Setting)>) -> Settings {
    for (key, value) in top {
        match base.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => base.push((key, value)),
        }
    }
    base
}

/// Where a function is that a file in the directory `beside` names: `utils.name` is in `utils.py` beside the file; where there is
/// none, `lm_eval.tasks.arc.utils.name` is in the package that the file is a part of.
fn function(spec: &str, beside: &Path) -> Result<FunctionName, String> {
    let Some((module, name)) = spec.rsplit_once('.').filter(|(module, _)| !module.is_empty()) else {
        return Err(format!("expected `module.function` behind `!function`, found `{spec}`"));
    };
    let relative = format!("{}.py", module.replace('.', "/"));
    let file = beside.join(&relative);
    let in_package = || {
        let mut packages = beside.ancestors().filter(|directory| directory.ends_with("lm_eval"));
        packages.find_map(|package| package.parent().map(|parent| parent.join(&relative)).filter(|file| file.is_file()))
    };
    let file = if file.is_file() { file } else { in_package().unwrap_or(file) };
    Ok(FunctionName { file, name: name.to_owned() })
}

fn has_parents(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn canonical(path: &Path) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// The path without `.`.
fn normalized(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
