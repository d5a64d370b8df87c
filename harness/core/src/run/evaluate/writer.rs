//! Turns answers into verdicts and records: journal first, tally after. Runs beside the model.

use super::reader::Item;
use super::{EvaluateError, Scorers};
use crate::journal::{Journal, Reader as JournalReader};
use crate::report::record::{Record, ScorerVerdict};
use crate::report::tally::Tally;
use examiner_api::{Answer, Answered, Outcome, PluginError, Result, Verdict};
use std::sync::mpsc::Receiver;

/// How many questions are judged in one call of a scorer, at most.
const BATCH: usize = 256;

/// What the writer gets.
pub(super) enum Done {
    /// A question with an answer, or why there is none, to each of its requests.
    Answered(Box<Item>, Vec<Result<Answer>>),
    /// A record of the journal that still holds.
    Reused {
        /// The question's index.
        index: u64,
        /// Where the record stands in the journal.
        offset: u64,
    },
}

/// What the writer needs.
pub(super) struct Writer<'a> {
    pub(super) journal: Journal,
    pub(super) scorers: &'a Scorers,
    pub(super) tally: Tally,
    /// The index of every record, and where it stands in the journal.
    pub(super) offsets: Vec<(u64, u64)>,
    /// Told after every batch: questions done, errors among them, and the tally so far.
    pub(super) on_batch: &'a (dyn Fn(u64, u64, &Tally) + Sync),
    /// Questions of which at least one scorer has no verdict.
    pub(super) errors: u64,
}

impl Writer<'_> {
    /// Writes everything that comes, until the last sender is gone.
    pub(super) fn run(mut self, inbox: &Receiver<Done>) -> Result<Self, EvaluateError> {
        let mut reader = JournalReader::open(self.journal.path())?;
        while let Ok(first) = inbox.recv() {
            let mut answered = Vec::new();
            for done in std::iter::once(first).chain(inbox.try_iter()).take(BATCH) {
                match done {
                    Done::Answered(item, answers) => answered.push((*item, answers)),
                    Done::Reused { index, offset } => {
                        let record: Record = serde_json::from_str(reader.read_at(offset)?)?;
                        self.note(index, offset, &record);
                    }
                }
            }
            for record in judge(self.scorers, answered)? {
                let offset = self.journal.append(&serde_json::to_string(&record)?)?;
                self.note(record.index, offset, &record);
            }
            (self.on_batch)(self.offsets.len() as u64, self.errors, &self.tally);
        }
        self.journal.sync()?;
        Ok(self)
    }

    fn note(&mut self, index: u64, offset: u64, record: &Record) {
        self.offsets.push((index, offset));
        self.errors += u64::from(record.verdicts.iter().any(|v| matches!(v.verdict.outcome, Outcome::Error(_))));
        self.tally.add(record);
    }
}

/// The records of some questions, in their order.
fn judge(scorers: &Scorers, mut answered: Vec<(Item, Vec<Result<Answer>>)>) -> Result<Vec<Record>> {
    let mut verdicts: Vec<Vec<ScorerVerdict>> = answered.iter().map(|_| Vec::new()).collect();
    for (place, scorer) in scorers.list.iter().enumerate() {
        let mut whole = Vec::new();
        let mut places = Vec::new();
        for (at, (item, answers)) in answered.iter_mut().enumerate() {
            let wanted: Result<Vec<Answer>> = item.wanted[place].iter().map(|ask| answers[*ask].clone()).collect();
            match wanted {
                Ok(answers) => {
                    // Lent to the scorer, and taken back below.
                    whole.push(Answered { question: std::mem::take(&mut item.question), answers });
                    places.push(at);
                }
                Err(error) => verdicts[at].push(scorer.error(error)),
            }
        }
        if whole.is_empty() {
            continue;
        }
        let judged = scorer.lock().score(&whole)?;
        if judged.len() != whole.len() {
            return Err(scorer.broke(format!("{} verdicts for {} questions", judged.len(), whole.len())));
        }
        for ((at, verdict), lent) in places.into_iter().zip(judged).zip(whole) {
            answered[at].0.question = lent.question;
            verdicts[at].push(scorer.checked(verdict));
        }
    }
    Ok(answered.into_iter().zip(verdicts).map(|((item, answers), verdicts)| record(item, answers, verdicts)).collect())
}

fn record(item: Item, answers: Vec<Result<Answer>>, verdicts: Vec<ScorerVerdict>) -> Record {
    let answers: Vec<Answer> = answers.into_iter().flatten().collect();
    let (mut tokens_in, mut tokens_out) = (0, 0);
    for answer in &answers {
        match answer {
            Answer::Score(score) => tokens_in += u64::from(score.total_tokens - score.truncated_tokens),
            Answer::Generate(generated) => {
                tokens_in += u64::from(generated.tokens_in);
                tokens_out += u64::from(generated.tokens_out);
            }
        }
    }
    let sample = item.question.sample;
    Record {
        index: item.index,
        id: sample.id,
        repeat: item.repeat,
        key: item.key,
        subset: sample.subset,
        cluster: sample.cluster,
        context: item.question.context,
        choices: sample.choices,
        gold: sample.gold,
        answers,
        verdicts,
        tokens_in,
        tokens_out,
    }
}

impl super::OpenScorer {
    fn error(&self, error: PluginError) -> ScorerVerdict {
        let verdict = Verdict { outcome: Outcome::Error(error), ..Verdict::default() };
        ScorerVerdict { scorer: self.label.clone(), verdict }
    }

    /// A verdict without one of the scorer's metrics, or with one that is not a number, is an error: it must not look
    /// like a result.
    fn checked(&self, verdict: Verdict) -> ScorerVerdict {
        if !matches!(verdict.outcome, Outcome::Error(_)) {
            for metric in &self.info.metrics {
                let fault = match (metric.aggregation, verdict.metrics.get(&metric.name)) {
                    (examiner_api::Aggregation::Corpus, _) if verdict.statistics.contains_key(&metric.name) => continue,
                    (_, Some(value)) if value.is_finite() => continue,
                    (_, Some(value)) => format!("is {value}"),
                    (_, None) => "is missing".to_owned(),
                };
                let message =
                    format!("metric `{}` of scorer `{}` {fault} in this sample's verdict", metric.name, self.label);
                return self.error(PluginError::new(examiner_api::ErrorCode::Numeric, message));
            }
        }
        ScorerVerdict { scorer: self.label.clone(), verdict }
    }
}
