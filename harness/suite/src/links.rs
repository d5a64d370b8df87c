//! The names in a suite, the dependencies between its entries, and cycles among them.

use super::fields::Field;
use super::problem::{FieldPath, Position, Problem, listed};
use super::tree::Node;
use std::fmt;

/// The name of an entry in a section: `models.original`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryName {
    pub(super) section: &'static str,
    pub(super) name: String,
}

impl EntryName {
    pub(super) fn new(section: &'static str, name: &str) -> Self {
        EntryName { section, name: name.to_owned() }
    }

    pub(super) fn model(name: &str) -> Self {
        EntryName::new("models", name)
    }

    pub(super) fn dataset(name: &str) -> Self {
        EntryName::new("datasets", name)
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

/// The names in all sections, including entries with problems, so that one problem is not reported twice.
pub(super) struct Names(Vec<(&'static str, Vec<String>)>);

impl Names {
    pub(super) fn of_suite(root: &Node) -> Self {
        let sections = ["models", "datasets", "teach", "train", "export"];
        let names = |section| root.get(section).into_iter().flat_map(Node::keys).map(str::to_owned).collect();
        Names(sections.into_iter().map(|section| (section, names(section))).collect())
    }

    pub(super) fn of(&self, section: &str) -> Vec<String> {
        self.0.iter().find(|(s, _)| *s == section).map(|(_, names)| names.clone()).unwrap_or_default()
    }

    pub(super) fn has(&self, section: &str, name: &str) -> bool {
        self.of(section).iter().any(|n| n == name)
    }

    /// The names of a section, for a message.
    pub(super) fn expected(&self, section: &str) -> String {
        let names = self.of(section);
        match names.as_slice() {
            [] => format!("a name of `{section}`, of which the suite has none"),
            [only] => format!("`{only}`"),
            _ => format!("one of {}", listed(names.iter().map(String::as_str))),
        }
    }

    /// The problem of an unknown name.
    pub(super) fn unknown(&self, field: &Field<'_>, section: &str, name: &str) -> Problem {
        let what = section.trim_end_matches('s');
        let message = format!("no {what} `{name}`, expected {}", self.expected(section));
        field.problem(message).with_nearest(name, self.of(section).iter().map(String::as_str))
    }

    /// The problem of a reference to an unknown stage.
    pub(super) fn dangling(&self, field: &Field<'_>, to: &EntryName) -> Problem {
        let message = format!("`${{{to}}}` leads nowhere, expected {}", self.expected(to.section));
        let known = self.of(to.section);
        match examiner_api::nearest(&to.name, known.iter().map(String::as_str)) {
            Some(near) => field.problem(message).with_help(format!("did you mean `${{{}.{near}}}`?", to.section)),
            None => field.problem(message),
        }
    }
}

/// The dependencies between entries.
#[derive(Default)]
pub(super) struct Graph(Vec<Edge>);

struct Edge {
    from: EntryName,
    to: EntryName,
    at: Position,
    path: FieldPath,
}

impl Graph {
    pub(super) fn add(&mut self, from: EntryName, to: EntryName, at: Position, path: FieldPath) {
        self.0.push(Edge { from, to, at, path });
    }

    /// One problem for each cycle, at the field that closes it.
    pub(super) fn cycles(&self) -> Vec<Problem> {
        let mut done: Vec<&EntryName> = Vec::new();
        let mut problems = Vec::new();
        for edge in &self.0 {
            self.visit(&edge.from, &mut Vec::new(), &mut done, &mut problems);
        }
        problems
    }

    fn visit<'a>(
        &'a self,
        entry: &'a EntryName,
        path: &mut Vec<&'a EntryName>,
        done: &mut Vec<&'a EntryName>,
        problems: &mut Vec<Problem>,
    ) {
        if done.contains(&entry) {
            return;
        }
        path.push(entry);
        for edge in self.0.iter().filter(|edge| edge.from == *entry) {
            match path.iter().position(|earlier| **earlier == edge.to) {
                None => self.visit(&edge.to, path, done, problems),
                Some(start) => {
                    let cycle: Vec<String> =
                        path[start..].iter().chain([&&edge.to]).map(|entry| format!("`{entry}`")).collect();
                    let message = format!("depends on itself: {}", cycle.join(" needs "));
                    problems.push(Problem::at(&edge.at, &edge.path, message));
                }
            }
        }
        path.pop();
        done.push(entry);
    }
}
