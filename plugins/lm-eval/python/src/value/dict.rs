//! Dictionaries, in the order of insertion.

use indexmap::IndexMap;

use super::{Key, Str, Value};
use crate::error::Outcome;

/// A dictionary of Python.
#[derive(Debug, Clone, Default)]
pub struct Dict {
    entries: IndexMap<Key, Value>,
    pub(crate) kind: DictKind,
}

/// Which class of dictionaries.
#[derive(Debug, Clone, Default)]
pub(crate) enum DictKind {
    #[default]
    Plain,
    Counter,
    Ordered,
    /// A row that a function of `Dataset.map` or `Dataset.filter` gets, which is no `dict` in Python.
    Row,
    /// With the function that makes what is missing.
    Default(Value),
}

impl DictKind {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            DictKind::Plain => "dict",
            DictKind::Counter => "Counter",
            DictKind::Ordered => "OrderedDict",
            DictKind::Row => "LazyRow",
            DictKind::Default(_) => "defaultdict",
        }
    }
}

impl Dict {
    /// An empty dictionary.
    pub fn new() -> Self {
        Dict::default()
    }

    pub(crate) fn of_kind(kind: DictKind) -> Self {
        Dict { entries: IndexMap::new(), kind }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What stands under a text.
    pub fn get_str(&self, key: &str) -> Option<&Value> {
        self.entries.get(&Key::str(Str::from(key)))
    }

    /// What stands under a key.
    ///
    /// # Errors
    /// When the value cannot be a key.
    pub fn get(&self, key: &Value) -> Result<Option<&Value>, crate::Error> {
        Ok(self.entries.get(&Key::new(key.clone())?))
    }

    /// Puts a value under a text.
    pub fn insert_str(&mut self, key: Str, value: Value) {
        self.entries.insert(Key::str(key), value);
    }

    /// Puts a value under a key, which keeps its place where it has one.
    ///
    /// # Errors
    /// When the value cannot be a key.
    pub fn insert(&mut self, key: Value, value: Value) -> Result<Option<Value>, crate::Error> {
        Ok(self.entries.insert(Key::new(key)?, value))
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key.value(), value))
    }

    pub(crate) fn remove(&mut self, key: &Value) -> Outcome<Option<Value>> {
        Ok(self.entries.shift_remove(&Key::new(key.clone())?))
    }

    pub(crate) fn pop_last(&mut self) -> Option<(Value, Value)> {
        self.entries.pop().map(|(key, value)| (key.into_value(), value))
    }

    pub(crate) fn entry_at(&self, index: usize) -> Option<(&Value, &Value)> {
        self.entries.get_index(index).map(|(key, value)| (key.value(), value))
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn move_to(&mut self, key: &Value, last: bool) -> Outcome<bool> {
        let Some(index) = self.entries.get_index_of(&Key::new(key.clone())?) else { return Ok(false) };
        self.entries.move_index(index, if last { self.entries.len() - 1 } else { 0 });
        Ok(true)
    }
}
