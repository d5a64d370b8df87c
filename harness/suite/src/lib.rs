//! Suites: YAML files, read into types and checked.
//!
//! The key decision: a suite is read into a tree that keeps the position of every key and value, and reading continues after
//! a problem. So all problems are reported at once, each with its line, before any work starts. The meaning of a suite
//! (stages, identities, requests) is not part of this crate, and neither are the options of plugins, except that
//! [`OptionsSchema`] validates them with the schema that a plugin publishes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod datasets;
mod fields;
mod json_schema;
mod links;
mod loaded;
mod option_list;
mod other_words;
mod overrides;
mod paths;
mod policy;
mod problem;
mod reading;
mod references;
mod schema;
mod secrets;
mod sections;
mod stages;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod variables;
mod yaml;

pub use json_schema::json_schema;
pub use loaded::Loaded;
pub use option_list::{OptionInfo, option_list};
pub use overrides::Override;
pub use paths::Paths;
pub use problem::{FieldPath, Position, Problem, Problems, Segment};
pub use references::{Reference, StageKind, references, substitute};
pub use schema::OptionsSchema;
pub use secrets::secret_word;
pub use types::*;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tree::{Kind, Node};

/// Reads the suite at `path`, or on standard input if it is `-`, applies `overrides`, and fills in `vars` and the environment.
///
/// # Errors
///
/// All problems of the suite, in the order of the file.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded, Problems> {
    let unreadable = |message: String, help: &str| {
        Problems(vec![Problem {
            position: None,
            path: String::new(),
            message: format!("cannot read `{}`: {message}", path.display()),
            help: Some(help.to_owned()),
        }])
    };
    let read = || match path == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => std::fs::read(path),
    };
    let bytes = match read() {
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

/// [`load`] for a text; `env` reads environment variables.
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
    let paths = paths::Paths::of(path, &root);
    let vars = variables::fill(&mut root, env, &mut problems);
    let names = links::Names::of_suite(&root);
    let mut reading = reading::Reading { names, graph: links::Graph::default(), problems };
    let suite = sections::read(&root, vars, paths, &mut reading);
    let mut problems = reading.problems;
    problems.extend(reading.graph.cycles());
    match problems.is_empty() {
        true => Ok(Loaded { suite, text, path: path.to_owned(), root }),
        false => Err(Problems::sorted(problems)),
    }
}
