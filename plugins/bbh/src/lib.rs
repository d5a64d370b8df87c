//! BIG-Bench-Hard: 27 tasks that language models found hard, with worked examples for each.
//!
//! Two roles share one reading of the benchmark's files. As a *dataset* it asks the questions, each with its task's own
//! official examples before it where they are wanted. As a *recipe* it has a teacher answer them, keeps what is right,
//! and writes it down for a student to learn from. Both have answers judged by the same scorer with the same options,
//! so that what passes the filter is what would pass an examination.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod benchmark;
mod dataset;
mod judging;
mod official;
mod question;
mod recipe;
mod source;
mod tasks;
mod wording;

use examiner_api::Plugin;

pub use dataset::{Bbh, Options};
pub use recipe::{BbhRecipe, Options as RecipeOptions};
pub use tasks::{TASKS, TaskName, Tasks};
pub use wording::Form;

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("bbh", env!("CARGO_PKG_VERSION"))
        .dataset::<Bbh>("bbh", "BIG-Bench-Hard: 27 tasks of reasoning, with options or a free answer.")
        .recipe::<BbhRecipe>("bbh", "A teacher's answers to BIG-Bench-Hard, kept where they are right.")
}
