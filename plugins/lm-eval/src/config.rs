//! What the YAML of a task says, with everything that it includes.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A value as PyYAML reads it: by the rules of YAML 1.1, in which a plain `no` is false, and with `!function`.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// `null`.
    Null,
    /// `true`, `yes`, `on`, and their opposites.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Setting>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Setting)>),
    /// `!function utils.name`.
    Function(FunctionName),
}

/// A function of a Python file beside the YAML that names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FunctionName {
    /// The file.
    pub file: PathBuf,
    /// The function's name in it.
    pub name: String,
}

/// A task, with all that it includes, and with what the groups above it override.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskConfig {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub path: PathBuf,
    /// Its settings, without `include`, `tag` and `group`.
    pub settings: Vec<(String, Setting)>,
}

impl TaskConfig {
    /// A setting, none where it is absent or null.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        let setting = self.settings.iter().rev().find(|(key, _)| key == name).map(|(_, setting)| setting);
        setting.filter(|setting| **setting != Setting::Null)
    }
}
