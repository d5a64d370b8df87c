//! What is needed of a file of samples to compare it with another.

use super::Metric;
use examiner_api::random::key_of;
use examiner_api::{Gold, Outcome};
use examiner_store::record::ScorerVerdict;
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The samples of one model on one dataset.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// In the order of the dataset.
    pub(super) samples: Vec<Sample>,
    /// Where each sample stands in `samples`.
    pub(super) places: HashMap<Key, usize>,
}

/// Which question it is: its id, its repetition, and which of several with the same id, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) id: String,
    repeat: u32,
    occurrence: u32,
}

/// A question that was judged.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) key: Key,
    pub(super) subset: Option<String>,
    /// Samples of one cluster are not independent; repetitions of one question are a cluster.
    pub(super) cluster: u64,
    /// Stands for the choices and the right answer.
    pub(super) gold: u64,
    /// Stands for what the model saw.
    pub(super) context: u64,
    /// One value for each metric; why there is none where there is none.
    pub(super) values: Vec<Value>,
}

/// A sample's value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// No answer was obtained.
    Error,
    /// The metric has no values of samples, only one of the whole.
    Corpus,
}

/// The fields of a record that matter here; answers, which are most of a file, are not kept.
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

/// Reads a file of samples; one that is not there is empty.
pub(super) fn read(path: &Path, metrics: &[Metric]) -> Result<Judged, String> {
    let mut judged = Judged::default();
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
        let key = Key { id: line.id.clone(), repeat: line.repeat, occurrence: *occurrence };
        judged.places.insert(key.clone(), judged.samples.len());
        judged.samples.push(Sample {
            key,
            cluster: key_of(line.cluster.as_ref().unwrap_or(&line.id)),
            gold: key_of(&format!("{:?} {:?}", line.gold, line.choices)),
            context: key_of(&line.context),
            values: metrics.iter().map(|metric| value(&line.verdicts, metric)).collect(),
            subset: line.subset,
        });
    }
    Ok(judged)
}

fn value(verdicts: &[ScorerVerdict], metric: &Metric) -> Value {
    let Some(ScorerVerdict { verdict, .. }) = verdicts.iter().find(|verdict| verdict.scorer == metric.scorer) else {
        return Value::Error;
    };
    match (&verdict.outcome, verdict.metrics.get(&metric.name)) {
        (Outcome::Error(_), _) => Value::Error,
        (_, Some(value)) if value.is_finite() => Value::Number(*value),
        (_, Some(_)) => Value::Error,
        (_, None) if verdict.statistics.contains_key(&metric.name) => Value::Corpus,
        // What is not answered is wrong, as in the summary.
        (Outcome::Unanswered, None) => Value::Number(0.0),
        (Outcome::Scored, None) => Value::Error,
    }
}
