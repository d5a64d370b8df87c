//! The content of a file of samples that a comparison needs.

use super::Metric;
use examiner_api::random::key_of;
use examiner_api::{Gold, Outcome};
use examiner_store::record::ScorerVerdict;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The samples of one model on one dataset.
#[derive(Debug, Default)]
pub(super) struct JudgedSamples {
    /// In the order of the dataset.
    pub(super) samples: Vec<JudgedSample>,
    /// The index of each sample in `samples`.
    pub(super) indices: HashMap<SampleKey, usize>,
}

/// Identifies a question: its id, its repetition, and its number among those with the same id and repetition, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SampleKey {
    pub(super) id: String,
    repeat: u32,
    occurrence: u32,
}

/// A question that was judged.
#[derive(Debug)]
pub(super) struct JudgedSample {
    pub(super) key: SampleKey,
    pub(super) subset: Option<String>,
    /// Hash of the cluster's name. Samples of one cluster are not independent; repetitions of one question are a cluster.
    pub(super) cluster: u64,
    /// Hash of the choices and the right answer.
    pub(super) task: u64,
    /// Hash of the model's input.
    pub(super) context: u64,
    /// One value for each metric.
    pub(super) values: Vec<SampleValue>,
}

/// A sample's value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SampleValue {
    Number(f64),
    /// There is no answer.
    Error,
    /// The metric has no value for a sample, only one for the whole dataset.
    Corpus,
}

/// The fields of a record that are needed. The answers, which are most of a file, are skipped.
#[derive(Deserialize)]
struct Line {
    id: String,
    repeat: u32,
    #[serde(default)]
    subset: Option<String>,
    #[serde(default)]
    cluster: Option<String>,
    context: String,
    #[serde(default)]
    choices: Vec<String>,
    gold: Gold,
    verdicts: Vec<ScorerVerdict>,
}

/// What both models must have been asked for the same question.
#[derive(Serialize)]
struct Task<'a> {
    gold: &'a Gold,
    choices: &'a [String],
}

impl Task<'_> {
    fn key(&self) -> serde_json::Result<u64> {
        Ok(key_of(&serde_json::to_string(self)?))
    }
}

/// Reads a file of samples. A file that does not exist has none.
pub(super) fn read(path: &Path, metrics: &[Metric]) -> Result<JudgedSamples, String> {
    let mut judged = JudgedSamples::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(judged),
        Err(error) => return Err(error.to_string()),
    };
    let mut seen: HashMap<(String, u32), u32> = HashMap::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        let line: Line = serde_json::from_str(&line).map_err(|error| format!("line {}: {error}", number + 1))?;
        let occurrence = seen.entry((line.id.clone(), line.repeat)).and_modify(|count| *count += 1).or_insert(0);
        let key = SampleKey { id: line.id.clone(), repeat: line.repeat, occurrence: *occurrence };
        judged.indices.insert(key.clone(), judged.samples.len());
        judged.samples.push(JudgedSample {
            key,
            cluster: key_of(line.cluster.as_ref().unwrap_or(&line.id)),
            task: Task { gold: &line.gold, choices: &line.choices }.key().map_err(|error| error.to_string())?,
            context: key_of(&line.context),
            values: metrics.iter().map(|metric| value(&line.verdicts, metric)).collect(),
            subset: line.subset,
        });
    }
    Ok(judged)
}

fn value(verdicts: &[ScorerVerdict], metric: &Metric) -> SampleValue {
    let Some(ScorerVerdict { verdict, .. }) = verdicts.iter().find(|verdict| verdict.scorer == metric.scorer) else {
        return SampleValue::Error;
    };
    match (&verdict.outcome, verdict.metrics.get(&metric.name)) {
        (Outcome::Error(_), _) => SampleValue::Error,
        (_, Some(value)) if value.is_finite() => SampleValue::Number(*value),
        (_, Some(_)) => SampleValue::Error,
        (_, None) if verdict.statistics.contains_key(&metric.name) => SampleValue::Corpus,
        // An unanswered sample is wrong, as in the summary.
        (Outcome::Unanswered, None) => SampleValue::Number(0.0),
        (Outcome::Scored, None) => SampleValue::Error,
    }
}
