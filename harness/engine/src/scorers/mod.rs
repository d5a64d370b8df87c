//! The built-in scorers.
//!
//! They use only `examiner-api`, as any plugin does: a third party's scorer can do the same.

mod answer_extraction;
mod asking;
mod choice_metrics;
mod decimal;
pub mod extraction;
mod fingerprint;
mod match_rule;
mod metric_options;
mod metrics;
mod normalization;
mod perplexity;
mod perplexity_choice;
#[cfg(test)]
mod test_support;

pub use answer_extraction::{AnswerExtraction, AnswerExtractionOptions, Extract};
pub use choice_metrics::{ChoiceMetrics, ChoiceMetricsOptions};
pub use decimal::canonical_decimal;
pub use match_rule::{Compare, MatchRule};
pub use metrics::{Metrics, MetricsOptions};
pub use normalization::Normalization;
pub use perplexity::{Perplexity, PerplexityOptions, TextWindows};
pub use perplexity_choice::{LikelihoodNormalization, PerplexityChoice, PerplexityChoiceOptions};

use examiner_api::Plugin;

/// The built-in scorers as a plugin.
pub fn plugin() -> Plugin {
    Plugin::new("core", env!("CARGO_PKG_VERSION"))
        .scorer::<PerplexityChoice>(
            "perplexity-choice",
            "Multiple choice: the choice that the model finds most likely, or least perplexing in its context.",
        )
        .scorer::<Perplexity>("perplexity", "Texts: how perplexing they are for the model, by word, byte and token.")
        .scorer::<AnswerExtraction>(
            "answer-extraction",
            "Free answers: a pipeline of steps finds the answer in the text; it is normalized and compared.",
        )
        .scorer::<Metrics>("metrics", "Free answers: metrics of texts, such as `exact_match`, `bleu` and `rougeL`.")
        .scorer::<ChoiceMetrics>(
            "choice-metrics",
            "Multiple choice: the metrics of lm-evaluation-harness, such as `acc_norm`, `brier_score` and `f1`.",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// `examiner check` validates options with these schemas, before a scorer is opened.
    #[test]
    fn the_published_schemas_accept_good_options_and_refuse_bad_ones() {
        let roles = plugin().info().roles;
        let valid = |name: &str, options: &Value| {
            let role = roles.iter().find(|role| role.name == name).unwrap();
            jsonschema::validator_for(&role.options).unwrap().is_valid(options)
        };
        for options in [
            json!({}),
            json!({"extract": "default"}),
            json!({"extract": "gsm8k", "normalize": {"case": true}, "compare": "number", "tolerance": 0.1}),
            json!({"extract": {"after": "A: "}}),
            json!({"extract": [{"cut": ["Q:"]}, "gsm8k", {"any": [["boxed", "trim"], "last-number"]}]}),
            json!({"extract": [{"regex": {"pattern": "a(b)", "group": 1, "take": "last"}}]}),
            json!({"compare": "set", "separator": ";"}),
        ] {
            assert!(valid("answer-extraction", &options), "{options}");
            test_support::open::<AnswerExtraction>(options).unwrap();
        }
        for options in [
            json!({"extract": "gsm9"}),
            json!({"extract": [{"aftr": "A: "}]}),
            json!({"compare": "numbers"}),
            json!({"normalise": {}}),
        ] {
            assert!(!valid("answer-extraction", &options), "{options}");
            assert!(test_support::open::<AnswerExtraction>(options).is_err());
        }
        for options in [
            json!({}),
            json!({"normalize": "sum"}),
            json!({"normalize": ["sum", "chars"], "names": {"chars": "norm"}}),
            json!({"normalize": "mutual-information", "unconditional_context": "Answer:"}),
        ] {
            assert!(valid("perplexity-choice", &options), "{options}");
            test_support::open::<PerplexityChoice>(options).unwrap();
        }
        assert!(!valid("perplexity-choice", &json!({"normalize": ["sums"]})));
        for options in [json!({}), json!({"windows": "whole"}), json!({"windows": {"stride": 512}, "counted": "page"})]
        {
            assert!(valid("perplexity", &options), "{options}");
            test_support::open::<Perplexity>(options).unwrap();
        }
        for options in [json!({"windows": "strided"}), json!({"windows": {"stride": 0}}), json!({"stride": 5})] {
            assert!(!valid("perplexity", &options), "{options}");
            assert!(test_support::open::<Perplexity>(options).is_err());
        }
        let many = json!({"metrics": ["bleu", "rougeL", {"name": "exact_match", "as": "em", "ignore_case": true}], "extract": "gsm8k"});
        assert!(valid("metrics", &many));
        test_support::open::<Metrics>(many).unwrap();
        for options in
            [json!({}), json!({"metrics": []}), json!({"metrics": ["blue"]}), json!({"metrics": [{"as": "x"}]})]
        {
            assert!(!valid("metrics", &options), "{options}");
            assert!(test_support::open::<Metrics>(options).is_err());
        }
        let many =
            json!({"metrics": ["acc", "mcc", {"name": "f1", "average": "macro"}], "unconditional_context": "A:"});
        assert!(valid("choice-metrics", &many));
        test_support::open::<ChoiceMetrics>(many).unwrap();
        for options in [json!({"metrics": ["accuracy"]}), json!({"metrics": "acc"})] {
            assert!(!valid("choice-metrics", &options), "{options}");
            assert!(test_support::open::<ChoiceMetrics>(options).is_err());
        }
    }
}
