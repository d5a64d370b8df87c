//! The tasks of lm-evaluation-harness, read as they are.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod catalog;
pub mod classify;
mod config;
mod functions;
mod jinja;
mod python_tasks;
mod scorer;
mod spec;
mod task;
pub mod tree;
pub mod yaml;

pub use catalog::{CatalogOptions, TaskCatalog};
pub use config::{FunctionName, Setting, TaskConfig};
pub use python_tasks::UsePython;
pub use scorer::{LmEvalScorer, ScorerOptions};
pub use spec::{AggregationSpec, FilterKind, FilterSpec, FilterStep, MetricSpec, OutputType, PythonSpec, TaskSpec};
pub use task::{Locate, Options, Refused, RowsOf, Task, TaskNames, Tasks, runnable, runnable_with_python};

use examiner_api::Plugin;

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("lm-eval", env!("CARGO_PKG_VERSION"))
        .catalog::<TaskCatalog>("lm-eval", "Lists the tasks of lm-evaluation-harness, with what each needs.")
        .dataset::<Tasks>("lm-eval", "Tasks of lm-evaluation-harness, with the prompts that it makes of them.")
        .scorer::<LmEvalScorer>("lm-eval", "Judges the answers to the dataset `lm-eval` as lm-evaluation-harness does.")
}
