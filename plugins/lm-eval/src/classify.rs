//! Whether a task can be examined, told from its settings alone.

use crate::TaskConfig;
use crate::task::{runnable, runnable_with_python};
use examiner_api::CatalogState;

/// Whether a task runs, and why it does not by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it runs.
    pub state: CatalogState,
    /// Why it is refused, or runs with Python alone: a phrase that goes on from "it has"; empty where it runs.
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
        Err(detail) => match runnable_with_python(task) {
            Ok(()) => Verdict { state: CatalogState::RunsWithPython, detail },
            Err(detail) => Verdict { state: CatalogState::Refused, detail },
        },
    }
}
