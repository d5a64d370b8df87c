//! Examines one model on one dataset.
//!
//! Three threads: one reads samples and makes questions of them, the caller's asks the model, one turns answers into
//! verdicts and writes the journal. Between them stand bounded channels, so that memory does not grow with the dataset
//! and neither templates nor JSON are in the model's way.

mod ask;
mod judge;
mod prepare;
mod questions;
mod reader;
mod recount;
mod recover;
mod rejudge;
mod reuse;
mod writer;

pub use prepare::{Prepared, prepare};
pub use recount::recount;
pub use rejudge::{Counts, Earlier, Rejudged, rejudge};
pub use reuse::{Survey, survey};

use crate::host::Shared;
use ask::Asked;
use examiner_api::{Answer, ErrorCode, Flow, Model, PluginError, Result, SampleRef};
use examiner_store::aggregate::{Aggregate, Examination};
use examiner_store::directory::RunDirectory;
use examiner_store::journal::{Journal, JournalError};
use examiner_store::storage;
use examiner_store::summary::SummaryRow;
use examiner_suite::{FailOnError, ScorerSpec};
use prepare::{OpenScorer, Scorers};
use reader::{Item, Read};
use reuse::{Known, base_key, note_known};
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use writer::{Done, Writer};

/// For so many questions, at most, room is made before they are read.
const ROOM: u64 = 100_000_000;
/// How often the report is written anew while results arrive.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);

/// Why a model could not be examined on a dataset, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A role failed.
    #[error(transparent)]
    Role(#[from] PluginError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record cannot be written or read.
    #[error("a record of the journal is not what this version writes: {0}")]
    Record(#[from] serde_json::Error),
    /// There were so many errors that the rest was not asked.
    #[error(
        "gave up after {done} questions: {errors} errors are more than `fail_on_error: {limit}` allows, the first: {first}"
    )]
    GaveUp {
        /// Questions done.
        done: u64,
        /// Errors among them.
        errors: u64,
        /// What the suite allows.
        limit: FailOnError,
        /// One of the errors.
        first: String,
    },
    /// The directory of the pair's files cannot be made.
    #[error(transparent)]
    Storage(PluginError),
    /// A result file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl EvaluateError {
    /// What it says of the run's own files, if they are what failed.
    pub fn storage(&self) -> Option<PluginError> {
        match self {
            EvaluateError::Storage(error) => Some(error.clone()),
            EvaluateError::Journal(JournalError::Io { doing, path, source }) => {
                Some(storage::failure(&format!("{doing} the journal"), path, source))
            }
            // Any other kind is a record that could not be read.
            EvaluateError::Write { path, source } if source.kind() != std::io::ErrorKind::Other => {
                Some(storage::failure("write", path, source))
            }
            _ => None,
        }
    }
}

/// A model x dataset of the suite.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// Scorers instead of the dataset's.
    pub scorers: Vec<ScorerSpec>,
}

impl Pair {
    /// The stage's name: `evaluate/original/gsm8k`.
    pub fn stage(&self) -> String {
        format!("evaluate/{}/{}", self.model, self.dataset)
    }

    /// The name under which the model speaks, whatever it is examined on.
    pub fn model_stage(&self) -> String {
        format!("models/{}", self.model)
    }
}

/// What came of a pair.
pub struct Examined {
    /// Its rows of `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// Questions done.
    pub questions: u64,
    /// Questions without an answer.
    pub errors: u64,
    /// Questions whose record was in the journal already.
    pub reused: u64,
    /// Whether there was anything else: whether the model was asked, or the scorers without it.
    pub asked: bool,
    /// How long it took.
    pub seconds: f64,
    /// The first few errors, for people.
    pub error_examples: Vec<String>,
    /// Whether the user stopped it before its end.
    pub interrupted: bool,
    /// Why it ended before its end.
    pub failure: Option<EvaluateError>,
}

/// What a pair tells of while it is examined.
pub struct Told<'a> {
    /// Called before the first question is asked, if there is one that the journal does not hold. Without its leave
    /// nothing is asked.
    pub begin: &'a mut dyn FnMut() -> Result<()>,
    /// Gets the rows now and then, once questions are being asked.
    pub publish: &'a (dyn Fn(Vec<SummaryRow>) + Sync),
}

/// Asks, judges and records every question that the journal does not hold yet.
pub fn examine(
    shared: &Arc<Shared>,
    pair: &Pair,
    model: &mut dyn Model,
    prepared: Prepared,
    directory: &RunDirectory,
    told: Told<'_>,
) -> Result<Examined, EvaluateError> {
    let Prepared { mut dataset, scorers, prompter, spec, limit, inputs, questions, version, macro_average } = prepared;
    let began = Instant::now();
    let path = directory.journal(&pair.model, &pair.dataset).map_err(EvaluateError::Storage)?;
    let samples_path = directory.samples(&pair.model, &pair.dataset).map_err(EvaluateError::Storage)?;
    let header = header(pair);
    let mut known = HashMap::new();
    let (journal, damage) = Journal::open(&path, &header, |offset, line| note_known(&mut known, offset, line))?;
    for damage in damage {
        shared.progress.say(&format!("{}: {}", pair.stage(), damage.message(&path)));
    }
    let base = base_key(&inputs);
    let task = shared.progress.task(&pair.stage(), questions, "samples");
    let run = (directory.suite.as_str(), directory.name());
    let mut totals = aggregate(shared, pair, (run.0, &run.1), &scorers, version, macro_average);
    let expected = questions.map_or(0, |questions| questions.min(ROOM) as usize);
    totals.reserve(expected);
    let last_publish = Mutex::new(Instant::now());
    let seconds = || began.elapsed().as_secs_f64();
    let fail_on_error = shared.roles.suite.fail_on_error;
    let Told { begin, publish } = told;
    let (asking, given_up) = (AtomicBool::new(false), AtomicBool::new(false));
    let on_batch = |done, errors, totals: &dyn Aggregate| {
        task.set(done);
        if fail_on_error.is_certainly_exceeded(errors, questions) {
            given_up.store(true, Ordering::SeqCst);
        }
        let mut last = last_publish.lock().unwrap_or_else(PoisonError::into_inner);
        if asking.load(Ordering::SeqCst) && last.elapsed() >= PUBLISH_EVERY {
            *last = Instant::now();
            let mut rows = rows(totals, &scorers, seconds());
            rows.iter_mut().for_each(|row| row.unfinished(&format!("under way: {done} questions so far")));
            publish(rows);
        }
    };
    let writer = Writer {
        journal,
        scorers: &scorers,
        totals,
        offsets: Vec::with_capacity(expected),
        on_batch: &on_batch,
        errors: 0,
    };
    let plan =
        reader::Plan { prompter: &prompter, scorers: &scorers, base: &base, repeats: spec.repeats.max(1), limit };
    let stopped = || shared.is_cancelled() || given_up.load(Ordering::SeqCst);
    let reused = Mutex::new(0);
    let mut unwritten = None;
    let (read, asked, writer) = std::thread::scope(|scope| {
        let (to_model, windows) = sync_channel(1);
        let (to_writer, inbox) = sync_channel(256);
        let to_writer_too = to_writer.clone();
        let (plan, known, reused, stopped) = (&plan, &known, &reused, &stopped);
        let reading = scope.spawn(move || {
            reader::read(&mut *dataset, plan, known, &|read| {
                let sent = match read {
                    Read::Window(items) => to_model.send(items).is_ok(),
                    Read::Reused { index, offset } => {
                        *reused.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                        to_writer_too.send(Done::Reused { index, offset }).is_ok()
                    }
                };
                if sent && !stopped() { Flow::Continue } else { Flow::Stop }
            })
        });
        let writing = scope.spawn(move || writer.run(&inbox));
        let mut asked = Ok(Flow::Continue);
        for window in windows {
            if !asking.swap(true, Ordering::SeqCst)
                && let Err(error) = begin()
            {
                unwritten = Some(error);
                break;
            }
            asked = ask_window(model, &pair.dataset, window, &to_writer, stopped);
            if !matches!(asked, Ok(Flow::Continue)) {
                break;
            }
        }
        drop(to_writer);
        (joined(reading.join(), "reading the dataset"), asked, joined(writing.join(), "judging answers"))
    });
    task.finish();
    if let Some(error) = unwritten {
        return Err(EvaluateError::Storage(error));
    }
    let mut writer = writer??;
    let interrupted = shared.is_cancelled();
    let done = writer.offsets.len() as u64;
    let samples = write_samples(&path, &samples_path, &mut writer.offsets)?;
    let failure = match (read, asked) {
        // There are questions that were left out, and not because the user stopped.
        (Ok(Ok(read)), Ok(_))
            if given_up.load(Ordering::SeqCst) && !interrupted && done < read.max(questions.unwrap_or(0)) =>
        {
            let first = samples.first().cloned().unwrap_or_default();
            Some(EvaluateError::GaveUp { done, errors: writer.errors, limit: fail_on_error, first })
        }
        (Ok(Ok(_)), Ok(_)) => None,
        (_, Err(error)) if error.code == ErrorCode::Cancelled => None,
        (_, Err(error)) | (Ok(Err(error)), _) | (Err(error), _) => Some(EvaluateError::Role(error)),
    };
    let seconds = seconds();
    let mut rows = rows(&*writer.totals, &scorers, seconds);
    if failure.is_some() {
        rows.iter_mut().for_each(SummaryRow::forget_range);
    }
    Ok(Examined {
        rows,
        questions: done,
        errors: writer.errors,
        reused: reused.into_inner().unwrap_or_else(PoisonError::into_inner),
        asked: asking.into_inner(),
        seconds,
        error_examples: samples,
        interrupted,
        failure,
    })
}

/// The first line of a pair's journal.
fn header(pair: &Pair) -> serde_json::Value {
    json!({ "format": 1, "model": pair.model, "dataset": pair.dataset })
}

fn ask_window(
    model: &mut dyn Model,
    dataset: &str,
    window: Vec<Item>,
    to_writer: &SyncSender<Done>,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Flow> {
    struct Slot {
        item: Option<Box<Item>>,
        answers: Vec<Option<Result<Answer>>>,
        left: usize,
    }
    let mut asked = Vec::with_capacity(window.len());
    let mut slots = Vec::with_capacity(window.len());
    for mut item in window {
        let asks = std::mem::take(&mut item.asks);
        if asks.is_empty() {
            // Nothing to ask: the scorer judges by the question alone.
            let _ = to_writer.send(Done::Answered(Box::new(item), Vec::new()));
            continue;
        }
        let sample = SampleRef {
            dataset: dataset.to_owned(),
            id: item.question.sample.id.clone(),
            repeat: item.repeat,
            metadata: item.question.sample.metadata.clone(),
        };
        slots.push(Slot { item: Some(Box::new(item)), answers: vec![None; asks.len()], left: asks.len() });
        asked.push(Asked { sample, asks });
    }
    let slots = Mutex::new(slots);
    ask::ask(model, asked, &|question, place, answer| {
        let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots[question];
        slot.answers[place] = Some(answer);
        slot.left -= 1;
        if slot.left == 0
            && let Some(item) = slot.item.take()
        {
            let answers = slot.answers.drain(..).flatten().collect();
            if to_writer.send(Done::Answered(item, answers)).is_err() {
                return Flow::Stop;
            }
        }
        if stopped() { Flow::Stop } else { Flow::Continue }
    })
}

fn joined<T>(result: std::thread::Result<T>, doing: &str) -> Result<T> {
    result.map_err(|payload| PluginError::from_panic(doing, &*payload))
}

/// An aggregate without records. `run` is the names of suite and run.
fn aggregate(
    shared: &Shared,
    pair: &Pair,
    run: (&str, &str),
    scorers: &Scorers,
    version: String,
    macro_average: bool,
) -> Box<dyn Aggregate> {
    shared.reporter.aggregate(Examination {
        suite: run.0.to_owned(),
        run: run.1.to_owned(),
        model: pair.model.clone(),
        dataset: pair.dataset.clone(),
        scorers: scorers.list.iter().map(|scorer| (scorer.label.clone(), scorer.info.clone())).collect(),
        seed: shared.roles.suite.seed,
        version,
        macro_average,
    })
}

fn rows(totals: &dyn Aggregate, scorers: &Scorers, seconds: f64) -> Vec<SummaryRow> {
    totals.rows(seconds, &|label, metric, statistics| {
        let scorer = scorers.list.iter().find(|scorer| scorer.label == label);
        scorer.map_or_else(
            || Err(PluginError::not_found(format!("no scorer `{label}`"))),
            |scorer| scorer.lock().corpus(metric, statistics),
        )
    })
}

/// Copies the records, in the order of the dataset, out of the journal: `offsets` are their indices, and where they stand.
/// Returns the first few errors among them.
fn write_samples(
    journal: &std::path::Path,
    path: &std::path::Path,
    offsets: &mut [(u64, u64)],
) -> Result<Vec<String>, EvaluateError> {
    offsets.sort_unstable();
    let mut reader = examiner_store::journal::Reader::open(journal)?;
    let mut examples = Vec::new();
    let failed = |source| EvaluateError::Write { path: path.to_owned(), source };
    examiner_store::atomic::update(path, |file| {
        examples.clear();
        let mut file = std::io::BufWriter::new(file);
        for (_, offset) in &*offsets {
            let line = reader.read_at(*offset).map_err(std::io::Error::other)?;
            if examples.len() < 3 && line.contains("\"error\"") {
                examples.extend(error_in(line));
            }
            writeln!(file, "{line}")?;
        }
        file.flush()
    })
    .map_err(failed)?;
    Ok(examples)
}

fn error_in(line: &str) -> Option<String> {
    let record: examiner_store::record::Record = serde_json::from_str(line).ok()?;
    record.error().map(|error| format!("sample `{}`: {error}", record.id))
}
