//! Multiple choice: the metrics of lm-evaluation-harness, by the log-likelihoods of choices.

use super::asking;
use super::fingerprint::Fingerprint;
use super::metric_options::{MetricOptions, distinct};
use super::perplexity_choice::right_choices;
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{
    Aggregation, Answered, Ask, ErrorCode, Host, MetricInfo, Open, PluginError, Question, Result, Sample, Scorer,
    ScorerInfo, Span, Verdict,
};
use examiner_metrics::MetricError;
use examiner_metrics::choice::{Length, brier, chosen, chosen_by_mutual_information, softmax};
use examiner_metrics::classification::{Average, matthews_correlation, precision_recall};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const NAME: &str = "choice-metrics";
/// The version of the rules. It changes when the same likelihoods could be judged differently.
const RULES: u32 = 1;

/// The names of the metrics.
const METRICS: [&str; 8] =
    ["acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score", "f1", "mcc"];

/// The options of `choice-metrics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceMetricsOptions {
    /// The metrics, each by its name, or with its options: `[acc, acc_norm, { name: f1, average: macro }]`. `as` is another name
    /// to report it under.
    #[schemars(schema_with = "metrics_schema")]
    metrics: Vec<MetricOptions>,
    /// The context that replaces the question for `acc_mutual_info`.
    #[serde(default)]
    unconditional_context: String,
}

fn metrics_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    MetricOptions::list_schema(&METRICS)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Accuracy(Length),
    MutualInformation,
    Greedy,
    Brier,
    F1(Classes),
    Matthews,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Classes {
    Binary,
    Micro,
    Macro,
    Weighted,
}

impl Metric {
    fn read(written: &MetricOptions) -> Result<Metric> {
        let mut options = written.options.clone();
        let metric = match written.name.as_str() {
            "acc" => Metric::Accuracy(Length::One),
            "acc_norm" => Metric::Accuracy(Length::Characters),
            "acc_bytes" => Metric::Accuracy(Length::Bytes),
            "acc_mutual_info" => Metric::MutualInformation,
            "exact_match" => Metric::Greedy,
            "brier_score" => Metric::Brier,
            "f1" => Metric::F1(average(&mut options)?),
            "mcc" => Metric::Matthews,
            other => {
                let message = format!("expected one of the metrics {METRICS:?}, found `{other}`");
                return Err(PluginError::bad_options(message));
            }
        };
        match options.keys().next() {
            None => Ok(metric),
            Some(option) => {
                Err(PluginError::bad_options(format!("the metric `{}` has no option `{option}`", written.name)))
            }
        }
    }

    fn of_corpus(self) -> bool {
        matches!(self, Metric::F1(_) | Metric::Matthews)
    }
}

fn average(options: &mut Map<String, Value>) -> Result<Classes> {
    match options.shift_remove("average") {
        None => Ok(Classes::Binary),
        Some(Value::String(name)) if name == "binary" => Ok(Classes::Binary),
        Some(Value::String(name)) if name == "micro" => Ok(Classes::Micro),
        Some(Value::String(name)) if name == "macro" => Ok(Classes::Macro),
        Some(Value::String(name)) if name == "weighted" => Ok(Classes::Weighted),
        Some(other) => Err(PluginError::bad_options(format!(
            "expected one of `binary`, `micro`, `macro`, `weighted` as `average` of the metric `f1`, found {other}"
        ))),
    }
}

/// Asks for the likelihood of every choice, and measures which one the model takes.
pub struct ChoiceMetrics {
    metrics: Vec<(String, Metric)>,
    unconditional_context: String,
    fingerprint: String,
}

impl Open for ChoiceMetrics {
    type Options = ChoiceMetricsOptions;

    fn open(options: Self::Options, _host: Host) -> Result<Self> {
        let fingerprint = Fingerprint { scorer: NAME, rules: RULES, options: &options }.text()?;
        distinct(NAME, &options.metrics)?;
        let metric = |written: &MetricOptions| Ok((written.reported().to_owned(), Metric::read(written)?));
        let metrics = options.metrics.iter().map(metric).collect::<Result<_>>()?;
        Ok(ChoiceMetrics { metrics, unconditional_context: options.unconditional_context, fingerprint })
    }
}

impl ChoiceMetrics {
    fn asks_alone(&self) -> bool {
        self.metrics.iter().any(|(_, metric)| *metric == Metric::MutualInformation)
    }

    fn verdict(&self, item: &Answered) -> Result<Verdict> {
        let sample = &item.question.sample;
        let right = right_choices(sample)?;
        let count = sample.choices.len();
        let results = asking::scores(item, unexpected)?;
        if results.len() != count * (1 + usize::from(self.asks_alone())) {
            return Err(unexpected(sample, &format!("{} answers for {count} choices", results.len())));
        }
        let sums: Vec<f64> = results.iter().map(|result| result.sum).collect();
        if let Some(sum) = sums.iter().find(|sum| !sum.is_finite()) {
            let message = format!("expected finite log-likelihoods for sample `{}`, found {sum}", sample.id);
            return Err(PluginError::new(ErrorCode::Numeric, message));
        }
        let (given, alone) = sums.split_at(count);
        let failed = |error: MetricError| PluginError::bad_input(format!("sample `{}`: {error}", sample.id));
        let taken = chosen(given, &sample.choices, Length::One).map_err(failed)?;
        let is_right = |place: usize| f64::from(u8::from(right.contains(&place)));
        let mut verdict = Verdict { extracted: Some(sample.choices[taken].clone()), ..Verdict::default() };
        for (name, metric) in &self.metrics {
            let value = match *metric {
                Metric::Accuracy(Length::One) => is_right(taken),
                Metric::Accuracy(length) => is_right(chosen(given, &sample.choices, length).map_err(failed)?),
                Metric::MutualInformation => is_right(chosen_by_mutual_information(given, alone).map_err(failed)?),
                Metric::Greedy => f64::from(u8::from(right.iter().any(|place| results[*place].is_greedy))),
                Metric::Brier => brier(&softmax(given), only(sample, &right, name)?).map_err(failed)?,
                Metric::F1(_) | Metric::Matthews => {
                    let pair = vec![only(sample, &right, name)? as f64, taken as f64];
                    verdict.statistics.insert(name.clone(), pair);
                    continue;
                }
            };
            verdict.metrics.insert(name.clone(), value);
        }
        verdict.details.insert("chosen".to_owned(), json!(taken));
        verdict.details.insert("loglikelihood_nats".to_owned(), json!(given));
        Ok(verdict)
    }
}

/// The right choice, where a metric knows one alone.
fn only(sample: &Sample, right: &[usize], metric: &str) -> Result<usize> {
    match right {
        [place] => Ok(*place),
        _ => Err(PluginError::bad_input(format!(
            "expected one right choice for the metric `{metric}` of sample `{}`, found {}",
            sample.id,
            right.len()
        ))),
    }
}

fn unexpected(sample: &Sample, found: &str) -> PluginError {
    let message = format!("expected log-likelihoods for sample `{}`, found {found}", sample.id);
    PluginError::new(ErrorCode::Protocol, message)
}

impl Scorer for ChoiceMetrics {
    fn info(&self) -> Result<ScorerInfo> {
        let info = |(name, metric): &(String, Metric)| MetricInfo {
            name: name.clone(),
            aggregation: if metric.of_corpus() { Aggregation::Corpus } else { Aggregation::Mean },
            higher_is_better: *metric != Metric::Brier,
            bounds: match metric {
                Metric::Brier => Some((0.0, 2.0)),
                _ if metric.of_corpus() => None,
                _ => Some((0.0, 1.0)),
            },
            partial: false,
        };
        Ok(ScorerInfo {
            metrics: self.metrics.iter().map(info).collect(),
            fingerprint: self.fingerprint.clone(),
            asks_score: true,
            asks_generate: false,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let of = |question: &Question| {
            let ask = |(context, turns): (&str, &Arc<Vec<_>>), choice: &String| Ask::Score {
                context: context.to_owned(),
                turns: turns.clone(),
                continuation: format!("{}{choice}", question.sample.delimiter),
                span: Span::Continuation,
            };
            let choices = &question.sample.choices;
            let mut asks: Vec<Ask> =
                choices.iter().map(|choice| ask((&question.context, &question.turns), choice)).collect();
            if self.asks_alone() {
                let context = (self.unconditional_context.as_str(), &Arc::default());
                asks.extend(choices.iter().map(|choice| ask(context, choice)));
            }
            asks
        };
        Ok(questions.iter().map(of).collect())
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(asking::verdicts(items, |item| self.verdict(item)))
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let place = |number: &f64| *number as u64;
        let pairs: Vec<(u64, u64)> = statistics
            .iter()
            .filter_map(|pair| match pair.as_slice() {
                [right, taken] => Some((place(right), place(taken))),
                _ => None,
            })
            .collect();
        let found = match self.metrics.iter().find(|(name, _)| name == metric) {
            Some((_, Metric::Matthews)) => matthews_correlation(&pairs),
            Some((_, Metric::F1(classes))) => {
                let average = match classes {
                    Classes::Binary => Average::Binary { positive: &1 },
                    Classes::Micro => Average::Micro,
                    Classes::Macro => Average::Macro,
                    Classes::Weighted => Average::Weighted,
                };
                precision_recall(&pairs, average, 0.0).map(|found| found.f1)
            }
            _ => {
                return Err(PluginError::unsupported(format!("`{NAME}` has no metric `{metric}` of a whole corpus")));
            }
        };
        found.map_err(|error| PluginError::bad_input(format!("the metric `{metric}`: {error}")))
    }
}

#[cfg(test)]
#[path = "choice_metrics_tests.rs"]
mod tests;
