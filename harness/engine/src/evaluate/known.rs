//! Which records a journal holds.

use super::error::EvaluateError;
use super::truncation::Truncated;
use examiner_api::Outcome;
use examiner_store::journal::Reader;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// Where a record is in its journal, the key that says what it holds for, and whether the model read all of the question.
pub(super) struct KnownRecord {
    pub(super) key: String,
    pub(super) offset: u64,
    pub(super) truncated: Option<Truncated>,
}

/// The records of a journal, and whether it is intact to its last byte. One that is not there holds none.
pub(super) fn known_records(
    journal: Option<&Path>,
    header: &serde_json::Value,
) -> Result<(HashMap<u64, KnownRecord>, bool), EvaluateError> {
    let mut known = HashMap::new();
    let Some(path) = journal.filter(|path| path.exists()) else { return Ok((known, false)) };
    let scan = Reader::open(path)?.scan(Some(header), |offset, line| note_known(&mut known, offset, line))?;
    let length = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    Ok((known, scan.damage.is_empty() && length == scan.complete))
}

/// Of several records of one question the last one counts; one with an error counts for nothing.
pub(super) fn note_known(known: &mut HashMap<u64, KnownRecord>, offset: u64, line: &str) {
    #[derive(Deserialize)]
    struct Brief {
        index: u64,
        key: String,
        #[serde(default)]
        answers: Vec<BriefAnswer>,
        verdicts: Vec<BriefVerdict>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum BriefAnswer {
        Score(BriefScore),
        Generate(BriefGenerated),
    }
    #[derive(Deserialize)]
    struct BriefScore {
        total_tokens: u32,
        #[serde(default)]
        truncated_tokens: u32,
    }
    #[derive(Deserialize)]
    struct BriefGenerated {
        #[serde(default)]
        tokens_in: u32,
        #[serde(default)]
        truncated_tokens: u32,
    }
    #[derive(Deserialize)]
    struct BriefVerdict {
        outcome: Outcome,
    }
    let Ok(brief) = serde_json::from_str::<Brief>(line) else { return };
    if brief.verdicts.iter().any(|verdict| matches!(verdict.outcome, Outcome::Error(_))) {
        known.remove(&brief.index);
    } else {
        let truncated = Truncated::longest(brief.answers.iter().map(|answer| match answer {
            BriefAnswer::Score(score) => {
                (score.total_tokens.saturating_sub(score.truncated_tokens), score.truncated_tokens)
            }
            BriefAnswer::Generate(generated) => (generated.tokens_in, generated.truncated_tokens),
        }));
        known.insert(brief.index, KnownRecord { key: brief.key, offset, truncated });
    }
}
