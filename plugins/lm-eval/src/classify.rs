//! Whether a task can be examined, told from its settings alone.

use crate::TaskConfig;
use examiner_api::CatalogState;

/// Whether a task runs, and what it needs or why it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it runs.
    pub state: CatalogState,
    /// What it needs, or why it is refused; empty where it runs.
    pub detail: String,
}

/// Judges a task by its settings, without its data.
pub fn classify(task: &TaskConfig) -> Verdict {
    let _ = task;
    Verdict { state: CatalogState::Runs, detail: String::new() }
}
