//! `--set key=value`: changes a suite from the command line.

use super::problem::{FieldPath, Position, Problem, listed};
use super::sections::TOP_LEVEL;
use super::tree::{Key, Kind, Node};
use super::yaml;
use std::str::FromStr;
use std::sync::Arc;

/// A change to a suite: `models.original.checkpoint=/data/gpt2`, `evaluate.0.models=[a, b]`, or `data=/data` for the
/// variable `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The field, as [`FieldPath`] writes it, or the name of a variable.
    pub key: String,
    /// The new value, as YAML.
    pub value: String,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Override { key: key.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("expected `key=value`, `seed=7` say, found `{text}`")),
        }
    }
}

/// Applies the overrides in order.
pub(super) fn apply(root: &mut Node, overrides: &[Override], problems: &mut Vec<Problem>) {
    for change in overrides {
        let at = Position { origin: Arc::from(format!("--set {}", change.key)), line: 0, column: 0 };
        let mut in_value = Vec::new();
        let parsed = yaml::parse(&at.origin, &change.value, &mut in_value);
        let whole = FieldPath::of(&[&change.key]);
        problems.extend(in_value.into_iter().map(|problem| Problem { position: Some(at.clone()), ..problem }));
        match parsed {
            Err(problem) => problems.push(Problem { help: problem.help, ..Problem::at(&at, &whole, problem.message) }),
            Ok(value) => {
                let nothing = Node { at: at.clone(), kind: Kind::Null };
                let value = value.unwrap_or(nothing).moved_to(&at);
                let key = resolve(root, &change.key);
                if let Err(problem) = set(root, &FieldPath::default(), &key, value, &at) {
                    problems.push(problem);
                }
            }
        }
    }
}

/// The path that a key refers to: the variable of that name, unless it is a key of the suite itself.
fn resolve(root: &Node, key: &str) -> String {
    let is_variable = !TOP_LEVEL.contains(&key) && root.get("vars").is_some_and(|vars| vars.get(key).is_some());
    if is_variable { format!("vars.{key}") } else { key.to_owned() }
}

fn set(node: &mut Node, path: &FieldPath, rest: &str, value: Node, at: &Position) -> Result<(), Problem> {
    match &mut node.kind {
        Kind::Map(entries) => {
            // Names may contain dots, so the longest matching key is used.
            let fits = |key: &str| rest == key || rest.strip_prefix(key).is_some_and(|tail| tail.starts_with('.'));
            let found =
                (0..entries.len()).filter(|i| fits(&entries[*i].0.name)).max_by_key(|i| entries[*i].0.name.len());
            let found = match found {
                Some(found) => found,
                None => {
                    let head = rest.split('.').next().unwrap_or(rest);
                    check_new(path, head, entries, at)?;
                    let key = Key { name: head.to_owned(), at: at.clone() };
                    entries.push((key, Node { at: at.clone(), kind: Kind::Null }));
                    entries.len() - 1
                }
            };
            let (key, child) = &mut entries[found];
            let tail = rest[key.name.len()..].strip_prefix('.');
            let Some(tail) = tail else {
                key.at = at.clone();
                *child = value;
                return Ok(());
            };
            if matches!(child.kind, Kind::Null) {
                child.kind = Kind::Map(Vec::new());
            }
            let path = path.key(&key.name);
            set(child, &path, tail, value, at)
        }
        Kind::List(items) => {
            let (head, tail) = rest.split_once('.').map_or((rest, None), |(head, tail)| (head, Some(tail)));
            let count = items.len();
            let index = head.parse::<usize>().ok().filter(|index| *index < count);
            let Some(index) = index else {
                let message = match count {
                    0 => format!("`{path}` is an empty list and has no index `{head}`"),
                    _ => format!("expected an index in the list, 0 to {}, found `{head}`", count - 1),
                };
                return Err(Problem::at(at, path, message));
            };
            match tail {
                None => items[index] = value,
                Some(tail) => set(&mut items[index], &path.index(index), tail, value, at)?,
            }
            Ok(())
        }
        _ => {
            let message =
                format!("expected a mapping or a list to set `{rest}` in, found {}", super::fields::described(node));
            Err(Problem::at(at, path, message).with_help(format!("set `{path}` as a whole")))
        }
    }
}

/// Checks that the key `head` may be added to the mapping at `path`. Options of a plugin may be added: the plugin's schema
/// decides whether they exist. New models, datasets and stages may not: the name was probably misspelt.
fn check_new(path: &FieldPath, head: &str, entries: &[(Key, Node)], at: &Position) -> Result<(), Problem> {
    let existing = || entries.iter().map(|(key, _)| key.name.as_str());
    let here = path.key(head);
    if head.is_empty() {
        return Err(Problem::at(at, path, "expected a name between the dots of the key, found nothing"));
    }
    match path.segments() {
        [] if TOP_LEVEL.contains(&head) => Ok(()),
        [] => {
            let vars = entries.iter().find(|(key, _)| key.name == "vars").map(|(_, node)| node);
            let known: Vec<&str> = TOP_LEVEL.into_iter().chain(vars.into_iter().flat_map(Node::keys)).collect();
            let message =
                format!("the suite has no such key or variable, expected one of {}", listed(known.iter().copied()));
            Err(Problem::at(at, &here, message).with_nearest(head, known))
        }
        [section] => {
            let section = section.to_string();
            match section.as_str() {
                "plugins" | "report" | "evaluate" => Ok(()),
                _ if entries.is_empty() => Err(Problem::at(at, &here, format!("the suite has no `{section}`"))),
                _ => {
                    let message = format!("no such name in `{section}`, expected one of {}", listed(existing()));
                    Err(Problem::at(at, &here, message).with_nearest(head, existing()))
                }
            }
        }
        _ => Ok(()),
    }
}
