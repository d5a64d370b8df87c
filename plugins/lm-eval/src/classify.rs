//! Whether a task can be examined, told from its settings alone.

use crate::TaskConfig;
use crate::task::runnable;
use examiner_api::CatalogState;

/// Whether a task runs, and why it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it runs.
    pub state: CatalogState,
    /// Why it is refused, a phrase that goes on from "it has"; empty where it runs.
    pub detail: String,
}

impl Verdict {
    /// That on what runs.
    pub(crate) const RUNS: Verdict = Verdict { state: CatalogState::Runs, detail: String::new() };
}

/// Judges a task as opening it would, without its data.
pub fn classify(task: &TaskConfig) -> Verdict {
    match runnable(task) {
        Ok(_) => Verdict::RUNS,
        Err(detail) => Verdict { state: CatalogState::Refused, detail },
    }
}
