//! Values with the position of every key and value.

use super::problem::Position;
use serde_json::{Number, Value};

/// A value and its position.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
}

/// The content of a value.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its position.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) at: Position,
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key and value, if this is a mapping that has the key.
    pub(super) fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(k, _)| k.name == key).map(|(k, node)| (k, node)),
            _ => None,
        }
    }

    /// The names of the keys; none if this is not a mapping.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match &self.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, _)| key.name.as_str())
    }

    /// The value without positions.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::Text(value) => Value::String(value.clone()),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect())
            }
        }
    }

    /// Gives this value and all values in it one position, that of the option that set it.
    pub(super) fn moved_to(mut self, at: &Position) -> Self {
        self.kind = match self.kind {
            Kind::List(items) => Kind::List(items.into_iter().map(|item| item.moved_to(at)).collect()),
            Kind::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, node)| (Key { name: key.name, at: at.clone() }, node.moved_to(at)))
                    .collect(),
            ),
            scalar => scalar,
        };
        self.at = at.clone();
        self
    }

    /// The number of values, including this one.
    pub(super) fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::List(items) => items.iter().map(Node::size).sum(),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
            _ => 0,
        }
    }
}
