//! Samples of a run beside those that lm-evaluation-harness logged of the same task: where each that differs first does so.

mod divergence;
mod logged;
mod text;

pub use divergence::Divergence;

use crate::samples::{files, lines};
use divergence::{Counts, first};
use examiner_api::{PluginError, Result};
use examiner_store::record::Record;
use logged::Logged;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Which samples are compared, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The answers of this model; none where the run has one model.
    pub model: Option<String>,
    /// The samples of this dataset; none for those of the task that the log is of.
    pub dataset: Option<String>,
    /// Log-likelihoods that differ by at most so many nats are equal.
    pub tolerance: f64,
}

/// The samples of one log beside those of a run.
#[derive(Debug)]
pub struct Explanation {
    /// The task, as the log's file names it.
    pub task: String,
    /// Where the samples of the run are from: model and dataset.
    pub samples: (String, String),
    /// Samples that differ, in the order of the log.
    pub differing: Vec<Differing>,
    counts: Counts,
    tolerance: f64,
    /// Documents of the log that the run does not have, and the other way round.
    missing: (usize, usize),
}

/// A sample that differs.
#[derive(Debug)]
pub struct Differing {
    /// The sample's id.
    pub id: String,
    /// The filter of the log's line.
    pub filter: String,
    /// Where it first differs.
    pub divergence: Divergence,
}

/// Compares the samples of a run with a log.
///
/// # Errors
/// `NotFound` where the run has no samples of the task, `BadInput` where it is not said which of several are meant, or the log is none.
pub fn against(run: &Path, log: &Path, request: &Request) -> Result<Explanation> {
    let logged = logged::read(log)?;
    let task = logged::task(log).unwrap_or_else(|| log.display().to_string());
    let (model, dataset, path) = chosen(run, &task, request)?;
    let mut records = HashMap::new();
    let mut of_task = Vec::new();
    for line in lines(&path, &[])? {
        let (_, record) = line?;
        // Of several repetitions the first one is compared: those of a log are drawn by other random numbers.
        if record.repeat == 0 {
            of_task.push(record);
        }
    }
    let is_subset = of_task.iter().any(|record| record.subset.as_deref() == Some(task.as_str()));
    of_task.retain(|record| !is_subset || record.subset.as_deref() == Some(task.as_str()));
    for (place, record) in of_task.iter().enumerate() {
        records.insert(document(record).unwrap_or(place as u64), record);
    }
    let mut explanation = Explanation {
        task,
        samples: (model, dataset),
        differing: Vec::new(),
        counts: Counts::default(),
        tolerance: request.tolerance,
        missing: (0, 0),
    };
    let mut seen = std::collections::HashSet::new();
    for line in &logged {
        let is_first = seen.insert(line.document);
        match records.get(&line.document) {
            Some(record) => explanation.compare(record, line, is_first),
            None => explanation.missing.0 += usize::from(is_first),
        }
    }
    explanation.missing.1 = records.keys().filter(|document| !seen.contains(document)).count();
    Ok(explanation)
}

impl Explanation {
    fn compare(&mut self, record: &Record, logged: &Logged, is_first: bool) {
        let divergence = first(record, logged, self.tolerance, is_first, &mut self.counts);
        if let Some(divergence) = divergence {
            self.differing.push(Differing { id: record.id.clone(), filter: logged.filter.clone(), divergence });
        }
    }

    /// Whether nothing differs, and every document is on both sides.
    pub fn is_equal(&self) -> bool {
        self.differing.is_empty() && self.missing == (0, 0)
    }

    /// The counts as sentences.
    pub fn summary(&self) -> String {
        let Counts { samples, prompts, scores, far_scores, largest, answers, extractions, judgements, .. } =
            self.counts;
        let (model, dataset) = &self.samples;
        let mut parts = vec![format!("{prompts} of {samples} prompts equal")];
        if scores > 0 {
            parts.push(format!(
                "{far_scores} of {scores} log-likelihoods differ by more than {} nats, the largest difference is {largest:.1e}",
                self.tolerance
            ));
        }
        if self.counts.generated > 0 {
            parts.push(format!("{answers} of {} answers differ", self.counts.generated));
            parts.push(format!("{extractions} extractions"));
        }
        parts.push(format!("{judgements} judgements"));
        let mut text = format!("`{}` by `{model}` on `{dataset}`: {}", self.task, parts.join(", "));
        match self.missing {
            (0, 0) => {}
            (theirs, ours) => text.push_str(&format!(
                "; {theirs} documents of the log are not in the run, {ours} of the run not in the log"
            )),
        }
        text
    }
}

/// The file of the samples that a log is held against.
fn chosen(run: &Path, task: &str, request: &Request) -> Result<(String, String, PathBuf)> {
    let all = files(run)?;
    let of_model = |file: &&(String, String, PathBuf)| request.model.as_ref().is_none_or(|model| file.0 == *model);
    let wanted = request.dataset.as_deref();
    let mut fitting: Vec<_> =
        all.iter().filter(of_model).filter(|file| wanted.is_none_or(|dataset| file.1 == dataset)).collect();
    if wanted.is_none() && fitting.len() > 1 {
        let named: Vec<_> = fitting.iter().copied().filter(|file| file.1 == task).collect();
        let holds = |path: &Path| -> Result<bool> {
            let mut records = lines(path, &[])?;
            Ok(records.any(|line| line.is_ok_and(|(_, record)| record.subset.as_deref() == Some(task))))
        };
        fitting = match named.is_empty() {
            false => named,
            true => {
                let mut holding = Vec::new();
                for file in fitting {
                    if holds(&file.2)? {
                        holding.push(file);
                    }
                }
                holding
            }
        };
    }
    let there = || -> String {
        let names: Vec<String> = all.iter().map(|(model, dataset, _)| format!("`{model}` on `{dataset}`")).collect();
        format!("`--model` and `--dataset` say which samples are meant; there are {}", names.join(", "))
    };
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(PluginError::not_found(format!("`{}` has no samples of `{task}`", run.display())).with_help(there())),
        several => Err(PluginError::bad_input(format!(
            "expected one file of samples of `{task}`, found {} in `{}`",
            several.len(),
            run.display()
        ))
        .with_help(there())),
    }
}

/// The document's index, with which ids of samples end: `12`, `mmlu_anatomy/12`.
fn document(record: &Record) -> Option<u64> {
    record.id.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
