//! The role `catalog`: what `examiner tasks` lists.

use crate::TaskConfig;
use crate::classify::{Verdict, classify};
use crate::tree::{Kind, Member, Tree, locate_or_fetch};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{Catalog, CatalogEntry, CatalogKind, CatalogState, Flow, Host, Open, Result, Sink};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// So many names are judged side by side before what was found is sent.
const BATCH: usize = 512;

/// Where the tasks are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct CatalogOptions {
    /// The directory `lm_eval/tasks` of lm-evaluation-harness, or the one that `lm_eval` is in; `lm_eval==0.4.13` is that of a
    /// version, which is downloaded once. Without it the directory in the
    /// variable `LM_EVAL_TASKS`, else the tasks of an installed `lm_eval`.
    #[serde(default)]
    tasks_dir: Option<String>,
    /// Directories with more tasks. A name in one of them replaces the same name in `tasks_dir`.
    #[serde(default)]
    include_path: Vec<PathBuf>,
}

/// Lists the tasks, groups and tags of a tree.
pub struct TaskCatalog {
    options: CatalogOptions,
    host: Host,
}

impl Open for TaskCatalog {
    type Options = CatalogOptions;

    fn open(options: CatalogOptions, host: Host) -> Result<Self> {
        Ok(TaskCatalog { options, host })
    }
}

impl Catalog for TaskCatalog {
    fn entries(&self, pattern: &str, sink: &dyn Sink<CatalogEntry>) -> Result<()> {
        let tasks = locate_or_fetch(self.options.tasks_dir.as_deref(), &|address| self.host.fetch(address))?;
        let mut directories = vec![tasks];
        directories.extend(self.options.include_path.iter().cloned());
        let tree = Tree::open(&directories)?;
        let names: BTreeSet<&str> = pattern.split(',').flat_map(|pattern| tree.matching(pattern.trim())).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let judge = Judge { tree: &tree, known: Mutex::default() };
        for batch in names.chunks(BATCH) {
            for entry in judge.entries(batch) {
                if sink.send(entry) == Flow::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Judges tasks, each set of settings once.
struct Judge<'a> {
    tree: &'a Tree,
    known: Mutex<HashMap<String, Verdict>>,
}

impl Judge<'_> {
    fn entries(&self, names: &[&str]) -> Vec<CatalogEntry> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        let share = names.len().div_ceil(threads).max(16);
        let entries = |names: &[&str]| names.iter().filter_map(|name| self.entry(name)).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let shares = names.chunks(share).map(|names| {
                // Where the machine gives no more threads, this one judges.
                std::thread::Builder::new().spawn_scoped(scope, move || entries(names)).map_err(|_| names)
            });
            let shares: Vec<_> = shares.collect();
            let joined = shares.into_iter().flat_map(|share| match share {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(names) => entries(names),
            });
            joined.collect()
        })
    }

    fn entry(&self, name: &str) -> Option<CatalogEntry> {
        let kind = self.tree.entry(name)?.kind;
        let mut entry = CatalogEntry {
            name: name.to_owned(),
            kind: match kind {
                Kind::Task | Kind::PythonTask => CatalogKind::Task,
                Kind::Group => CatalogKind::Group,
                Kind::Tag => CatalogKind::Tag,
            },
            ..CatalogEntry::default()
        };
        match self.tree.members(name) {
            Err(error) => (entry.state, entry.detail) = (CatalogState::Refused, error.to_string()),
            Ok(found) => match (kind, found.as_slice()) {
                (Kind::Task | Kind::PythonTask, [one @ Member::Task(task)]) => {
                    entry.digest = self.tree.digest(one);
                    Verdict { state: entry.state, detail: entry.detail } = self.verdict(task, &entry.digest);
                }
                (Kind::Group, [one @ Member::Group(group)]) => {
                    entry.digest = self.tree.digest(one);
                    entry.members = group.members.iter().map(|member| member.name().to_owned()).collect();
                    Verdict { state: entry.state, detail: entry.detail } = self.verdict_of_all(&found);
                }
                _ => {
                    entry.digest = self.tree.digest_of_all(&found);
                    entry.members = found.iter().map(|member| member.name().to_owned()).collect();
                    Verdict { state: entry.state, detail: entry.detail } = self.verdict_of_all(&found);
                }
            },
        }
        Some(entry)
    }

    fn verdict(&self, task: &TaskConfig, digest: &str) -> Verdict {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        known.unwrap_or_else(|| {
            let verdict = classify(task);
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), verdict.clone());
            verdict
        })
    }

    /// The verdict on several: that on the worst of their tasks, with the number of those that are like it.
    fn verdict_of_all(&self, members: &[Member]) -> Verdict {
        let mut tasks = Vec::new();
        collect(members, &mut tasks);
        let judged: Vec<(&str, Verdict)> = tasks
            .into_iter()
            .map(|member| match member {
                Member::Task(task) => (task.name.as_str(), self.verdict(task, &self.tree.digest(member))),
                Member::Group(group) => (group.name.as_str(), Verdict::RUNS),
            })
            .collect();
        let count = judged.len();
        let worst = judged.iter().map(|(_, verdict)| verdict.state).max().unwrap_or_default();
        let alike = judged.iter().filter(|(_, verdict)| verdict.state == worst).count();
        let what = match worst {
            CatalogState::Runs => return Verdict { state: worst, detail: String::new() },
            CatalogState::RunsWithPython => "need Python",
            CatalogState::Refused => "are refused",
        };
        let first = judged.iter().find(|(_, verdict)| verdict.state == worst);
        let why = first.map(|(name, verdict)| format!("; `{name}`: {}", verdict.detail)).unwrap_or_default();
        Verdict { state: worst, detail: format!("{alike} of {count} tasks {what}{why}") }
    }
}

/// The tasks among members and below them.
fn collect<'a>(members: &'a [Member], tasks: &mut Vec<&'a Member>) {
    for member in members {
        match member {
            Member::Task(_) => tasks.push(member),
            Member::Group(group) => collect(&group.members, tasks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;

    fn listed(directory: &std::path::Path, pattern: &str) -> Vec<CatalogEntry> {
        let options =
            CatalogOptions { tasks_dir: Some(directory.to_string_lossy().into_owned()), include_path: Vec::new() };
        let catalog = TaskCatalog::open(options, FakeHost::new().host()).unwrap();
        let found = Mutex::new(Vec::new());
        let sink = |entry: CatalogEntry| {
            found.lock().unwrap().push(entry);
            Flow::Continue
        };
        catalog.entries(pattern, &sink).unwrap();
        found.into_inner().unwrap()
    }

    #[test]
    fn entries_come_by_name_with_their_members_and_a_digest_of_all_below_them() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("b.yaml", "task: b\ntag: t\n");
        write("a.yaml", "task: a\ntag: t\n");
        write("g.yaml", "group: g\ntask: [b, a]\n");
        write("bad.yaml", "group: bad\ntask: [bad]\n");
        let entries = listed(directory.path(), "*");
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "bad", "g", "t"]);
        assert_eq!(entries[2].state, CatalogState::Refused);
        assert!(entries[2].detail.contains("a member of itself"), "{}", entries[2].detail);
        assert_eq!(
            (entries[3].kind, &*entries[3].members),
            (CatalogKind::Group, &["b".to_owned(), "a".to_owned()][..])
        );
        assert_eq!((entries[4].kind, &*entries[4].members), (CatalogKind::Tag, &["a".to_owned(), "b".to_owned()][..]));
        let some = listed(directory.path(), "[ab],t,absent");
        assert_eq!(some.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "b", "t"]);

        write("a.yaml", "task: a\ntag: t\nrepeats: 2\n");
        let changed = listed(directory.path(), "*");
        let differ = |name: &str| {
            let digest = |entries: &[CatalogEntry]| {
                entries.iter().find(|entry| entry.name == name).map(|entry| entry.digest.clone()).unwrap()
            };
            digest(&entries) != digest(&changed)
        };
        assert_eq!(["a", "b", "g", "t"].map(differ), [true, false, true, true]);
    }

    #[test]
    fn names_do_not_depend_on_where_the_tree_lies() {
        let digests = || {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("a.yaml"), "task: a\nprocess_docs: !function utils.f\n").unwrap();
            listed(directory.path(), "a").remove(0).digest
        };
        assert_eq!(digests(), digests());
    }
}
