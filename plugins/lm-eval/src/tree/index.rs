//! Which names a tree has, and what each is.

use super::files::{Files, Settings, yaml_files};
use crate::Setting;
use examiner_api::{PluginError, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What a name of a tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A task that YAML describes.
    Task,
    /// A task that a class of Python describes, which YAML names.
    PythonTask,
    /// A group, with a row of its own in results.
    Group,
    /// A short name of several tasks.
    Tag,
}

/// A name, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it stands for.
    pub kind: Kind,
    /// The file that describes it; none for a tag, whose tasks name it.
    pub path: Option<PathBuf>,
    /// The tasks of a tag, sorted.
    pub tasks: BTreeSet<String>,
}

/// All names of a tree.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<String, Entry>,
    /// Files that are left out, and why.
    left_out: Vec<(PathBuf, String)>,
}

/// What the index keeps of a file.
struct Description {
    kind: Kind,
    name: String,
    tags: Vec<String>,
}

impl Index {
    /// Reads all files below the directories. A name of a later directory replaces that of an earlier one; within a directory the
    /// first file that has a name keeps it.
    pub(super) fn build(directories: &[PathBuf], files: &Files) -> Result<Self> {
        let mut index = Index::default();
        for directory in directories {
            let paths = yaml_files(directory)
                .map_err(|error| PluginError::io("read the directory of tasks", directory, &error))?;
            let mut entries: HashMap<String, Entry> = HashMap::new();
            for (path, description) in paths.iter().zip(descriptions(&paths, files)) {
                match description {
                    Ok(description) => add(&mut entries, path, description),
                    Err(why) => index.left_out.push((path.clone(), why)),
                }
            }
            index.entries.extend(entries);
        }
        Ok(index)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn left_out(&self) -> &[(PathBuf, String)] {
        &self.left_out
    }
}

/// What the files describe, in their order. They are read by as many threads as there are processors.
fn descriptions(paths: &[PathBuf], files: &Files) -> Vec<Result<Description, String>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let read = |path: &PathBuf| files.load(path).and_then(|settings| describe(&settings));
    let share = paths.len().div_ceil(threads).max(64);
    std::thread::scope(|scope| {
        let shares = paths.chunks(share).map(|paths| {
            let read = || paths.iter().map(read).collect::<Vec<_>>();
            // Where the machine gives no more threads, this one reads.
            std::thread::Builder::new().spawn_scoped(scope, read).map_err(|_| paths)
        });
        let shares: Vec<_> = shares.collect();
        let joined = shares.into_iter().flat_map(|share| match share {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(paths) => paths.iter().map(read).collect(),
        });
        joined.collect()
    })
}

/// Which name a file describes. A file without one is the beginning of others, and is left out.
fn describe(settings: &Settings) -> Result<Description, String> {
    let kind = kind(settings).ok_or_else(|| "it has neither `task` nor `group` nor `class`".to_owned())?;
    let key = if kind == Kind::Group { "group" } else { "task" };
    match setting(settings, key) {
        Some(Setting::Text(name)) => Ok(Description { kind, name: name.clone(), tags: tags(settings)? }),
        _ => Err(format!("expected a name behind `{key}`")),
    }
}

/// What the settings of a file describe: a class comes first, then a group.
pub(super) fn kind(settings: &Settings) -> Option<Kind> {
    let keys = [("class", Kind::PythonTask), ("group", Kind::Group), ("task", Kind::Task)];
    keys.into_iter().find(|(key, _)| setting(settings, key).is_some()).map(|(_, kind)| kind)
}

pub(super) fn setting<'a>(settings: &'a Settings, key: &str) -> Option<&'a Setting> {
    settings.iter().find(|(known, _)| known == key).map(|(_, value)| value)
}

fn tags(settings: &Settings) -> Result<Vec<String>, String> {
    let text = |value: &Setting| match value {
        Setting::Text(tag) => Ok(tag.clone()),
        _ => Err("expected a text behind `tag`, or a list of texts".to_owned()),
    };
    match setting(settings, "tag") {
        None | Some(Setting::Null) => Ok(Vec::new()),
        Some(Setting::Text(tag)) if tag.is_empty() => Ok(Vec::new()),
        Some(Setting::List(items)) => items.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}

fn add(entries: &mut HashMap<String, Entry>, path: &Path, description: Description) {
    let Description { kind, name, tags } = description;
    if entries.contains_key(&name) {
        return;
    }
    entries.insert(name.clone(), Entry { kind, path: Some(path.to_owned()), tasks: BTreeSet::new() });
    if kind == Kind::Group {
        return;
    }
    for tag in tags {
        let none = || Entry { kind: Kind::Tag, path: None, tasks: BTreeSet::new() };
        entries.entry(tag).or_insert_with(none).tasks.insert(name.clone());
    }
}
