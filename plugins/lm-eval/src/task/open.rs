//! From the names in a suite to tasks and their rows.

use super::address::address;
use super::dataset::Tasks;
use super::documents::Locate;
use super::opened::{self, AllOpened};
use super::options::Options;
use crate::TaskConfig;
use crate::spec::TaskSpec;
use crate::tree::{Group, Tree, locate, locate_or_fetch, of_python};
use examiner_api::{GroupMetric, Host, Open, PluginError, Result, SubsetGroup};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

impl Open for Tasks {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let of_python = || of_python(Path::new(&options.python_program)).filter(|_| options.python.where_needed());
        let directory = match (&options.tasks_dir, of_python()) {
            (None, Some(directory)) => directory,
            (named, _) => locate_or_fetch(named.as_deref(), &|address| host.fetch(address))?,
        };
        let options = Options { tasks_dir: Some(directory.to_string_lossy().into_owned()), ..options };
        let mirror = options.hub_mirror.clone();
        let fetching = host.clone();
        let rows: Locate =
            Arc::new(move |source, split| fetching.fetch(&address(source, split, mirror.as_deref())?.address()));
        Tasks::of_tree(&options, rows, &host)
    }
}

impl Tasks {
    /// The tasks that the options name, whose rows are found by `rows`.
    ///
    /// # Errors
    /// There is no such task, it says what is not supported, its rows cannot be had, or one of them does not fit it.
    pub fn of_tree(options: &Options, rows: Locate, host: &Host) -> Result<Self> {
        let names = options.task.all();
        if names.is_empty() {
            return Err(PluginError::bad_options("`task` is an empty list").with_help("name a task, a group or a tag"));
        }
        let tree = Tree::open(&[locate(options.tasks_dir.as_deref().map(Path::new))?])?;
        let resolved = tree.resolve(&names.join(","))?;
        let configs: Vec<TaskConfig> = resolved.tasks().into_iter().cloned().collect();
        let opened = opened::all(&configs, &tree, options, host)?;
        let groups = if configs.len() > 1 { groups(&resolved.groups(), &opened, host) } else { Vec::new() };
        Tasks::new(&configs, opened, groups, options, rows)
    }
}

/// What is reported of groups.
fn groups(groups: &[&Group], opened: &AllOpened, host: &Host) -> Vec<SubsetGroup> {
    let specs: BTreeMap<&str, TaskSpec> = opened.tasks.iter().map(|task| (task.name(), task.spec())).collect();
    let of = |group: &&Group| {
        let mut subsets: Vec<String> = Vec::new();
        for task in group.tasks() {
            if !subsets.contains(&task.name) {
                subsets.push(task.name.clone());
            }
        }
        let mut metrics: Vec<GroupMetric> = Vec::new();
        for wanted in &group.metrics {
            // Each name of the metric in the tasks, with the filter that it stands for.
            let mut names: Vec<(String, &str)> = Vec::new();
            let mut is_ambiguous = false;
            for spec in subsets.iter().filter_map(|subset| specs.get(subset.as_str())) {
                if !spec.metrics.iter().any(|metric| metric.name == wanted.metric) {
                    continue;
                }
                for filter in &spec.filters {
                    if wanted.filters.as_ref().is_some_and(|filters| !filters.contains(&filter.name)) {
                        continue;
                    }
                    let name = crate::scorer::metric_name(spec, &wanted.metric, &filter.name);
                    match names.iter().find(|(known, _)| *known == name) {
                        Some((_, known)) => is_ambiguous |= *known != filter.name,
                        None => names.push((name, &filter.name)),
                    }
                }
            }
            if is_ambiguous {
                let (metric, group) = (&wanted.metric, &group.name);
                host.warn(format!(
                    "`{metric}` of the group `{group}` is left out: its tasks have it under different filters"
                ));
                continue;
            }
            let weight_by_size = wanted.weight_by_size;
            metrics.extend(names.into_iter().map(|(metric, _)| GroupMetric { metric, weight_by_size }));
        }
        SubsetGroup { name: group.name.clone(), subsets, metrics }
    };
    groups.iter().map(of).filter(|group| !group.metrics.is_empty() && !group.subsets.is_empty()).collect()
}
