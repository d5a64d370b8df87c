//! What a name stands for: tasks with all their settings, and the groups above them.

use super::files::{Settings, over};
use super::group::{Group, Member, OF_GROUPS};
use super::index::{Entry, Kind, kind, setting};
use super::{Resolved, Tree};
use crate::{Setting, TaskConfig};
use examiner_api::{PluginError, Result};
use std::path::Path;

/// More members are refused: a group of groups of groups can have more tasks than there is memory for.
const MEMBERS_MAX: usize = 500_000;

/// Builds what names stand for.
pub(super) struct Builder<'a> {
    tree: &'a Tree,
    /// The groups that are being built, the outermost first.
    open: Vec<String>,
    left: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Builder { tree, open: Vec::new(), left: MEMBERS_MAX }
    }

    /// What a name of the tree stands for: one member, or the tasks of a tag. `overrides` go over the settings of every task.
    pub(super) fn named(&mut self, name: &str, overrides: &Settings) -> Result<Vec<Member>> {
        let entry = self.entry(name)?;
        match (entry.kind, &entry.path) {
            (Kind::Tag, _) => {
                let tasks = entry.tasks.iter().filter_map(|task| Some((task, self.tree.entry(task)?)));
                tasks.map(|(task, entry)| self.task(task, entry, overrides)).collect()
            }
            (Kind::Group, Some(path)) => Ok(vec![self.group_file(name, path, overrides)?]),
            _ => Ok(vec![self.task(name, entry, overrides)?]),
        }
    }

    /// What a file describes, whether or not it is one of the tree.
    pub(super) fn file(&mut self, path: &Path) -> Result<Member> {
        let settings = self.tree.settings(path)?;
        let expected = |key: &str| {
            PluginError::bad_input(format!("`{}`: expected a name behind `{key}`", path.display()))
                .with_help("name a file that describes a task or a group; others are included by such files")
        };
        match kind(&settings).ok_or_else(|| expected("task"))? {
            Kind::Group => match setting(&settings, "group") {
                Some(Setting::Text(name)) => self.group_file(name, path, &Settings::new()),
                _ => Err(expected("group")),
            },
            _ => self.task_file("", path, &Settings::new()),
        }
    }

    fn entry(&self, name: &str) -> Result<&'a Entry> {
        self.tree.entry(name).ok_or_else(|| self.tree.unknown(name))
    }

    fn task(&self, name: &str, entry: &Entry, overrides: &Settings) -> Result<Member> {
        match (&entry.path, entry.kind) {
            (Some(path), Kind::Task | Kind::PythonTask) => self.task_file(name, path, overrides),
            _ => {
                Err(PluginError::bad_input(format!("expected the task `{name}`, found a group or a tag of that name")))
            }
        }
    }

    fn task_file(&self, name: &str, path: &Path, overrides: &Settings) -> Result<Member> {
        let settings = over(self.tree.settings(path)?.as_ref().clone(), overrides.iter().cloned());
        task(name, path, settings)
    }

    fn group_file(&mut self, name: &str, path: &Path, overrides: &Settings) -> Result<Member> {
        if self.open.iter().any(|open| open == name) {
            let chain = self.open.join("` > `");
            return Err(PluginError::bad_input(format!(
                "the group `{name}` is a member of itself: `{chain}` > `{name}`"
            )));
        }
        let settings = self.tree.settings(path)?;
        self.open.push(name.to_owned());
        let group = self.group(name, path, &settings, overrides);
        self.open.pop();
        group.map(Member::Group)
    }

    fn group(&mut self, name: &str, path: &Path, settings: &Settings, overrides: &Settings) -> Result<Group> {
        let mut group = Group::new(name, settings)?;
        let of_tasks = settings.iter().filter(|(key, _)| !OF_GROUPS.contains(&key.as_str())).cloned();
        let overrides = over(of_tasks.collect(), overrides.iter().cloned());
        if let Some(Setting::List(items)) = setting(settings, "task") {
            for item in items {
                for member in self.members(item, name, path, &overrides)? {
                    self.left = self.left.checked_sub(1).ok_or_else(|| {
                        PluginError::bad_input(format!(
                            "expected at most {MEMBERS_MAX} members, found more in `{name}`"
                        ))
                    })?;
                    group.add(member);
                }
            }
        }
        check_shared(&group, &overrides)?;
        Ok(group)
    }

    /// What an entry of a group's list stands for.
    fn members(&mut self, item: &Setting, group: &str, path: &Path, overrides: &Settings) -> Result<Vec<Member>> {
        let fail = |message: String| PluginError::bad_input(format!("the group `{group}`: {message}"));
        let (name, overrides) = match item {
            Setting::Text(name) => (name, overrides.clone()),
            Setting::Map(own) => match (setting(own, "group"), setting(own, "task")) {
                (Some(Setting::Text(name)), _) => return self.group_item(name, own, group, path, overrides),
                (None, Some(Setting::Text(name))) => (name, over(overrides.clone(), own.iter().cloned())),
                _ => return Err(fail("expected the name of a task or a group in each entry of `task`".to_owned())),
            },
            _ => return Err(fail("expected names, or mappings with `task` or `group`, in `task`".to_owned())),
        };
        let Some(entry) = self.tree.entry(name) else {
            // A task that is described here and nowhere else.
            let own_name = format!("{group}::{name}");
            let settings = over(overrides, [("task".to_owned(), Setting::Text(own_name.clone()))]);
            return Ok(vec![task(&own_name, path, settings)?]);
        };
        // What the group says of the name goes over the name itself.
        let renamed =
            |name: &str| over(vec![("task".to_owned(), Setting::Text(name.to_owned()))], overrides.iter().cloned());
        match entry.kind {
            Kind::Group => self.named(name, &overrides),
            Kind::Task | Kind::PythonTask => Ok(vec![self.task(name, entry, &renamed(name))?]),
            Kind::Tag => {
                let tasks = entry.tasks.iter().map(|name| self.task(name, self.entry(name)?, &renamed(name)));
                tasks.collect()
            }
        }
    }

    /// An entry with `group`: a group of the tree with other settings, or a group that is described here and nowhere else.
    fn group_item(
        &mut self,
        name: &str,
        own: &Settings,
        group: &str,
        path: &Path,
        overrides: &Settings,
    ) -> Result<Vec<Member>> {
        match self.tree.entry(name) {
            None => Ok(vec![Member::Group(self.group(&format!("{group}::{name}"), path, own, overrides)?)]),
            Some(entry) if entry.kind == Kind::Tag => Err(PluginError::bad_input(format!(
                "the group `{group}`: expected a group behind `group`, found the tag `{name}`"
            ))),
            Some(_) => {
                let own = own.iter().filter(|(key, _)| key != "group").cloned();
                self.named(name, &over(overrides.clone(), own))
            }
        }
    }
}

/// A group's `generation_kwargs` without `until` are one object for all its tasks in lm-evaluation-harness: the first task
/// fills in its own `fewshot_delimiter`, and all others end there, too. Where that makes a difference the group is refused.
fn check_shared(group: &Group, overrides: &Settings) -> Result<()> {
    let Some(Setting::Map(generation)) = setting(overrides, "generation_kwargs") else { return Ok(()) };
    let tasks = group.tasks();
    let mut delimiters = tasks.iter().map(|task| task.get("fewshot_delimiter"));
    let first = delimiters.next();
    if setting(generation, "until").is_some() || delimiters.all(|delimiter| Some(delimiter) == first) {
        return Ok(());
    }
    Err(PluginError::bad_input(format!(
        "the group `{}` has `generation_kwargs` without `until`, and tasks with different `fewshot_delimiter`s",
        group.name
    ))
    .with_help("say `until` in the group: without it, where an answer ends depends on which task was opened first"))
}

/// A task, from all its settings.
fn task(name: &str, path: &Path, mut settings: Settings) -> Result<Member> {
    settings.retain(|(key, _)| !matches!(key.as_str(), "tag" | "group" | "task_list"));
    if let Some((_, metadata)) = settings.iter_mut().find(|(key, _)| key == "metadata")
        && !matches!(metadata, Setting::Map(_))
    {
        *metadata = Setting::Map(vec![("_metadata".to_owned(), metadata.clone())]);
    }
    match setting(&settings, "task") {
        Some(Setting::Text(name)) => {
            let (name, path) = (name.clone(), path.to_owned());
            Ok(Member::Task(TaskConfig { name, path, settings }))
        }
        _ => Err(PluginError::bad_input(format!(
            "the task `{name}` of `{}`: expected a name behind `task`, found another value",
            path.display()
        ))),
    }
}

/// That no task is asked for by two names: its samples would count twice.
pub(super) fn check_duplicates(resolved: &Resolved) -> Result<()> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let mut sources = std::collections::HashMap::new();
    for member in &resolved.members {
        match member {
            Member::Task(task) => seen.push((&task.name, &task.name)),
            Member::Group(group) => {
                seen.extend(group.tasks().into_iter().map(|task| (task.name.as_str(), &*group.name)))
            }
        }
    }
    for (task, source) in seen {
        match sources.insert(task, source) {
            Some(other) if other != source => {
                return Err(PluginError::bad_options(format!(
                    "the task `{task}` is asked for by `{other}` and by `{source}`"
                ))
                .with_help(
                    "name the group or the task, not both; a pattern such as `mmlu*` matches groups and their tasks",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
