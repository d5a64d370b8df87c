//! A group of tasks, as results show it.

use super::files::Settings;
use super::index::setting;
use crate::{Setting, TaskConfig};
use examiner_api::{PluginError, Result};

/// A group, with all that it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The name that tables show, where it is another one.
    pub alias: Option<String>,
    /// What is reported for the group as a whole.
    pub metrics: Vec<GroupMetric>,
    /// Its tasks and groups, each name once.
    pub members: Vec<Member>,
}

/// What a group holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// A task.
    Task(TaskConfig),
    /// A group.
    Group(Group),
}

/// A metric of a group: the mean of the values of its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetric {
    /// The metric of the tasks.
    pub metric: String,
    /// The filters whose values are aggregated; none where those of the tasks are, whatever they are.
    pub filters: Option<Vec<String>>,
    /// Whether a task counts by the number of its samples, or each task the same.
    pub weight_by_size: bool,
}

/// The settings of a group that are about the group itself. All others are for its tasks.
pub(super) const OF_GROUPS: [&str; 5] = ["group", "group_alias", "task", "aggregate_metric_list", "metadata"];

impl Member {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Member::Task(task) => &task.name,
            Member::Group(group) => &group.name,
        }
    }
}

impl Group {
    /// A group without members.
    pub(super) fn new(name: &str, settings: &Settings) -> Result<Self> {
        let fail = |message: &str| PluginError::bad_input(format!("the group `{name}`: {message}"));
        let alias = match setting(settings, "group_alias") {
            None | Some(Setting::Null) => None,
            Some(Setting::Text(alias)) => Some(alias.clone()),
            Some(_) => return Err(fail("expected a text behind `group_alias`")),
        };
        let list = match setting(settings, "aggregate_metric_list") {
            None | Some(Setting::Null) => &[],
            Some(Setting::List(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let metrics =
            list.iter().map(metric).collect::<Result<Vec<_>, _>>().map_err(|message: String| fail(&message))?;
        let metrics = metrics.into_iter().flatten().collect();
        Ok(Group { name: name.to_owned(), alias, metrics, members: Vec::new() })
    }

    /// Adds a member; one of the same name is replaced, and keeps its place.
    pub(super) fn add(&mut self, member: Member) {
        match self.members.iter_mut().find(|known| known.name() == member.name()) {
            Some(known) => *known = member,
            None => self.members.push(member),
        }
    }

    /// All tasks below the group, in order. One that is below two of its groups comes twice.
    pub fn tasks(&self) -> Vec<&TaskConfig> {
        let below = self.members.iter().flat_map(|member| match member {
            Member::Task(task) => vec![task],
            Member::Group(group) => group.tasks(),
        });
        below.collect()
    }

    /// All groups below the group.
    pub fn groups(&self) -> Vec<&Group> {
        let below = self.members.iter().flat_map(|member| match member {
            Member::Task(_) => Vec::new(),
            Member::Group(group) => std::iter::once(group).chain(group.groups()).collect(),
        });
        below.collect()
    }
}

/// A metric of a group; none where it is a function, of which lm-evaluation-harness finds no values.
fn metric(entry: &Setting) -> Result<Option<GroupMetric>, String> {
    let Setting::Map(entries) = entry else {
        return Err("expected a mapping with `metric` in `aggregate_metric_list`".to_owned());
    };
    let mut name = None;
    let mut found = GroupMetric { metric: String::new(), filters: None, weight_by_size: true };
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("metric", Setting::Text(metric)) => name = Some(Some(metric.clone())),
            ("metric", Setting::Function(_)) => name = Some(None),
            ("filter_list", Setting::Null) => found.filters = None,
            ("filter_list", Setting::Text(filter)) => found.filters = Some(vec![filter.clone()]),
            ("filter_list", Setting::List(filters)) => {
                let text = |filter: &Setting| match filter {
                    Setting::Text(filter) => Ok(filter.clone()),
                    _ => Err("expected names of filters in `filter_list`".to_owned()),
                };
                found.filters = Some(filters.iter().map(text).collect::<Result<_, _>>()?);
            }
            // A function is accepted by lm-evaluation-harness, and has no effect: the mean is computed all the same.
            ("aggregation", Setting::Text(mean)) if mean == "mean" => {}
            ("aggregation", Setting::Function(_)) => {}
            ("weight_by_size", weight) => found.weight_by_size = is_true(weight),
            ("metric" | "filter_list" | "aggregation", value) => {
                return Err(format!("`aggregate_metric_list`: `{key}` cannot be {value:?}"));
            }
            (unknown, _) => return Err(format!("`aggregate_metric_list` has no `{unknown}`")),
        }
    }
    let name = name.ok_or_else(|| "expected `metric` in each entry of `aggregate_metric_list`".to_owned())?;
    Ok(name.map(|metric| GroupMetric { metric, ..found }))
}

/// Whether Python takes the value for true.
fn is_true(value: &Setting) -> bool {
    match value {
        Setting::Null => false,
        Setting::Bool(value) => *value,
        Setting::Int(value) => *value != 0,
        Setting::Float(value) => *value != 0.0,
        Setting::Text(text) => !text.is_empty(),
        Setting::List(items) => !items.is_empty(),
        Setting::Map(entries) => !entries.is_empty(),
        Setting::Function(_) => true,
    }
}
