//! What was typed: a suite's YAML, typed and checked.
//!
//! The key decision: a suite is read into a tree that knows the place of every key and value, and every section notes
//! what is wrong and goes on. So all mistakes are reported at once, each with its line, before any work starts. What a
//! suite *means* (stages, identities, requests) is none of this module's business, and neither are the options of
//! plugins, except that [`OptionsSchema`] compares them with the schema that a plugin publishes.

mod datasets;
mod fields;
mod links;
mod overrides;
mod policy;
mod problem;
mod reading;
mod references;
mod schema;
mod sections;
mod stages;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod variables;
mod yaml;

pub use overrides::Override;
pub use problem::{FieldPath, Position, Problem, Problems, Segment};
pub use references::{Reference, StageKind, references, substitute};
pub use schema::OptionsSchema;
pub use types::*;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tree::{Kind, Node};

/// A suite and the text it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What was typed, with variables and overrides put in.
    pub suite: Suite,
    /// The file's text as it was given.
    pub text: String,
    /// The file.
    pub path: PathBuf,
    root: Node,
}

impl Loaded {
    /// Where the value at `path` was typed, or what is nearest above it that was typed. None for a suite without
    /// anything of the path but its top.
    pub fn locate(&self, path: &FieldPath) -> Option<Position> {
        self.trace(path).map(|(_, node)| node.at.clone())
    }

    /// The keys by which an [`Override`] sets the scorers of every entry of `evaluate`.
    pub fn scorer_keys(&self) -> Vec<String> {
        match self.root.get("evaluate").map(|node| &node.kind) {
            Some(Kind::List(entries)) => (0..entries.len()).map(|place| format!("evaluate.{place}.scorer")).collect(),
            // A single entry stands for a list of one.
            Some(Kind::Map(_)) => vec!["evaluate.scorer".to_owned()],
            _ => Vec::new(),
        }
    }

    /// Where the last key of `path` was typed, or what is nearest above it.
    fn locate_key(&self, path: &FieldPath) -> Option<Position> {
        self.trace(path).map(|(key, _)| key)
    }

    /// The place of the deepest key or list item on `path` that exists, and its value.
    fn trace(&self, path: &FieldPath) -> Option<(Position, &Node)> {
        let mut found = None;
        let mut node = &self.root;
        for segment in path.segments() {
            let next = match (segment, &node.kind) {
                (Segment::Key(key), _) => node.entry(key).map(|(key, node)| (key.at.clone(), node)),
                (Segment::Index(index), Kind::List(items)) => items.get(*index).map(|item| (item.at.clone(), item)),
                // A single value stands for a list of one.
                (Segment::Index(0), _) => continue,
                _ => None,
            };
            let Some((at, child)) = next else { break };
            node = child;
            found = Some((at, child));
        }
        found
    }
}

/// Reads the suite at `path`, makes the changes of `overrides`, and fills in `vars` and the environment.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the file.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded, Problems> {
    let unreadable = |message: String, help: &str| {
        Problems(vec![Problem {
            position: None,
            path: String::new(),
            message: format!("cannot read `{}`: {message}", path.display()),
            help: Some(help.to_owned()),
        }])
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(_) if path.is_dir() => return Err(unreadable("it is a directory".to_owned(), "name the YAML file in it")),
        Err(error) => return Err(unreadable(error.to_string(), "check the path; suites mostly lie in `configs/`")),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        unreadable(format!("line {} is not valid UTF-8", line + 1), "save the file as UTF-8")
    })?;
    load_text(path, text, overrides, &|name| std::env::var(name).ok())
}

/// [`load`] for a text that is already there; `env` answers for the environment.
pub fn load_text(
    path: &Path,
    text: String,
    overrides: &[Override],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let origin: Arc<str> = path.display().to_string().into();
    let start = Position { origin: origin.clone(), line: 1, column: 1 };
    let whole = |message: &str| {
        Problem::at(&start, &FieldPath::default(), message)
            .with_help("a suite starts with `name: NAME`; see `configs/` for examples")
    };
    let parsed = yaml::parse(&origin, text.strip_prefix('\u{feff}').unwrap_or(&text), &mut problems);
    let mut root = match parsed {
        Ok(Some(root)) if matches!(root.kind, Kind::Map(_)) => root,
        Ok(Some(Node { kind: Kind::Null, .. }) | None) => {
            problems.push(whole("the file holds no suite: it is empty"));
            return Err(Problems::sorted(problems));
        }
        Ok(Some(other)) => {
            let found = fields::described(&other);
            problems.push(Problem { position: Some(other.at), ..whole(&format!("expected a mapping, found {found}")) });
            return Err(Problems::sorted(problems));
        }
        Err(problem) => {
            problems.push(problem);
            return Err(Problems::sorted(problems));
        }
    };
    overrides::apply(&mut root, overrides, &mut problems);
    let vars = variables::fill(&mut root, env, &mut problems);
    let names = links::Names::of_suite(&root);
    let mut reading = reading::Reading { names, graph: links::Graph::default(), problems };
    let suite = sections::read(&root, vars, &mut reading);
    let mut problems = reading.problems;
    problems.extend(reading.graph.circles());
    match problems.is_empty() {
        true => Ok(Loaded { suite, text, path: path.to_owned(), root }),
        false => Err(Problems::sorted(problems)),
    }
}
