//! A suite together with the tree that it was read from.

use super::problem::{FieldPath, Position, Segment};
use super::tree::{Kind, Node};
use super::types::Suite;
use std::path::PathBuf;

/// A suite and its text.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The suite, with variables and overrides filled in.
    pub suite: Suite,
    /// The text of the file.
    pub text: String,
    /// The file.
    pub path: PathBuf,
    pub(super) root: Node,
}

impl Loaded {
    /// The position of the value at `path`, or of its nearest ancestor that is written in the suite. None if there is neither.
    pub fn locate(&self, path: &FieldPath) -> Option<Position> {
        self.trace(path).map(|(_, node)| node.at.clone())
    }

    /// The keys by which an [`crate::Override`] sets the scorers of every entry of `evaluate`.
    pub fn scorer_keys(&self) -> Vec<String> {
        match self.root.get("evaluate").map(|node| &node.kind) {
            Some(Kind::List(entries)) => (0..entries.len()).map(|index| format!("evaluate.{index}.scorer")).collect(),
            // A single entry stands for a list of one.
            Some(Kind::Map(_)) => vec!["evaluate.scorer".to_owned()],
            _ => Vec::new(),
        }
    }

    /// The position of the last key of `path`, or of its nearest ancestor.
    pub(super) fn locate_key(&self, path: &FieldPath) -> Option<Position> {
        self.trace(path).map(|(key, _)| key)
    }

    /// The position of the deepest key or list item on `path` that exists, and its value.
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
