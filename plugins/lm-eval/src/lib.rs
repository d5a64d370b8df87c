//! The tasks of lm-evaluation-harness, read as they are.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod catalog;
pub mod classify;
mod config;
pub mod tree;
pub mod yaml;

pub use catalog::{CatalogOptions, TaskCatalog};
pub use config::{FunctionName, Setting, TaskConfig};

use examiner_api::Plugin;

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("lm-eval", env!("CARGO_PKG_VERSION"))
        .catalog::<TaskCatalog>("lm-eval", "Lists the tasks of lm-evaluation-harness, with what each needs.")
}
