//! Which names there are, what depends on what, and whether that goes in circles.

use super::fields::Field;
use super::problem::{FieldPath, Position, Problem, listed};
use super::tree::Node;
use std::fmt;

/// A named entry of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) section: &'static str,
    pub(super) name: String,
}

impl Thing {
    pub(super) fn new(section: &'static str, name: &str) -> Self {
        Thing { section, name: name.to_owned() }
    }

    pub(super) fn model(name: &str) -> Self {
        Thing::new("models", name)
    }

    pub(super) fn dataset(name: &str) -> Self {
        Thing::new("datasets", name)
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

/// The names of all sections, those of entries with mistakes included, so that one mistake is not reported twice.
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

    /// What names there are, for a message.
    pub(super) fn expected(&self, section: &str) -> String {
        let names = self.of(section);
        match names.as_slice() {
            [] => format!("a name of `{section}`, of which the suite has none"),
            [only] => format!("`{only}`"),
            _ => format!("one of {}", listed(names.iter().map(String::as_str))),
        }
    }

    /// A problem with a name that nothing has.
    pub(super) fn unknown(&self, field: &Field<'_>, section: &str, name: &str) -> Problem {
        let what = section.trim_end_matches('s');
        let message = format!("no {what} `{name}`, expected {}", self.expected(section));
        field.problem(message).with_nearest(name, self.of(section).iter().map(String::as_str))
    }

    /// A problem with a `${...}` that leads nowhere.
    pub(super) fn dangling(&self, field: &Field<'_>, to: &Thing) -> Problem {
        let message = format!("`${{{to}}}` leads nowhere, expected {}", self.expected(to.section));
        let known = self.of(to.section);
        match examiner_api::nearest(&to.name, known.iter().map(String::as_str)) {
            Some(near) => field.problem(message).with_help(format!("did you mean `${{{}.{near}}}`?", to.section)),
            None => field.problem(message),
        }
    }
}

/// What depends on what.
#[derive(Default)]
pub(super) struct Graph(Vec<Edge>);

struct Edge {
    from: Thing,
    to: Thing,
    at: Position,
    path: FieldPath,
}

impl Graph {
    pub(super) fn add(&mut self, from: Thing, to: Thing, at: Position, path: FieldPath) {
        self.0.push(Edge { from, to, at, path });
    }

    /// One problem for each circle, at the field that closes it.
    pub(super) fn circles(&self) -> Vec<Problem> {
        let mut done: Vec<&Thing> = Vec::new();
        let mut problems = Vec::new();
        for edge in &self.0 {
            self.visit(&edge.from, &mut Vec::new(), &mut done, &mut problems);
        }
        problems
    }

    fn visit<'a>(
        &'a self,
        thing: &'a Thing,
        way: &mut Vec<&'a Thing>,
        done: &mut Vec<&'a Thing>,
        problems: &mut Vec<Problem>,
    ) {
        if done.contains(&thing) {
            return;
        }
        way.push(thing);
        for edge in self.0.iter().filter(|edge| edge.from == *thing) {
            match way.iter().position(|earlier| **earlier == edge.to) {
                None => self.visit(&edge.to, way, done, problems),
                Some(start) => {
                    let circle: Vec<String> =
                        way[start..].iter().chain([&&edge.to]).map(|thing| format!("`{thing}`")).collect();
                    let message = format!("depends on itself: {}", circle.join(" needs "));
                    problems.push(Problem::at(&edge.at, &edge.path, message));
                }
            }
        }
        way.pop();
        done.push(thing);
    }
}
