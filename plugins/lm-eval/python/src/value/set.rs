//! Sets, in the order of insertion.

use indexmap::IndexSet;

use super::{Key, Value};
use crate::error::Outcome;

/// A set of Python.
///
/// The order in which CPython iterates over texts changes from process to process; here it is that of insertion.
#[derive(Debug, Clone, Default)]
pub struct Set {
    members: IndexSet<Key>,
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Set::default()
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a member.
    ///
    /// # Errors
    /// When the value cannot be a member.
    pub fn insert(&mut self, value: Value) -> Result<bool, crate::Error> {
        Ok(self.members.insert(Key::new(value)?))
    }

    /// Whether a value is a member.
    ///
    /// # Errors
    /// When the value cannot be a member.
    pub fn contains(&self, value: &Value) -> Result<bool, crate::Error> {
        Ok(self.members.contains(&Key::new(value.clone())?))
    }

    /// Its members in the order of insertion, which is not CPython's.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.members.iter().map(Key::value)
    }

    pub(crate) fn remove(&mut self, value: &Value) -> Outcome<bool> {
        Ok(self.members.shift_remove(&Key::new(value.clone())?))
    }

    pub(crate) fn clear(&mut self) {
        self.members.clear();
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.members.contains(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.members.iter()
    }

    /// Its members in an order in which CPython may iterate over them. The order of texts changes from process to process; here it is
    /// that of insertion.
    ///
    /// # Errors
    /// When CPython has a fixed order that is not known here: that of numbers, for one.
    pub(crate) fn in_order(&self) -> Outcome<Vec<Value>> {
        let is_any_order = self.len() < 2 || self.iter().all(|member| matches!(member, Value::Str(_)));
        match is_any_order {
            true => Ok(self.iter().cloned().collect()),
            false => Err(crate::Error::unsupported("the order of a set with other members than texts")),
        }
    }

    pub(crate) fn difference(&self, other: &Set) -> Set {
        Set { members: self.members.difference(&other.members).cloned().collect() }
    }

    pub(crate) fn union(&self, other: &Set) -> Set {
        Set { members: self.members.union(&other.members).cloned().collect() }
    }

    pub(crate) fn intersection(&self, other: &Set) -> Set {
        Set { members: self.members.intersection(&other.members).cloned().collect() }
    }

    pub(crate) fn symmetric_difference(&self, other: &Set) -> Set {
        Set { members: self.members.symmetric_difference(&other.members).cloned().collect() }
    }
}
