//! Writes the records of judged answers: journal first, totals after. Runs beside the model.

use super::error::EvaluateError;
use super::judge::judge;
use super::prepare::Setup;
use super::reader::Item;
use super::samples::Offsets;
use examiner_api::{Answer, Result};
use examiner_store::aggregate::Aggregate;
use examiner_store::journal::{Journal, Reader as JournalReader};
use examiner_store::record::Record;
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
        /// The offset of the record in the journal.
        offset: u64,
    },
}

/// Called with questions done, errors among them, and the totals so far.
pub(super) type OnBatch<'a> = Box<dyn Fn(u64, u64, &dyn Aggregate) + Send + Sync + 'a>;

/// What the writer needs.
pub(super) struct Writer<'a> {
    pub(super) journal: Journal,
    pub(super) setup: &'a Setup,
    pub(super) totals: Box<dyn Aggregate>,
    pub(super) offsets: Offsets,
    /// Called after every batch: questions done, errors among them, and the totals so far.
    pub(super) on_batch: OnBatch<'a>,
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
                        self.note(index, offset, &record)?;
                    }
                }
            }
            for record in judge(self.setup, answered)? {
                let offset = self.journal.append(&serde_json::to_string(&record)?)?;
                self.note(record.index, offset, &record)?;
            }
            (self.on_batch)(self.offsets.len(), self.errors, &*self.totals);
        }
        self.journal.sync()?;
        Ok(self)
    }

    fn note(&mut self, index: u64, offset: u64, record: &Record) -> Result<()> {
        self.offsets.add(index, offset)?;
        self.errors += u64::from(record.error().is_some());
        self.totals.add(record)
    }
}
