//! What a plugin can examine by name.

use crate::{Result, Sink};
use serde::{Deserialize, Serialize};

/// Lists what suites can name, for `examiner tasks`.
pub trait Catalog: Send {
    /// Sends every entry whose name fits the pattern, each name once, in the order of the names. In a pattern `*` is any text,
    /// `?` one character, `[a-z]` one of some and `[!a]` one of all others; several patterns have commas between them; everything
    /// else stands for itself.
    ///
    /// Nothing is changed, and nothing is fetched but what the options name.
    fn entries(&self, pattern: &str, sink: &dyn Sink<CatalogEntry>) -> Result<()>;
}

/// Something that a suite can name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// Its name, as a suite says it.
    pub name: String,
    /// Whether it is one task, or stands for several.
    #[serde(default)]
    pub kind: CatalogKind,
    /// Whether it can be examined.
    #[serde(default)]
    pub state: CatalogState,
    /// What it needs, or why it is refused, in one sentence; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The names of what it stands for directly: of a group its tasks and groups, of a tag its tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Changes whenever a setting of it, or of anything below it, does; empty where there is no such thing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// What an entry of a catalog stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogKind {
    /// One task.
    #[default]
    Task,
    /// Tasks and groups that results show together.
    Group,
    /// A short name of several tasks.
    Tag,
}

/// Whether an entry of a catalog can be examined. What stands for several is as the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogState {
    /// It runs.
    #[default]
    Runs,
    /// It runs where Python does.
    RunsWithPython,
    /// It is refused.
    Refused,
}
