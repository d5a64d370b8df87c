//! Compares what is to be asked with what the journal of an earlier try holds, without a model.
//!
//! Where every record is there, nothing has to be asked: the results are computed from the journal in the same pass.

use super::ask_sample::AskSample;
use super::error::EvaluateError;
use super::examined::Examined;
use super::known::known_records;
use super::prepare::{Prepared, Setup};
use super::reader::{self, Counts, Read};
use super::samples::{Offsets, write_samples};
use super::truncation::Fit;
use crate::graph::Pair;
use crate::host::Shared;
use examiner_api::Flow;
use examiner_store::aggregate::Aggregate;
use examiner_store::directory::RunDirectory;
use examiner_store::journal::Reader;
use examiner_store::record::Record;
use parking_lot::Mutex;
use std::path::Path;
use std::time::Instant;

/// Progress is shown after so many records.
const SHOWN: usize = 256;

/// How much there is to do for a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// Questions, repetitions included.
    pub questions: u64,
    /// Requests still to be made.
    pub requests: u64,
    /// Questions whose record is in the journal already.
    pub reused: u64,
}

/// What a journal holds of a pair.
pub struct Review {
    /// What is left to ask.
    pub survey: Survey,
    /// Some of the requests that are left, where nothing is shown.
    pub asks: AskSample,
    /// All records, if nothing is left to ask and the journal is intact.
    pub complete: Option<Counted>,
}

/// The records of a pair, all of which are in its journal, added up.
pub struct Counted {
    totals: Box<dyn Aggregate>,
    offsets: Offsets,
    fit: Fit,
    counts: Counts,
    seconds: f64,
}

/// The results of such a pair. Neither its dataset nor its scorers are needed any more.
pub struct Complete {
    pair: Pair,
    offsets: Offsets,
    examined: Examined,
}

/// Reads the dataset and the journal without asking anything. `run` is the names of suite and run;
/// `show` shows progress where results are computed; without it, a sample of the requests is kept.
///
/// # Errors
/// The dataset or the journal cannot be read, or the journal belongs to something else.
pub fn review(
    shared: &Shared,
    prepared: &mut Prepared,
    journal: Option<&Path>,
    run: (&str, &str),
    show: bool,
) -> Result<Review, EvaluateError> {
    let began = Instant::now();
    let Prepared { dataset, setup } = prepared;
    let (known, intact) = known_records(journal, &setup.journal_header())?;
    // Where records are missing for certain, none is counted.
    let may_be_complete = match setup.questions {
        Some(questions) if intact => known.count()? >= questions,
        _ => intact,
    };
    let replay = match journal.filter(|_| may_be_complete) {
        Some(path) => Some(Replay::new(shared, setup, path, run)?),
        None => None,
    };
    let task =
        replay.as_ref().filter(|_| show).map(|_| shared.progress.task(&setup.pair.stage(), setup.questions, "samples"));
    let pass = Mutex::new((Survey::default(), AskSample::default(), Fit::default(), replay, None));
    let counts = reader::read(&mut **dataset, setup, &known, &|read| {
        let mut pass = pass.lock();
        let (survey, asks, fit, replay, failure) = &mut *pass;
        match read {
            Read::Window(items) => {
                survey.requests += items.iter().map(|item| item.asks.len() as u64).sum::<u64>();
                if !show {
                    items.iter().flat_map(|item| &item.asks).for_each(|ask| asks.see(ask));
                }
                *replay = None;
            }
            Read::Reused { index, offset, truncated } => {
                survey.reused += 1;
                fit.note(truncated);
                match replay.as_mut().map(|replay| replay.add(index, offset)) {
                    Some(Ok(true)) | None => {}
                    Some(Ok(false)) => *replay = None,
                    Some(Err(error)) => {
                        *failure = Some(error);
                        return Flow::Stop;
                    }
                }
                if let (Some(task), true) = (&task, survey.reused % SHOWN as u64 == 0) {
                    task.set(survey.reused);
                }
            }
        }
        if shared.is_cancelled() { Flow::Stop } else { Flow::Continue }
    })?;
    let questions = counts.questions;
    let (survey, asks, fit, replay, failure) = pass.into_inner();
    if let Some(error) = failure {
        return Err(error);
    }
    let survey = Survey { questions, ..survey };
    let replay = replay.filter(|replay| replay.offsets.len() == questions && !shared.is_cancelled());
    match (&task, &replay) {
        (Some(task), Some(_)) => {
            task.set(questions);
            task.finish();
        }
        (Some(task), None) => task.dismiss(),
        (None, _) => {}
    }
    let seconds = began.elapsed().as_secs_f64();
    let complete = replay.map(|replay| {
        let Replay { totals, offsets, .. } = replay;
        Counted { totals, offsets, fit, counts, seconds }
    });
    Ok(Review { survey, asks, complete })
}

impl Counted {
    /// The results.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(crate) fn results(self, setup: &Setup) -> Result<Complete, EvaluateError> {
        let questions = self.offsets.len();
        let examined = Examined {
            rows: setup.rows(&*self.totals, self.seconds)?,
            questions,
            reused: questions,
            seconds: self.seconds,
            failure: self.fit.failure(setup.on_truncation),
            warnings: self.counts.warnings(setup),
            ..Examined::default()
        };
        Ok(Complete { pair: setup.pair.clone(), offsets: self.offsets, examined })
    }
}

impl Complete {
    /// Writes the samples of the pair where they are not as they should be, and returns the results.
    pub(crate) fn conclude(self, directory: &RunDirectory) -> Result<Examined, EvaluateError> {
        let Pair { model, dataset, .. } = &self.pair;
        let journal = directory.journal(model, dataset).map_err(EvaluateError::Storage)?;
        let samples = directory.samples(model, dataset).map_err(EvaluateError::Storage)?;
        write_samples(&journal, &samples, &self.offsets)?;
        Ok(self.examined)
    }
}

/// Adds up the records of a journal as the dataset asks for them.
struct Replay {
    journal: Reader,
    totals: Box<dyn Aggregate>,
    offsets: Offsets,
}

impl Replay {
    fn new(shared: &Shared, setup: &Setup, journal: &Path, run: (&str, &str)) -> Result<Self, EvaluateError> {
        let totals = setup.aggregate(shared, run);
        Ok(Replay { journal: Reader::open(journal)?, totals, offsets: Offsets::default() })
    }

    /// Whether the record can be counted.
    fn add(&mut self, index: u64, offset: u64) -> Result<bool, EvaluateError> {
        let record: Option<Record> = self.journal.read_at(offset).ok().and_then(|line| serde_json::from_str(line).ok());
        let Some(record) = record.filter(|record| record.error().is_none()) else { return Ok(false) };
        self.totals.add(&record)?;
        self.offsets.add(index, offset)?;
        Ok(true)
    }
}
