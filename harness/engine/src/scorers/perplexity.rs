//! The perplexity of texts.

use super::asking;
use super::fingerprint::Fingerprint;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, ErrorCode, Host, MetricInfo, Open, PluginError, Question, Result, Scorer,
    ScorerInfo, Span, Verdict, schemars,
};
use examiner_metrics::aggregate::word_count;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

const NAME: &str = "perplexity";
/// The version of the rules. It changes when the same likelihoods could be judged differently.
const RULES: u32 = 1;

/// How a text that is longer than a model's context is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TextWindows {
    /// In windows that follow each other, every token scored: `loglikelihood_rolling` of lm-evaluation-harness.
    #[default]
    Rolling,
    /// In windows that begin so many tokens after one another, every token after the first scored: Transformers' guide to
    /// perplexity. At least 1, and less than the model's context.
    Stride(#[schemars(range(min = 1))] u32),
    /// In one piece, every token after the first scored. What is longer than the context is cut off at its beginning.
    Whole,
}

/// The options of `perplexity`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerplexityOptions {
    /// How a text that is longer than a model's context is read: `rolling`, `{ stride: N }` or `whole`.
    windows: TextWindows,
    /// The column with the text whose words and bytes are counted, where it is not the one that the model reads, but what that was made
    /// from.
    counted: Option<String>,
}

/// A metric: what the log-likelihood is divided by, and what is made of the quotient.
#[derive(Clone, Copy, PartialEq)]
enum Metric {
    Word,
    Byte,
    BitsPerByte,
    Token,
}

const METRICS: [Metric; 4] = [Metric::Word, Metric::Byte, Metric::BitsPerByte, Metric::Token];

impl Metric {
    /// The names of lm-evaluation-harness where it has one.
    fn name(self) -> &'static str {
        match self {
            Metric::Word => "word_perplexity",
            Metric::Byte => "byte_perplexity",
            Metric::BitsPerByte => "bits_per_byte",
            Metric::Token => "token_perplexity",
        }
    }

    /// The metric from negative log-likelihood in nats for each unit.
    fn of(self, nats: f64) -> f64 {
        match self {
            Metric::BitsPerByte => nats / std::f64::consts::LN_2,
            Metric::Word | Metric::Byte | Metric::Token => nats.exp(),
        }
    }
}

/// Asks for the log-likelihood of each text as it is, and relates the sum over all texts to their words, bytes and tokens.
pub struct Perplexity {
    span: Span,
    counted: Option<String>,
    fingerprint: String,
}

impl Open for Perplexity {
    type Options = PerplexityOptions;

    fn open(options: Self::Options, _host: Host) -> Result<Self> {
        let fingerprint = Fingerprint { scorer: NAME, rules: RULES, options: &options }.text()?;
        let span = match options.windows {
            TextWindows::Rolling => Span::Rolling,
            TextWindows::Whole => Span::All,
            TextWindows::Stride(0) => {
                return Err(PluginError::bad_options("expected a `stride` of at least 1, found 0")
                    .with_help("half of the model's context is usual"));
            }
            TextWindows::Stride(stride) => Span::Strided(stride),
        };
        Ok(Perplexity { span, counted: options.counted, fingerprint })
    }
}

impl Perplexity {
    /// The text whose words and bytes are counted.
    fn counted<'a>(&self, question: &'a Question) -> Result<&'a str> {
        let Some(column) = &self.counted else { return Ok(&question.sample.prompt) };
        let found = question.sample.document.get(column);
        found.and_then(Value::as_str).ok_or_else(|| {
            let what = if found.is_some() { "a value that is no text" } else { "no such column" };
            let message = format!(
                "expected a text in the column `{column}` of sample `{}`, as `counted` says, found {what}",
                question.sample.id
            );
            PluginError::bad_input(message).with_help("name a column with text, or leave out `counted`")
        })
    }

    fn verdict(&self, item: &Answered) -> Result<Verdict> {
        let [Answer::Score(score)] = item.answers.as_slice() else {
            let message = format!("expected one log-likelihood for sample `{}`", item.question.sample.id);
            return Err(PluginError::new(ErrorCode::Protocol, message));
        };
        let text = self.counted(&item.question)?;
        let (words, bytes, tokens) = (word_count(text) as f64, text.len() as f64, f64::from(score.scored_tokens));
        let mut verdict = Verdict::default();
        for metric in METRICS {
            let units = match metric {
                Metric::Word => words,
                Metric::Byte | Metric::BitsPerByte => bytes,
                Metric::Token => tokens,
            };
            verdict.statistics.insert(metric.name().to_owned(), vec![score.sum, units]);
        }
        verdict.details.insert("words".to_owned(), json!(words as u64));
        verdict.details.insert("bytes".to_owned(), json!(text.len()));
        Ok(verdict)
    }
}

impl Scorer for Perplexity {
    fn info(&self) -> Result<ScorerInfo> {
        let metrics = METRICS.map(|metric| MetricInfo {
            name: metric.name().to_owned(),
            aggregation: Aggregation::Corpus,
            ..MetricInfo::default()
        });
        Ok(ScorerInfo {
            metrics: metrics.into(),
            fingerprint: self.fingerprint.clone(),
            asks_score: true,
            asks_generate: false,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let ask = |question: &Question| {
            let Question { sample, context, .. } = question;
            if *context != sample.prompt {
                let message = "`perplexity` scores texts as they are: expected neither `shots` nor `preamble`";
                return Err(PluginError::bad_options(message).with_help("leave both out of the dataset"));
            }
            Ok(vec![Ask::Score {
                context: String::new(),
                turns: Arc::default(),
                continuation: sample.prompt.clone(),
                span: self.span,
            }])
        };
        questions.iter().map(ask).collect()
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(asking::verdicts(items, |item| self.verdict(item)))
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let Some(metric) = METRICS.into_iter().find(|known| known.name() == metric) else {
            return Err(PluginError::unsupported(format!("this scorer has no corpus metric `{metric}`")));
        };
        let sum = |index: usize| statistics.iter().filter_map(|of| of.get(index)).sum::<f64>();
        let value = metric.of(-sum(0) / sum(1));
        if value.is_finite() {
            return Ok(value);
        }
        let message = format!(
            "expected a finite `{}`, found {value}, from a log-likelihood of {} nats and a count of {}",
            metric.name(),
            sum(0),
            sum(1)
        );
        Err(PluginError::new(ErrorCode::Numeric, message))
    }
}

#[cfg(test)]
#[path = "perplexity_tests.rs"]
mod tests;
