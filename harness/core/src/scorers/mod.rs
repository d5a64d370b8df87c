//! The built-in scorers.
//!
//! They use nothing but `examiner-api`, as any plugin would: what they can do, a third party's scorer can do too.

mod answer_extraction;
mod comparison;
pub mod extraction;
mod normalization;
mod perplexity_choice;
#[cfg(test)]
mod test_support;

pub use answer_extraction::{AnswerExtraction, AnswerExtractionOptions, Extract};
pub use comparison::{Compare, Comparison, canonical_decimal};
pub use normalization::Normalization;
pub use perplexity_choice::{LikelihoodNormalization, PerplexityChoice, PerplexityChoiceOptions};

use examiner_api::Plugin;

/// The built-in scorers as a plugin.
pub fn plugin() -> Plugin {
    Plugin::new("core", env!("CARGO_PKG_VERSION"))
        .scorer::<PerplexityChoice>(
            "perplexity-choice",
            "Multiple choice: the choice that the model finds most likely, or least perplexing in its context.",
        )
        .scorer::<AnswerExtraction>(
            "answer-extraction",
            "Free answers: a pipeline of steps finds the answer in the text; it is normalized and compared.",
        )
}
