//! `examiner tasks`: what plugins can examine by name.

use crate::bare_host::bare_host_with_downloads;
use crate::loader::Plugins;
use crate::worker::{self, Workers};
use examiner_api::{
    Catalog, CatalogEntry, CatalogKind, CatalogState, ErrorCode, Flow, Metadata, OpenRole, PluginError, Result,
    RoleInfo, RoleKind, Sink,
};
use examiner_suite::Isolation;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long a catalog may be silent: it may read many thousands of files before the first entry.
const DEADLINE_S: f64 = 600.0;
/// The option of a catalog that says where tasks are.
const TASKS_DIR: &str = "tasks_dir";

/// Sends the entries of all catalogs that fit the pattern. Each catalog looks them up in a worker: a process of `program`.
/// `tasks_dir` is given to those catalogs that have an option of that name.
///
/// # Errors
/// No plugin has a catalog, none has such an option, or a catalog fails.
pub fn entries(
    plugins: &Plugins,
    program: Option<PathBuf>,
    pattern: &str,
    tasks_dir: Option<&Path>,
    sink: &dyn Sink<CatalogEntry>,
) -> Result<()> {
    let isolation = Isolation { deadline_s: DEADLINE_S, ..Isolation::default() };
    let workers = program.map(|program| Workers::new(program, isolation));
    let all = plugins.loaded().iter().flat_map(|file| {
        let roles = file.info.roles.iter().filter(|role| role.kind == RoleKind::Catalog);
        roles.map(|role| (format!("{}/{}", file.info.name, role.name), role))
    });
    let all: Vec<(String, &RoleInfo)> = all.filter(|(_, role)| tasks_dir.is_none() || takes_tasks_dir(role)).collect();
    if all.is_empty() {
        return Err(match tasks_dir {
            None => PluginError::not_found("expected a plugin with a catalog, found none"),
            Some(_) => PluginError::not_found("expected a plugin whose catalog takes a directory of tasks, found none"),
        }
        .with_help("`examiner plugins` lists the plugins that were found, and where was looked"));
    }
    let options = tasks_dir.map(|directory| (TASKS_DIR.to_owned(), Value::from(directory.to_string_lossy())));
    let options: Metadata = options.into_iter().collect();
    for (name, _) in all {
        catalog(plugins, workers.as_ref(), &name, options.clone())?.entries(pattern, sink)?;
    }
    Ok(())
}

fn takes_tasks_dir(role: &RoleInfo) -> bool {
    role.options.get("properties").is_some_and(|properties| properties.get(TASKS_DIR).is_some())
}

fn catalog(plugins: &Plugins, workers: Option<&Workers>, name: &str, options: Metadata) -> Result<Box<dyn Catalog>> {
    match worker::open(workers, plugins, RoleKind::Catalog, name, options, bare_host_with_downloads()?)? {
        OpenRole::Catalog(catalog) => Ok(catalog),
        _ => Err(PluginError::new(ErrorCode::Protocol, "the plugin opened another role")),
    }
}

/// All entries that fit the pattern; see [`entries`].
///
/// # Errors
/// As [`entries`].
pub fn collected(
    plugins: &Plugins,
    program: Option<PathBuf>,
    pattern: &str,
    tasks_dir: Option<&Path>,
) -> Result<Vec<CatalogEntry>> {
    let found = parking_lot::Mutex::new(Vec::new());
    entries(plugins, program, pattern, tasks_dir, &|entry: CatalogEntry| {
        found.lock().push(entry);
        Flow::Continue
    })?;
    Ok(found.into_inner())
}

/// How many entries of each kind are in each state.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts(BTreeMap<(&'static str, CatalogState), usize>);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, entry: &CatalogEntry) {
        *self.0.entry((kind_name(entry.kind), entry.state)).or_default() += 1;
    }

    /// `{"task": {"runs": 2, "runs-with-python": 0, "refused": 1}, "group": ..., "tag": ...}`.
    pub fn to_json(&self) -> Value {
        let kinds = [CatalogKind::Task, CatalogKind::Group, CatalogKind::Tag].map(kind_name);
        let of_kind = |kind: &'static str| {
            let states = STATES.map(|state| (state_name(state).to_owned(), Value::from(self.count(kind, state))));
            (kind.to_owned(), Value::Object(states.into_iter().collect()))
        };
        Value::Object(kinds.into_iter().map(of_kind).collect())
    }

    fn count(&self, kind: &'static str, state: CatalogState) -> usize {
        self.0.get(&(kind, state)).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for kind in [CatalogKind::Task, CatalogKind::Group, CatalogKind::Tag].map(kind_name) {
            let [runs, python, refused] = STATES.map(|state| self.count(kind, state));
            let all = runs + python + refused;
            if all > 0 {
                let plural = if all == 1 { "" } else { "s" };
                writeln!(formatter, "{all} {kind}{plural}: {runs} run, {python} run with Python, {refused} refused")?;
            }
        }
        Ok(())
    }
}

const STATES: [CatalogState; 3] = [CatalogState::Runs, CatalogState::RunsWithPython, CatalogState::Refused];

fn kind_name(kind: CatalogKind) -> &'static str {
    match kind {
        CatalogKind::Task => "task",
        CatalogKind::Group => "group",
        CatalogKind::Tag => "tag",
    }
}

fn state_name(state: CatalogState) -> &'static str {
    match state {
        CatalogState::Runs => "runs",
        CatalogState::RunsWithPython => "runs-with-python",
        CatalogState::Refused => "refused",
    }
}

/// The entries as a table: state, kind, name, and what there is to say.
pub fn table(entries: &[CatalogEntry]) -> String {
    let state = |entry: &CatalogEntry| match entry.state {
        CatalogState::RunsWithPython => "python",
        state => state_name(state),
    };
    let width = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or_default();
    let lines = entries.iter().map(|entry| {
        let CatalogEntry { name, kind, detail, .. } = entry;
        let line = format!("{:<7}  {:<5}  {name:<width$}  {detail}", state(entry), kind_name(*kind));
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{Host, Open, Plugin};

    struct Two(Option<String>);

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Options {
        tasks_dir: Option<String>,
    }

    impl Open for Two {
        type Options = Options;

        fn open(options: Options, _: Host) -> Result<Self> {
            Ok(Two(options.tasks_dir))
        }
    }

    impl Catalog for Two {
        fn entries(&self, pattern: &str, sink: &dyn Sink<CatalogEntry>) -> Result<()> {
            let name = format!("{pattern} in {}", self.0.as_deref().unwrap_or("the usual place"));
            let _ = sink.send(CatalogEntry { name, ..CatalogEntry::default() });
            let refused = CatalogEntry {
                name: "all".to_owned(),
                kind: CatalogKind::Group,
                state: CatalogState::Refused,
                detail: "it cannot be".to_owned(),
                ..CatalogEntry::default()
            };
            let _ = sink.send(refused);
            Ok(())
        }
    }

    #[test]
    fn catalogs_are_asked_and_counted() {
        let plugin = Plugin::new("two", "1.0.0").catalog::<Two>("two", "Lists two.");
        let plugins = Plugins::built_in(vec![crate::scorers::plugin(), plugin]);
        let found = collected(&plugins, None, "x*", Some(Path::new("/tasks"))).unwrap();
        assert_eq!(table(&found), "runs     task   x* in /tasks\nrefused  group  all           it cannot be\n");
        let mut counts = Counts::default();
        found.iter().for_each(|entry| counts.add(entry));
        let expected = "1 task: 1 run, 0 run with Python, 0 refused\n1 group: 0 run, 0 run with Python, 1 refused\n";
        assert_eq!(counts.to_string(), expected);
        assert_eq!(counts.to_json()["group"]["refused"], 1);
        assert_eq!(counts.to_json()["tag"]["runs"], 0);
    }

    #[test]
    fn without_a_catalog_there_is_an_error() {
        let plugins = Plugins::built_in(vec![crate::scorers::plugin()]);
        assert!(collected(&plugins, None, "*", None).unwrap_err().message.contains("found none"));
    }
}
