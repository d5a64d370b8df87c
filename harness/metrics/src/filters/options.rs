//! The options of a filter, each of which is taken once.

use crate::error::{Result, unsupported};
use serde_json::{Map, Value};

/// Options that have not been taken yet.
pub(super) struct Options {
    filter: String,
    left: Map<String, Value>,
}

impl Options {
    pub(super) fn new(filter: &str, options: &Map<String, Value>) -> Self {
        Options { filter: filter.to_owned(), left: options.clone() }
    }

    /// The same options, with one more where it is not given.
    pub(super) fn with_default(&self, name: &str, value: &str) -> Options {
        let mut left = self.left.clone();
        left.entry(name).or_insert_with(|| value.into());
        Options { filter: self.filter.clone(), left }
    }

    /// Takes the options of patterns, which another reader has read.
    pub(super) fn forget(&mut self) {
        for name in ["regex_pattern", "group_select"] {
            self.left.remove(name);
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name)
    }

    pub(super) fn text(&mut self, name: &str, default: &str) -> Result<String> {
        match self.take(name) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => self.wrong(name, "a text", &other),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => self.wrong(name, "`true` or `false`", &other),
        }
    }

    pub(super) fn integer(&mut self, name: &str, default: i64) -> Result<i64> {
        match self.take(name) {
            None => Ok(default),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(number),
                None => self.wrong(name, "a whole number", &value),
            },
        }
    }

    pub(super) fn count(&mut self, name: &str) -> Result<usize> {
        match self.take(name) {
            None => unsupported(format!("the filter `{}` needs the option `{name}`", self.filter)),
            Some(value) => match value.as_u64().and_then(|count| usize::try_from(count).ok()) {
                Some(count) => Ok(count),
                None => self.wrong(name, "a whole number of 0 or more", &value),
            },
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let value = match self.take(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(value) => value,
        };
        let texts: Option<Vec<String>> =
            value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        match texts {
            Some(texts) => Ok(texts),
            None => self.wrong(name, "a list of texts", &value),
        }
    }

    /// A mapping; its keys are texts, since those of other types come from YAML as they are.
    pub(super) fn mapping(&mut self, name: &str) -> Result<Vec<(Value, Value)>> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(map)) => Ok(map.into_iter().map(|(key, value)| (Value::String(key), value)).collect()),
            Some(other) => self.wrong(name, "a mapping", &other),
        }
    }

    /// An option that is left is one that the filter has not.
    pub(super) fn finish(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => unsupported(format!("the filter `{}` has no option `{name}`", self.filter)),
        }
    }

    fn wrong<T>(&self, name: &str, expected: &str, found: &Value) -> Result<T> {
        unsupported(format!(
            "expected {expected} for the option `{name}` of the filter `{}`, found `{found}`",
            self.filter
        ))
    }
}
