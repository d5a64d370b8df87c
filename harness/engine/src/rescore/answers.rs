//! Which answer of an earlier examination belongs to which request.
//!
//! A record holds what the model answered, and not what it was asked: that would repeat every prompt. So the requests are
//! made again from the dataset and the scorers of that time, and a record's key, which is a hash of all that was asked,
//! says whether they are the same. What the key does not confirm is not used.

use crate::evaluate::{EvaluateError, Item, Prepared, read_items};
use examiner_api::{Answer, Ask, ErrorCode, Flow, PluginError, Result};
use examiner_store::journal::{Damage, Reader};
use examiner_store::provenance::Inputs;
use examiner_store::record::{Record, give_rendered};
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The answers of an earlier examination. Of each question only a few numbers are in memory; answers stay in the journal.
pub(super) struct Answers {
    journal: Reader,
    questions: HashMap<u128, Asked>,
    /// Hashes of the requests of all questions.
    requests: Vec<u128>,
    /// Whether log-likelihoods are among them.
    pub(super) scored: bool,
    /// Whether generated answers are among them.
    pub(super) generated: bool,
    /// Lines of the journal that cannot be read.
    pub(super) damage: Vec<Damage>,
}

/// A question of the earlier examination.
struct Asked {
    state: AnswerState,
    /// Whether an item has claimed it: several samples may have one id.
    claimed: bool,
}

#[derive(Clone, Copy)]
enum AnswerState {
    /// There is no record of it.
    Unknown,
    /// There is a record of another question in its place.
    Changed(&'static str),
    /// The record at `offset` answers `count` requests, whose hashes begin at `first`.
    Answered { offset: u64, first: usize, count: usize },
}

/// What there is for a question.
pub(super) enum Found {
    /// It was never asked, or is not the question that was asked.
    Nothing(Option<PluginError>),
    /// What became of each of its requests.
    Recorded(Vec<RecordedAnswer>),
}

/// What became of a request.
#[derive(Debug, Clone)]
pub(super) enum RecordedAnswer {
    /// The model answered.
    Answer(Answer),
    /// The model was asked, and there is no answer.
    Failed(PluginError),
    /// The model was not asked this.
    NeverAsked,
}

/// Makes the requests of an earlier examination again, and holds its journal against them. `inputs` are what its results
/// depended on.
pub(super) fn recover(
    mut prepared: Prepared,
    inputs: &Inputs,
    journal: &Path,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Answers, EvaluateError> {
    let (records, damage) = Records::read(journal)?;
    prepared.setup.with_keys_of(inputs);
    let answers = Answers {
        journal: Reader::open(journal)?,
        questions: HashMap::new(),
        requests: Vec::new(),
        scored: false,
        generated: false,
        damage,
    };
    let state = Mutex::new((answers, Ok(())));
    let Prepared { dataset, setup } = &mut prepared;
    read_items(&mut **dataset, setup, &|items| {
        let mut state = state.lock();
        let (answers, outcome) = &mut *state;
        *outcome = items.iter().try_for_each(|item| answers.note(item, &records));
        if outcome.is_err() || stopped() { Flow::Stop } else { Flow::Continue }
    })?;
    let (answers, outcome) = state.into_inner();
    outcome.map(|()| answers)
}

impl Answers {
    /// Takes note of a question as it was asked then.
    fn note(&mut self, item: &Item, records: &Records) -> Result<(), EvaluateError> {
        let state = match records.of(item) {
            Ok(offset) => {
                let first = self.requests.len();
                for ask in &item.asks {
                    self.requests.push(hash(ask)?);
                    match ask {
                        Ask::Score { .. } => self.scored = true,
                        Ask::Generate { .. } => self.generated = true,
                    }
                }
                AnswerState::Answered { offset, first, count: item.asks.len() }
            }
            Err(None) => AnswerState::Unknown,
            Err(Some(offset)) => {
                let record: Record = serde_json::from_str(self.journal.read_at(offset)?)?;
                AnswerState::Changed(difference(item, &record))
            }
        };
        let free = |id: &u128| !self.questions.contains_key(id);
        if let Some(id) = identities(item).find(free) {
            self.questions.insert(id, Asked { state, claimed: false });
        }
        Ok(())
    }

    /// What the model answered to the requests of a question, whoever asks them now. Every question of the earlier
    /// examination is given out once.
    pub(super) fn find(&mut self, item: &Item) -> Result<Found, EvaluateError> {
        let unclaimed = |id: &u128| self.questions.get(id).is_none_or(|asked| !asked.claimed);
        let asked = identities(item).find(unclaimed).and_then(|id| self.questions.get_mut(&id));
        let Some(asked) = asked else { return Ok(Found::Nothing(None)) };
        asked.claimed = true;
        let (offset, first, count) = match asked.state {
            AnswerState::Unknown => return Ok(Found::Nothing(None)),
            AnswerState::Changed(what) => {
                let message = format!("sample `{}` is not what the model was asked: {what}", item.question.sample.id);
                let error = PluginError::bad_input(message)
                    .with_help("`examiner run` asks again what has changed; answers to other questions are not judged");
                return Ok(Found::Nothing(Some(error)));
            }
            AnswerState::Answered { offset, first, count } => (offset, first, count),
        };
        let record: Record = serde_json::from_str(self.journal.read_at(offset)?)?;
        let known = &self.requests[first..first + count];
        let recorded = recorded(record, count);
        let answer_of = |ask: &Ask| {
            let hash = hash(ask)?;
            let index = known.iter().position(|known| *known == hash);
            Ok(index.map_or(RecordedAnswer::NeverAsked, |index| recorded[index].clone()))
        };
        Ok(Found::Recorded(item.asks.iter().map(answer_of).collect::<Result<_>>()?))
    }
}

/// What became of each of the `count` requests of a record.
fn recorded(record: Record, count: usize) -> Vec<RecordedAnswer> {
    let why = record.error().cloned();
    if record.answers.len() + record.failed.len() == count {
        let mut given = record.answers;
        give_rendered(record.rendered, &mut given);
        let (mut answers, mut failed) = (given.into_iter(), record.failed);
        let answer_of = |index| match failed.remove(&index) {
            Some(error) => Some(RecordedAnswer::Failed(error)),
            None => answers.next().map(RecordedAnswer::Answer),
        };
        let recorded: Vec<RecordedAnswer> = (0..count).map_while(answer_of).collect();
        if recorded.len() == count {
            return recorded;
        }
    }
    // Records did not always say which of several requests have no answer.
    let unclear = || PluginError::new(ErrorCode::Other, "the record does not say which requests its answers belong to");
    vec![RecordedAnswer::Failed(why.unwrap_or_else(unclear)); count]
}

/// How the question of a record differs from the one with its index now.
fn difference(item: &Item, record: &Record) -> &'static str {
    let sample = &item.question.sample;
    if record.id != sample.id {
        "another sample stood in its place"
    } else if record.context != item.question.context {
        "its context has changed since"
    } else if record.choices != sample.choices {
        "its choices have changed since"
    } else if record.gold != sample.gold {
        "its right answer has changed since"
    } else {
        "the record is of another try, with another model or other requests, or its metadata have changed since"
    }
}

/// What a question is known by: sample and repetition, and which of several of the same name.
fn identities(item: &Item) -> impl Iterator<Item = u128> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&item.repeat.to_le_bytes()).update(item.question.sample.id.as_bytes());
    (0_u32..).map(move |occurrence| short(hasher.clone().update(&occurrence.to_le_bytes()).finalize()))
}

fn hash(ask: &Ask) -> Result<u128> {
    Ok(short(blake3::hash(&examiner_api::wire::encode(ask)?)))
}

fn short(hash: blake3::Hash) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(half)
}

/// The offsets of the records of a journal. Of several of one question the last one counts, an error too.
#[derive(Default)]
struct Records {
    /// Key and offset.
    by_index: HashMap<u64, (u128, u64)>,
    by_key: HashMap<u128, u64>,
}

impl Records {
    fn read(journal: &Path) -> Result<(Self, Vec<Damage>), EvaluateError> {
        #[derive(Deserialize)]
        struct Brief {
            index: u64,
            key: String,
        }
        let mut records = Records::default();
        let scan = Reader::open(journal)?.scan(None, |offset, line| {
            let Ok(brief) = serde_json::from_str::<Brief>(line) else { return };
            if let Ok(key) = u128::from_str_radix(&brief.key, 16) {
                records.by_index.insert(brief.index, (key, offset));
                records.by_key.insert(key, offset);
            }
        })?;
        Ok((records, scan.damage))
    }

    /// The offset of the record of a question; if there is none, that of another question with its index.
    fn of(&self, item: &Item) -> Result<u64, Option<u64>> {
        let key = u128::from_str_radix(&item.key, 16).ok();
        match (self.by_index.get(&item.index), key) {
            (Some((known, offset)), Some(key)) if *known == key => Ok(*offset),
            // Rows may have moved.
            (other, Some(key)) => self.by_key.get(&key).copied().ok_or(other.map(|(_, offset)| *offset)),
            (other, None) => Err(other.map(|(_, offset)| *offset)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{GenerateResult, Outcome, Verdict};
    use examiner_store::record::ScorerVerdict;
    use std::collections::BTreeMap;

    fn record(answers: &[&str], failed: &[usize]) -> Record {
        let text = |text: &&str| Answer::Generate(GenerateResult { text: (*text).into(), ..GenerateResult::default() });
        let outcome = Outcome::Error(PluginError::new(ErrorCode::Timeout, "too late"));
        Record {
            rendered: Vec::new(),
            answers: answers.iter().map(text).collect(),
            failed: failed
                .iter()
                .map(|index| (*index, PluginError::new(ErrorCode::Network, index.to_string())))
                .collect(),
            verdicts: vec![ScorerVerdict { scorer: "s".into(), verdict: Verdict { outcome, ..Verdict::default() } }],
            index: 0,
            id: String::new(),
            repeat: 0,
            key: String::new(),
            subset: None,
            cluster: None,
            context: String::new(),
            choices: Vec::new(),
            gold: examiner_api::Gold::None,
            tokens_in: 0,
            tokens_out: 0,
            reasoning_tokens: 0,
        }
    }

    fn texts(record: Record, count: usize) -> Vec<String> {
        let text = |answer| match answer {
            RecordedAnswer::Answer(Answer::Generate(answer)) => answer.text,
            RecordedAnswer::Failed(error) => format!("no: {}", error.message),
            other => format!("{other:?}"),
        };
        recorded(record, count).into_iter().map(text).collect()
    }

    #[test]
    fn answers_stand_in_the_order_of_the_requests_that_have_one() {
        assert_eq!(texts(record(&["a", "b"], &[]), 2), ["a", "b"]);
        assert_eq!(texts(record(&["a", "b"], &[0, 2]), 4), ["no: 0", "a", "no: 2", "b"]);
        assert_eq!(texts(record(&[], &[0]), 1), ["no: 0"]);
        assert!(texts(record(&[], &[]), 0).is_empty());
    }

    /// One answer of two, and no word which: as good as none.
    #[test]
    fn what_is_not_recorded_is_not_guessed() {
        assert_eq!(texts(record(&["a"], &[]), 2), ["no: too late"; 2]);
        assert_eq!(texts(record(&["a", "b"], &[7]), 3), ["no: too late"; 3]);
        let mut silent = record(&["a"], &[]);
        silent.verdicts.clear();
        assert_eq!(texts(silent, 2), ["no: the record does not say which requests its answers belong to"; 2]);
    }

    #[test]
    fn a_record_is_found_by_its_key_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let (mut journal, _) =
            examiner_store::journal::Journal::open(&path, &serde_json::json!({}), |_, _| {}).unwrap();
        let mut offsets = BTreeMap::new();
        for (name, index, key) in [("old", 0, 1), ("last", 0, 1), ("moved", 1, 2), ("other", 2, 3)] {
            let line = format!("{{\"index\":{index},\"key\":\"{key:032x}\"}}");
            offsets.insert(name, journal.append(&line).unwrap());
        }
        let (records, damage) = Records::read(&path).unwrap();
        assert!(damage.is_empty());
        let of = |index: u64, key: u128| {
            let question = examiner_api::Question::default();
            let key = format!("{key:032x}");
            records.of(&Item { index, repeat: 0, key, question, asks: Vec::new(), wanted: Vec::new() })
        };
        assert_eq!(of(0, 1), Ok(offsets["last"]));
        assert_eq!(of(5, 2), Ok(offsets["moved"]));
        assert_eq!(of(2, 9), Err(Some(offsets["other"])));
        assert_eq!(of(5, 9), Err(None));
    }
}
