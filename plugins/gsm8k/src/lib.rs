//! GSM8K: grade-school word problems with worked answers that end in `#### 18`.
//!
//! As a *dataset* it asks the questions. The canonical prompt is the one of lm-evaluation-harness: `Question: ...`, `Answer:`,
//! and a worked answer as it stands in the data for each few-shot example. How many examples stand before a question is the
//! suite's to say; the plugin supplies the training rows they are taken from. The data has no options to choose from; where
//! they are wanted, they are made of the right answer (`choices`).
//!
//! As a *recipe* it has a teacher answer the training split, and keeps what an examination would count as right.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod choices;
mod dataset;
mod problem;
mod prompt;
mod recipe;

use examiner_api::Plugin;

pub use dataset::{Form, Gsm8k, Options, Split};
pub use prompt::Prompt;
pub use recipe::{Gsm8kRecipe, Options as RecipeOptions};

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("gsm8k", env!("CARGO_PKG_VERSION"))
        .dataset::<Gsm8k>("gsm8k", "GSM8K, grade-school word problems that are answered with a number.")
        .recipe::<Gsm8kRecipe>("gsm8k", "A teacher's answers to GSM8K's training split, kept where they are right.")
}
