//! Which records a journal holds.

use super::error::EvaluateError;
use super::truncation::Truncated;
use examiner_api::{Outcome, Result};
use examiner_store::journal::Reader;
use examiner_store::sorted_rows::{Sorted, SortedRows};
use serde::Deserialize;
use std::path::Path;

/// Where a record is in its journal, the key that says what it holds for, and whether the model read all of the question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KnownRecord {
    /// The key as a number; none if it is not one that this version writes, and holds for nothing.
    key: Option<u128>,
    pub(super) offset: u64,
    pub(super) truncated: Option<Truncated>,
}

impl KnownRecord {
    /// Whether the record is that of a question with this key.
    pub(super) fn is_of(&self, key: &str) -> bool {
        self.key.is_some() && self.key == number_of(key)
    }
}

/// The number that a key of 32 hexadecimal digits is.
fn number_of(key: &str) -> Option<u128> {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    (key.len() == 32 && key.bytes().all(is_digit)).then(|| u128::from_str_radix(key, 16).ok())?
}

/// A row: the question's index, flags, both halves of the key, the offset, tokens of what was truncated, and how many of them were read.
const WIDTH: usize = 7;
/// The record has an error, and counts for nothing.
const IS_ERROR: u64 = 1;
const HAS_KEY: u64 = 2;
const IS_TRUNCATED: u64 = 4;

/// The records of a journal, in bounded memory.
pub(super) struct KnownRecords {
    rows: SortedRows,
    /// Whether all records could be noted. A journal is read to its end whatever becomes of them.
    noted: Result<()>,
}

impl Default for KnownRecords {
    fn default() -> Self {
        KnownRecords { rows: SortedRows::new(WIDTH, 1), noted: Ok(()) }
    }
}

impl KnownRecords {
    /// Takes note of a line of the journal. Of several records of one question the last one counts; one with an error counts for
    /// nothing.
    pub(super) fn note(&mut self, offset: u64, line: &str) {
        if self.noted.is_ok() {
            self.noted = self.push(offset, line);
        }
    }

    /// The same records, if all of them could be noted.
    ///
    /// # Errors
    /// A temporary file could not be written.
    pub(super) fn complete(mut self) -> Result<Self> {
        std::mem::replace(&mut self.noted, Ok(()))?;
        Ok(self)
    }

    fn push(&mut self, offset: u64, line: &str) -> Result<()> {
        let Ok(brief) = serde_json::from_str::<Brief>(line) else { return Ok(()) };
        let is_error = brief.verdicts.iter().any(|verdict| matches!(verdict.outcome, Outcome::Error(_)));
        let key = number_of(&brief.key);
        let truncated = Truncated::longest(brief.answers.iter().map(BriefAnswer::tokens));
        let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        let flags = flag(is_error, IS_ERROR) | flag(key.is_some(), HAS_KEY) | flag(truncated.is_some(), IS_TRUNCATED);
        let key = key.unwrap_or_default();
        let (tokens, read) = truncated.map_or((0, 0), |truncated| (truncated.tokens, truncated.read));
        self.rows.push(&[
            brief.index,
            flags,
            (key >> 64) as u64,
            key as u64,
            offset,
            u64::from(tokens),
            u64::from(read),
        ])
    }

    /// How many questions have a record that counts.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) fn count(&self) -> Result<u64> {
        let mut ordered = self.ordered()?;
        let mut count = 0;
        while ordered.next_record()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// The records by the index of their question.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) fn ordered(&self) -> Result<OrderedRecords<'_>> {
        let mut rows = self.rows.sorted()?;
        let next = to_row(rows.next_row()?);
        Ok(OrderedRecords { rows, next, ahead: None })
    }
}

type Row = [u64; WIDTH];

fn to_row(row: Option<&[u64]>) -> Option<Row> {
    row.and_then(|row| row.try_into().ok())
}

/// The records of a journal in the order of their questions.
pub(super) struct OrderedRecords<'a> {
    rows: Sorted<'a>,
    /// The row after those that were passed.
    next: Option<Row>,
    /// The record that was read last, if its question was not asked for yet.
    ahead: Option<(u64, KnownRecord)>,
}

impl OrderedRecords<'_> {
    /// The record of a question, if there is one that counts. Questions must be asked for in the order of their indices.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) fn of(&mut self, index: u64) -> Result<Option<KnownRecord>> {
        loop {
            match self.ahead {
                Some((ahead, _)) if ahead > index => return Ok(None),
                Some((ahead, record)) if ahead == index => return Ok(Some(record)),
                _ => self.ahead = self.next_record()?,
            }
            if self.ahead.is_none() {
                return Ok(None);
            }
        }
    }

    /// The next question that has a record that counts.
    fn next_record(&mut self) -> Result<Option<(u64, KnownRecord)>> {
        while let Some(row) = self.next {
            self.next = to_row(self.rows.next_row()?);
            let [index, flags, high, low, offset, tokens, read] = row;
            if self.next.is_some_and(|next| next[0] == index) || flags & IS_ERROR != 0 {
                continue;
            }
            let key = (flags & HAS_KEY != 0).then_some(u128::from(high) << 64 | u128::from(low));
            let truncated = Truncated { tokens: tokens as u32, read: read as u32 };
            let truncated = (flags & IS_TRUNCATED != 0).then_some(truncated);
            return Ok(Some((index, KnownRecord { key, offset, truncated })));
        }
        Ok(None)
    }
}

/// The records of a journal, and whether it is intact to its last byte. One that is not there holds none.
pub(super) fn known_records(
    journal: Option<&Path>,
    header: &serde_json::Value,
) -> Result<(KnownRecords, bool), EvaluateError> {
    let mut known = KnownRecords::default();
    let Some(path) = journal.filter(|path| path.exists()) else { return Ok((known, false)) };
    let scan = Reader::open(path)?.scan(Some(header), |offset, line| known.note(offset, line))?;
    let length = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    Ok((known.complete()?, scan.damage.is_empty() && length == scan.complete))
}

/// The fields of a record that are needed.
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

impl BriefAnswer {
    /// Tokens that the model read, and those that were cut off.
    fn tokens(&self) -> (u32, u32) {
        match self {
            BriefAnswer::Score(score) => {
                (score.total_tokens.saturating_sub(score.truncated_tokens), score.truncated_tokens)
            }
            BriefAnswer::Generate(generated) => (generated.tokens_in, generated.truncated_tokens),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::HashMap;

    fn line(index: u64, key: &str, is_error: bool, truncated_tokens: u32) -> String {
        let outcome =
            if is_error { json!({ "error": { "code": "timeout", "message": "m" } }) } else { json!("scored") };
        let answer = json!({ "score": { "total_tokens": 9, "truncated_tokens": truncated_tokens } });
        let record = json!({ "index": index, "key": key, "answers": [answer], "verdicts": [{ "outcome": outcome }] });
        record.to_string()
    }

    proptest! {
        /// As a table of the last records has it.
        #[test]
        fn of_several_records_the_last_counts_and_one_with_an_error_for_nothing(
            lines in proptest::collection::vec((0_u64..9, 0_u128..3, any::<bool>(), 0_u32..2), 0..30),
        ) {
            let mut known = KnownRecords::default();
            let mut expected: HashMap<u64, (String, u64, Option<Truncated>)> = HashMap::new();
            for (offset, (index, key, is_error, truncated)) in (0..).zip(lines) {
                let key = format!("{key:032x}");
                known.note(offset, &line(index, &key, is_error, truncated));
                expected.remove(&index);
                if !is_error {
                    let truncated = (truncated > 0).then_some(Truncated { tokens: 9, read: 9 - truncated });
                    expected.insert(index, (key, offset, truncated));
                }
            }
            let known = known.complete().unwrap();
            prop_assert_eq!(known.count().unwrap(), expected.len() as u64);
            let mut ordered = known.ordered().unwrap();
            for index in 0..10 {
                let found = ordered.of(index).unwrap();
                prop_assert_eq!(ordered.of(index).unwrap(), found, "asked for again");
                prop_assert_eq!(found.is_some(), expected.contains_key(&index));
                if let (Some(found), Some((key, offset, truncated))) = (found, expected.get(&index)) {
                    let other = format!("{:032x}", 9);
                    prop_assert!(found.is_of(key) && !found.is_of(&other), "{found:?}");
                    prop_assert_eq!((found.offset, found.truncated), (*offset, *truncated));
                }
            }
        }
    }

    #[test]
    fn a_key_that_no_version_writes_holds_for_nothing() {
        let mut known = KnownRecords::default();
        known.note(5, &line(0, "short", false, 0));
        let known = known.complete().unwrap();
        assert_eq!(known.count().unwrap(), 1);
        let record = known.ordered().unwrap().of(0).unwrap().unwrap();
        assert!(!record.is_of("short") && !record.is_of(""));
    }
}
