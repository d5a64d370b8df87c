//! A tree of tasks: the directory `lm_eval/tasks`, or one that is laid out like it.
//!
//! `files` reads YAML with what it includes, `index` says which names there are, `resolve` what a name stands for, `group` is what
//! results need of a group, `locate` finds trees on this machine, and `wheel` gets one that is not there. All of it follows lm-evaluation-harness 0.4.13.

mod digest;
mod files;
mod group;
mod index;
mod locate;
mod pattern;
mod resolve;
mod wheel;

pub use group::{Group, GroupMetric, Member};
pub use index::{Entry, Kind};
pub use locate::{TASKS_VARIABLE, locate, locate_or_fetch};

pub(crate) use locate::of_python;

use crate::TaskConfig;
use examiner_api::{PluginError, Result};
use files::{Files, Settings};
use index::Index;
use resolve::Builder;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// All tasks, groups and tags of some directories.
pub struct Tree {
    directories: Vec<PathBuf>,
    index: Index,
    files: Files,
    settings: Mutex<HashMap<PathBuf, Arc<Settings>>>,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resolved {
    /// Tasks and groups, in the order in which they were asked for.
    pub members: Vec<Member>,
}

impl Resolved {
    /// All tasks, each name once: where two groups have a task of one name, the later one counts and keeps the first place.
    pub fn tasks(&self) -> Vec<&TaskConfig> {
        let all = self.members.iter().flat_map(|member| match member {
            Member::Task(task) => vec![task],
            Member::Group(group) => group.tasks(),
        });
        unique(all, |task| &task.name)
    }

    /// All groups, each name once, a group before those below it.
    pub fn groups(&self) -> Vec<&Group> {
        let all = self.members.iter().flat_map(|member| match member {
            Member::Task(_) => Vec::new(),
            Member::Group(group) => std::iter::once(group).chain(group.groups()).collect(),
        });
        unique(all, |group| &group.name)
    }
}

/// What a Python dictionary keeps of values with names: the last of each name, in the place of the first.
fn unique<'a, T>(all: impl Iterator<Item = &'a T>, name: impl Fn(&'a T) -> &'a String) -> Vec<&'a T> {
    let mut places: HashMap<&String, usize> = HashMap::new();
    let mut kept: Vec<&T> = Vec::new();
    for one in all {
        match places.get(name(one)) {
            Some(place) => kept[*place] = one,
            None => {
                places.insert(name(one), kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

impl Tree {
    /// Reads the names of the directories. A later directory replaces names of an earlier one.
    ///
    /// # Errors
    /// A directory cannot be read. A file that cannot is left out, as lm-evaluation-harness does: [`Tree::left_out`].
    pub fn open(directories: &[PathBuf]) -> Result<Self> {
        let canonical = |directory: &PathBuf| {
            std::fs::canonicalize(directory)
                .map_err(|error| PluginError::io("read the directory of tasks", directory, &error))
        };
        let directories: Vec<PathBuf> = directories.iter().map(canonical).collect::<Result<_>>()?;
        let files = Files::default();
        let index = Index::build(&directories, &files)?;
        Ok(Tree { directories, index, files, settings: Mutex::default() })
    }

    /// The directories, as paths without links.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.index.names()
    }

    /// What a name is; none if the tree has no such name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.index.get(name)
    }

    /// The files without a task or a group of their own, each with the reason.
    pub fn left_out(&self) -> &[(PathBuf, String)] {
        self.index.left_out()
    }

    /// The names that fit a pattern of Python's `fnmatch`, or are the text itself, sorted.
    pub fn matching(&self, pattern: &str) -> Vec<&str> {
        if self.entry(pattern).is_some() || !pattern::is_pattern(pattern) {
            return self.names().into_iter().filter(|name| *name == pattern).collect();
        }
        self.names().into_iter().filter(|name| pattern::matches(pattern, name)).collect()
    }

    /// What `spec` stands for: names, patterns and paths of YAML files, with commas between them.
    ///
    /// # Errors
    /// There is no such name or file, a file is not as lm-evaluation-harness wants it, or a task is asked for twice.
    pub fn resolve(&self, spec: &str) -> Result<Resolved> {
        let mut builder = Builder::new(self);
        let mut resolved = Resolved::default();
        let mut asked: Vec<&str> = Vec::new();
        for part in spec.split(',').map(str::trim) {
            if part.ends_with(".yaml") && self.entry(part).is_none() {
                resolved.members.push(builder.file(Path::new(part))?);
                continue;
            }
            let names = self.matching(part);
            if names.is_empty() {
                return Err(self.unknown(part));
            }
            for name in names {
                if !asked.contains(&name) {
                    asked.push(name);
                    resolved.members.extend(builder.named(name, &Settings::new())?);
                }
            }
        }
        resolve::check_duplicates(&resolved)?;
        Ok(resolved)
    }

    /// What one name stands for, without patterns and paths: a member, or the tasks of a tag.
    ///
    /// # Errors
    /// As [`Tree::resolve`].
    pub fn members(&self, name: &str) -> Result<Vec<Member>> {
        Builder::new(self).named(name, &Settings::new())
    }

    /// What a file describes, whether or not it is one of the tree.
    ///
    /// # Errors
    /// It cannot be read, or describes neither a task nor a group.
    pub(crate) fn described_by(&self, path: &Path) -> Result<Member> {
        Builder::new(self).file(path)
    }

    /// Changes whenever a setting of a task, or of anything below a group, does: 64 hexadecimal digits. It is the same wherever the
    /// tree lies.
    pub fn digest(&self, member: &Member) -> String {
        digest::of_member(member, &self.directories)
    }

    /// The digest of several members in their order, as those of a tag.
    pub fn digest_of_all(&self, members: &[Member]) -> String {
        digest::of_members(members, &self.directories)
    }

    /// The settings of a file with all that it includes, read once.
    fn settings(&self, path: &Path) -> Result<Arc<Settings>> {
        let known = self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let settings = Arc::new(self.files.load(path).map_err(PluginError::bad_input)?);
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), settings.clone());
        Ok(settings)
    }

    fn unknown(&self, name: &str) -> PluginError {
        let directories: Vec<String> = self.directories.iter().map(|path| format!("`{}`", path.display())).collect();
        let message = format!("expected a task, a group or a tag of {}, found `{name}`", directories.join(" and "));
        let error = PluginError::not_found(message);
        // A file that is left out because of what it says may be the one that has the name.
        let broken = self.left_out().iter().find(|(path, _)| path.file_stem().is_some_and(|stem| stem == name));
        match (examiner_api::nearest(name, self.names()), broken) {
            (_, Some((_, why))) => error.with_help(format!("the file of that name is left out: {why}")),
            (Some(nearest), None) => error.with_help(format!("did you mean `{nearest}`?")),
            (None, None) => error.with_help("`examiner tasks` lists all names"),
        }
    }
}

#[cfg(test)]
mod tests;
