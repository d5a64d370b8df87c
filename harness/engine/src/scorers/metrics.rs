//! Free answers: the metrics of texts beside the right ones.

use super::answer_extraction::gold_texts;
use super::asking;
use super::extraction::Pipeline;
use super::fingerprint::Fingerprint;
use super::metric_options::{MetricOptions, distinct};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{
    Aggregation, Answer, Answered, Ask, ErrorCode, Host, MetricInfo, Open, Outcome, PluginError, Question, Result,
    Scorer, ScorerInfo, Verdict,
};
use examiner_metrics::MetricError;
use examiner_metrics::text::{TEXT_METRICS, TextMetric};
use serde::{Deserialize, Serialize};

const NAME: &str = "metrics";
/// The version of the rules. It changes when the same text could be judged differently.
const RULES: u32 = 1;

/// The options of `metrics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsOptions {
    /// The metrics, each by its name, or with its options: `[bleu, rougeL, { name: exact_match, ignore_case: true }]`.
    /// `as` is another name to report it under.
    #[schemars(schema_with = "metrics_schema")]
    metrics: Vec<MetricOptions>,
    /// How the answer is found in the text: the name of a preset, one step, or a list of both. The whole text without it.
    #[serde(default)]
    extract: Option<Pipeline>,
}

fn metrics_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut names = TEXT_METRICS.to_vec();
    names.extend(["rouge3", "rouge4", "rouge5", "rouge6", "rouge7", "rouge8", "rouge9"]);
    MetricOptions::list_schema(&names)
}

/// Asks for an answer, and measures it beside the right ones.
pub struct Metrics {
    metrics: Vec<(String, TextMetric)>,
    extract: Option<Pipeline>,
    fingerprint: String,
}

impl Open for Metrics {
    type Options = MetricsOptions;

    fn open(options: Self::Options, _host: Host) -> Result<Self> {
        let fingerprint = Fingerprint { scorer: NAME, rules: RULES, options: &options }.text()?;
        distinct(NAME, &options.metrics)?;
        let metric = |metric: &MetricOptions| {
            let found = TextMetric::new(&metric.name, &metric.options);
            let found = found.map_err(|error| PluginError::bad_options(error.to_string()))?;
            Ok((metric.reported().to_owned(), found))
        };
        let metrics = options.metrics.iter().map(metric).collect::<Result<_>>()?;
        Ok(Metrics { metrics, extract: options.extract, fingerprint })
    }
}

impl Metrics {
    fn verdict(&self, item: &Answered) -> Result<Verdict> {
        let sample = &item.question.sample;
        let [Answer::Generate(answer)] = item.answers.as_slice() else {
            let message = format!("expected one generated answer for sample `{}`", sample.id);
            return Err(PluginError::new(ErrorCode::Protocol, message));
        };
        let references = gold_texts(sample)?;
        let found = match &self.extract {
            Some(pipeline) => pipeline.find(&answer.text)?,
            None => Some(answer.text.clone()),
        };
        let mut verdict = Verdict::default();
        if found.is_none() {
            verdict.outcome = Outcome::Unanswered;
        }
        let prediction = found.as_deref().unwrap_or("");
        let failed = |error: MetricError| PluginError::new(ErrorCode::Other, error.to_string());
        for (name, metric) in &self.metrics {
            match metric {
                TextMetric::Mean(metric) => {
                    let value = metric.value(prediction, &references).map_err(failed)?;
                    // An answer that was not found is never a right one, though an empty text could be.
                    verdict.metrics.insert(name.clone(), if found.is_some() { value } else { 0.0 });
                }
                TextMetric::Corpus(metric) => {
                    let statistics = metric.statistics(prediction, &references).map_err(failed)?;
                    verdict.statistics.insert(name.clone(), statistics);
                }
            }
        }
        verdict.extracted = found;
        Ok(verdict)
    }
}

impl Scorer for Metrics {
    fn info(&self) -> Result<ScorerInfo> {
        let info = |(name, metric): &(String, TextMetric)| MetricInfo {
            name: name.clone(),
            aggregation: match metric {
                TextMetric::Mean(_) => Aggregation::Mean,
                TextMetric::Corpus(_) => Aggregation::Corpus,
            },
            higher_is_better: metric.higher_is_better(),
            bounds: matches!(metric, TextMetric::Mean(_)).then_some((0.0, 1.0)),
            partial: false,
        };
        Ok(ScorerInfo {
            metrics: self.metrics.iter().map(info).collect(),
            fingerprint: self.fingerprint.clone(),
            asks_score: false,
            asks_generate: true,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        Ok(asking::free_answers(questions))
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(asking::verdicts(items, |item| self.verdict(item)))
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        match self.metrics.iter().find(|(name, _)| name == metric) {
            Some((_, TextMetric::Corpus(metric))) => Ok(metric.corpus(statistics)),
            _ => Err(PluginError::unsupported(format!("`{NAME}` has no metric `{metric}` of a whole corpus"))),
        }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
