//! What of an earlier try still holds, and how much there is left to do.

use super::EvaluateError;
use super::prepare::Prepared;
use super::reader::{self, Read};
use examiner_api::{Flow, Outcome};
use examiner_store::journal::Reader;
use examiner_store::provenance::Inputs;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How much there is to do for a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// Questions, repetitions included.
    pub questions: u64,
    /// Requests still to be made.
    pub requests: u64,
    /// Questions whose record stands in the journal already.
    pub reused: u64,
}

/// Reads the dataset without asking anything.
pub fn survey(mut prepared: Prepared, journal: Option<&Path>) -> Result<Survey, EvaluateError> {
    let mut known = HashMap::new();
    if let Some(path) = journal.filter(|path| path.exists()) {
        Reader::open(path)?.scan(None, |offset, line| note_known(&mut known, offset, line))?;
    }
    let base = base_key(&prepared.inputs);
    let survey = Mutex::new(Survey::default());
    let plan = reader::Plan {
        prompter: &prepared.prompter,
        scorers: &prepared.scorers,
        base: &base,
        repeats: prepared.spec.repeats.max(1),
        limit: prepared.limit,
    };
    let questions = reader::read(&mut *prepared.dataset, &plan, &known, &|read| {
        let mut survey = survey.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Read::Window(items) => survey.requests += items.iter().map(|item| item.asks.len() as u64).sum::<u64>(),
            Read::Reused { .. } => survey.reused += 1,
        }
        Flow::Continue
    })?;
    let survey = survey.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Survey { questions, ..survey })
}

/// What is known of a record in the journal.
pub(super) struct Known {
    pub(super) key: String,
    pub(super) offset: u64,
}

/// Hash of what all records of a pair share.
pub(super) fn base_key(inputs: &Inputs) -> blake3::Hash {
    let mut base = blake3::Hasher::new();
    for (name, value) in inputs.iter().filter(|(name, _)| name.starts_with("model") || name.starts_with("scorer")) {
        base.update(format!("{name}\0{value}\0").as_bytes());
    }
    base.finalize()
}

/// The record that stands last counts; one with an error counts for nothing.
pub(super) fn note_known(known: &mut HashMap<u64, Known>, offset: u64, line: &str) {
    #[derive(Deserialize)]
    struct Brief {
        index: u64,
        key: String,
        verdicts: Vec<BriefVerdict>,
    }
    #[derive(Deserialize)]
    struct BriefVerdict {
        outcome: Outcome,
    }
    let Ok(brief) = serde_json::from_str::<Brief>(line) else { return };
    if brief.verdicts.iter().any(|verdict| matches!(verdict.outcome, Outcome::Error(_))) {
        known.remove(&brief.index);
    } else {
        known.insert(brief.index, Known { key: brief.key, offset });
    }
}
