//! Asks, judges and records what the journal does not hold yet.
//!
//! Three threads: one reads samples and makes questions of them, the caller's asks the model, one turns answers into
//! verdicts and writes the journal. Between them are bounded channels, so that memory does not grow with the dataset
//! and neither templates nor JSON delay the model.

use super::ask::{self, Asked};
use super::error::EvaluateError;
use super::examined::Examined;
use super::known::KnownRecords;
use super::prepare::{Prepared, Setup};
use super::reader::{self, Counts, Item, Read};
use super::samples::{Offsets, write_samples};
use super::truncation::{Fit, Truncated};
use super::writer::{Done, Writer};
use crate::host::Shared;
use crate::progress::Task;
use crate::threads;
use examiner_api::{Answer, Dataset, ErrorCode, Flow, Model, PluginError, Result, SampleRef};
use examiner_store::aggregate::Aggregate;
use examiner_store::directory::RunDirectory;
use examiner_store::journal::Journal;
use examiner_store::summary::SummaryRow;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// How often the report is written while results arrive.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);

/// What a pair calls while it is examined.
pub struct Events<'a> {
    /// Called before the first question is asked, if there is one that the journal does not hold. If it fails, nothing is
    /// asked.
    pub begin: &'a mut dyn FnMut() -> Result<()>,
    /// Gets the rows now and then, once questions are being asked.
    pub publish: &'a (dyn Fn(Vec<SummaryRow>) + Sync),
}

/// Asks, judges and records every question that the journal does not hold yet.
pub fn examine(
    shared: &Shared,
    model: &mut dyn Model,
    prepared: Prepared,
    directory: &RunDirectory,
    events: Events<'_>,
) -> Result<Examined, EvaluateError> {
    let Prepared { dataset, setup } = prepared;
    let files = Files::open(shared, &setup, directory)?;
    let (journal, samples) = (files.journal.path().to_owned(), files.samples.clone());
    let session = Session::new(shared, &setup, events.publish);
    let totals = setup.aggregate(shared, (&directory.suite, &directory.name()));
    let threads = session.run(dataset, model, files, totals, events.begin)?;
    let writer = threads.written?;
    let examples = write_samples(&journal, &samples, &writer.offsets)?;
    session.conclude(threads.read, threads.asked, &writer, examples)
}

/// The files of a pair.
struct Files {
    journal: Journal,
    known: KnownRecords,
    samples: PathBuf,
}

impl Files {
    fn open(shared: &Shared, setup: &Setup, directory: &RunDirectory) -> Result<Self, EvaluateError> {
        let pair = &setup.pair;
        let path = directory.journal(&pair.model, &pair.dataset).map_err(EvaluateError::Storage)?;
        let samples = directory.samples(&pair.model, &pair.dataset).map_err(EvaluateError::Storage)?;
        let mut known = KnownRecords::default();
        let header = setup.journal_header();
        let (journal, damage) = Journal::open(&path, &header, |offset, line| known.note(offset, line))?;
        let known = known.complete()?;
        for damage in damage {
            shared.progress.warn(&format!("{}: {}", pair.stage(), damage.message(&path)));
        }
        Ok(Files { journal, known, samples })
    }
}

/// What the three threads share.
struct Session<'a> {
    shared: &'a Shared,
    setup: &'a Setup,
    publish: &'a (dyn Fn(Vec<SummaryRow>) + Sync),
    began: Instant,
    last_publish: Mutex<Instant>,
    task: Task,
    asking: AtomicBool,
    given_up: AtomicBool,
    reused: AtomicU64,
    fit: Mutex<Fit>,
}

/// How the threads ended.
struct Threads<'a> {
    read: Result<Counts>,
    asked: Result<Flow>,
    written: Result<Writer<'a>, EvaluateError>,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared, setup: &'a Setup, publish: &'a (dyn Fn(Vec<SummaryRow>) + Sync)) -> Self {
        Session {
            shared,
            setup,
            publish,
            began: Instant::now(),
            last_publish: Mutex::new(Instant::now()),
            task: shared.progress.task(&setup.pair.stage(), setup.questions, "samples"),
            asking: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            reused: AtomicU64::new(0),
            fit: Mutex::default(),
        }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Whether no further question is asked.
    fn is_over(&self) -> bool {
        self.shared.is_cancelled() || self.given_up.load(Ordering::SeqCst)
    }

    /// Reads, asks and writes, each in a thread.
    fn run<'s>(
        &'s self,
        mut dataset: Box<dyn Dataset>,
        model: &mut dyn Model,
        files: Files,
        totals: Box<dyn Aggregate>,
        begin: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Threads<'s>, EvaluateError> {
        let Files { journal, known, .. } = files;
        let writer = Writer {
            journal,
            setup: self.setup,
            totals,
            offsets: Offsets::default(),
            on_batch: Box::new(move |done, errors, totals| self.on_batch(done, errors, totals)),
            errors: 0,
        };
        let mut unwritten = None;
        let threads = std::thread::scope(|scope| {
            let (to_model, windows) = sync_channel(1);
            let (to_writer, inbox) = sync_channel(256);
            let to_writer_too = to_writer.clone();
            // Where the second cannot be started, the first ends with its channels.
            let reading = threads::start_within(scope, move || {
                reader::read(&mut *dataset, self.setup, &known, &|read| {
                    let sent = match read {
                        Read::Window(items) => to_model.send(items).is_ok(),
                        Read::Reused { index, offset, truncated } => {
                            self.fit.lock().note(truncated);
                            self.reused.fetch_add(1, Ordering::SeqCst);
                            to_writer_too.send(Done::Reused { index, offset }).is_ok()
                        }
                    };
                    if sent && !self.is_over() { Flow::Continue } else { Flow::Stop }
                })
            })?;
            let writing = threads::start_within(scope, move || writer.run(&inbox))?;
            let mut asked = Ok(Flow::Continue);
            for window in windows {
                if !self.asking.swap(true, Ordering::SeqCst)
                    && let Err(error) = begin()
                {
                    unwritten = Some(error);
                    break;
                }
                asked = self.ask(model, window, &to_writer);
                // Where nothing of a whole window fits, nothing more is asked.
                if !matches!(asked, Ok(Flow::Continue)) || self.nothing_fits().is_some() {
                    break;
                }
            }
            drop(to_writer);
            let read = joined(reading.join(), "reading the dataset").and_then(|read| read);
            let written = joined(writing.join(), "judging answers");
            let written = written.map_err(EvaluateError::Role).and_then(|written| written);
            Ok::<_, PluginError>(Threads { read, asked, written })
        });
        self.task.finish();
        unwritten.map_or(Ok(threads?), |error| Err(EvaluateError::Storage(error)))
    }

    fn nothing_fits(&self) -> Option<EvaluateError> {
        self.fit.lock().failure(self.setup.on_truncation)
    }

    /// Shows how far the pair is, and publishes its rows now and then.
    fn on_batch(&self, done: u64, errors: u64, totals: &dyn Aggregate) {
        self.task.set(done);
        if self.shared.roles.suite.fail_on_error.is_certainly_exceeded(errors, self.setup.questions) {
            self.given_up.store(true, Ordering::SeqCst);
        }
        let mut last = self.last_publish.lock();
        if self.asking.load(Ordering::SeqCst) && last.elapsed() >= PUBLISH_EVERY {
            *last = Instant::now();
            // What cannot be computed now is an error at the end.
            let Ok(mut rows) = self.setup.rows(totals, self.seconds()) else { return };
            rows.iter_mut().for_each(|row| row.unfinished(&format!("under way: {done} questions so far")));
            (self.publish)(rows);
        }
    }

    /// Asks the model a window of questions; each goes to the writer when its last request is answered.
    fn ask(&self, model: &mut dyn Model, window: Vec<Item>, to_writer: &SyncSender<Done>) -> Result<Flow> {
        struct Slot {
            item: Option<Box<Item>>,
            answers: Vec<Option<Result<Answer>>>,
            left: usize,
        }
        let mut asked = Vec::with_capacity(window.len());
        let mut slots = Vec::with_capacity(window.len());
        for mut item in window {
            let asks = std::mem::take(&mut item.asks);
            self.setup.check_spans(&asks)?;
            if asks.is_empty() {
                // Nothing to ask: the scorer judges by the question alone.
                let _ = to_writer.send(Done::Answered(Box::new(item), Vec::new()));
                continue;
            }
            let sample = SampleRef {
                dataset: self.setup.pair.dataset.clone(),
                id: item.question.sample.id.clone(),
                repeat: item.repeat,
                metadata: item.question.sample.metadata.clone(),
            };
            slots.push(Slot { item: Some(Box::new(item)), answers: vec![None; asks.len()], left: asks.len() });
            asked.push(Asked { sample, asks });
        }
        let slots = Mutex::new(slots);
        ask::ask(model, asked, &|question, request, answer| {
            let mut slots = slots.lock();
            let slot = &mut slots[question];
            slot.answers[request] = Some(answer);
            slot.left -= 1;
            if slot.left == 0
                && let Some(item) = slot.item.take()
            {
                let answers: Vec<Result<Answer>> = slot.answers.drain(..).flatten().collect();
                self.note_fit(&answers);
                if to_writer.send(Done::Answered(item, answers)).is_err() {
                    return Flow::Stop;
                }
            }
            if self.is_over() { Flow::Stop } else { Flow::Continue }
        })
    }

    /// Counts a question, unless none of its requests has an answer.
    fn note_fit(&self, answers: &[Result<Answer>]) {
        let mut given = answers.iter().flatten().peekable();
        if given.peek().is_some() {
            let counts = given.map(|answer| (answer.tokens_read(), answer.truncated_tokens()));
            self.fit.lock().note(Truncated::longest(counts));
        }
    }

    fn conclude(
        &self,
        read: Result<Counts>,
        asked: Result<Flow>,
        writer: &Writer<'_>,
        error_examples: Vec<String>,
    ) -> Result<Examined, EvaluateError> {
        let interrupted = self.shared.is_cancelled();
        let questions = writer.offsets.len();
        let given_up = self.given_up.load(Ordering::SeqCst) && !interrupted;
        let warnings = read.as_ref().map(|counts| counts.warnings(self.setup)).unwrap_or_default();
        let read = read.map(|counts| counts.questions);
        let failure = match (read, asked) {
            // There are questions that were left out, and not because the user stopped.
            (Ok(read), Ok(_)) if given_up && questions < read.max(self.setup.questions.unwrap_or(0)) => {
                Some(EvaluateError::GaveUp {
                    done: questions,
                    errors: writer.errors,
                    limit: self.shared.roles.suite.fail_on_error,
                    first: error_examples.first().cloned().unwrap_or_default(),
                })
            }
            (Ok(_), Ok(_)) => self.nothing_fits().filter(|_| !interrupted),
            (_, Err(error)) if error.code == ErrorCode::Cancelled => None,
            (_, Err(error)) | (Err(error), _) => Some(EvaluateError::Role(error)),
        };
        let seconds = self.seconds();
        let mut rows = self.setup.rows(&*writer.totals, seconds)?;
        if failure.is_some() {
            rows.iter_mut().for_each(SummaryRow::forget_range);
        }
        Ok(Examined {
            rows,
            questions,
            errors: writer.errors,
            reused: self.reused.load(Ordering::SeqCst),
            asked: self.asking.load(Ordering::SeqCst),
            seconds,
            error_examples,
            warnings,
            interrupted,
            failure,
        })
    }
}

fn joined<T>(result: std::thread::Result<T>, doing: &str) -> Result<T> {
    result.map_err(|payload| PluginError::from_panic(doing, &*payload))
}
