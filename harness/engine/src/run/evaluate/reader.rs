//! Reads a dataset into windows of questions, and sets aside what the journal already holds.

use super::questions::Prompter;
use super::{Known, Scorers};
use examiner_api::{Ask, Dataset, Flow, PluginError, Question, Result, Sample};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many questions are put to a model at a time. Prefixes are shared within a window, so larger is faster; memory
/// holds a few windows.
const WINDOW: usize = 2048;

/// A question that waits for answers.
pub(super) struct Item {
    /// Its place among all questions and repetitions, from 0.
    pub(super) index: u64,
    /// Which repetition of the sample it is.
    pub(super) repeat: u32,
    /// Hash of all that its record depends on.
    pub(super) key: String,
    /// The question.
    pub(super) question: Question,
    /// Its different requests.
    pub(super) asks: Vec<Ask>,
    /// For each scorer, which of `asks` it wants answered, in its order.
    pub(super) wanted: Vec<Vec<usize>>,
}

/// What the reader hands on.
pub(super) enum Read {
    /// Questions to ask.
    Window(Vec<Item>),
    /// A record of the journal that still holds.
    Reused {
        /// The question's index.
        index: u64,
        /// Where the record stands in the journal.
        offset: u64,
    },
}

/// What decides which samples are read and how.
pub(super) struct Plan<'a> {
    pub(super) prompter: &'a Prompter,
    pub(super) scorers: &'a Scorers,
    /// Hash of model, scorers and whatever else all records share.
    pub(super) base: &'a blake3::Hash,
    pub(super) repeats: u32,
    pub(super) limit: Option<u64>,
}

/// Reads all samples and hands them on, apart from those that the journal holds already (`known`, by index); returns how
/// many questions there are.
pub(super) fn read(
    dataset: &mut dyn Dataset,
    plan: &Plan<'_>,
    known: &HashMap<u64, Known>,
    hand_on: &(dyn Fn(Read) -> Flow + Sync),
) -> Result<u64> {
    read_items(dataset, plan, &|mut items| {
        let mut reused = Vec::new();
        items.retain(|item| match known.get(&item.index) {
            Some(known) if known.key == item.key => {
                reused.push(Read::Reused { index: item.index, offset: known.offset });
                false
            }
            _ => true,
        });
        for read in reused {
            if hand_on(read) == Flow::Stop {
                return Flow::Stop;
            }
        }
        if items.is_empty() { Flow::Continue } else { hand_on(Read::Window(items)) }
    })
}

/// Reads all samples and hands them on in windows, with their requests and keys; returns how many questions there are.
pub(super) fn read_items(
    dataset: &mut dyn Dataset,
    plan: &Plan<'_>,
    hand_on: &(dyn Fn(Vec<Item>) -> Flow + Sync),
) -> Result<u64> {
    let state = Mutex::new(Reader { plan, hand_on, window: Vec::new(), samples: 0, failure: None, stopped: false });
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    dataset.samples(&|sample: Sample| lock().take(sample))?;
    let mut reader = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if reader.failure.is_none() && !reader.stopped {
        let _ = reader.flush();
    }
    match reader.failure {
        Some(error) => Err(error),
        None => Ok(reader.samples * u64::from(plan.repeats)),
    }
}

struct Reader<'a> {
    plan: &'a Plan<'a>,
    hand_on: &'a (dyn Fn(Vec<Item>) -> Flow + Sync),
    window: Vec<(u64, u32, Question)>,
    samples: u64,
    failure: Option<PluginError>,
    stopped: bool,
}

impl Reader<'_> {
    fn take(&mut self, sample: Sample) -> Flow {
        if self.stopped || self.failure.is_some() || self.plan.limit.is_some_and(|limit| self.samples >= limit) {
            return Flow::Stop;
        }
        let first = self.samples * u64::from(self.plan.repeats);
        self.samples += 1;
        let question = self.plan.prompter.question(sample);
        for repeat in 1..self.plan.repeats {
            self.window.push((first + u64::from(repeat), repeat, question.clone()));
        }
        self.window.push((first, 0, question));
        if self.window.len() < WINDOW { Flow::Continue } else { self.flush() }
    }

    fn flush(&mut self) -> Flow {
        let window = std::mem::take(&mut self.window);
        let flow = match self.plan.prepare(window) {
            Ok(items) => (self.hand_on)(items),
            Err(error) => {
                self.failure = Some(error);
                Flow::Stop
            }
        };
        self.stopped = flow == Flow::Stop;
        flow
    }
}

impl Plan<'_> {
    /// The questions of a window with what is to be asked for them.
    fn prepare(&self, window: Vec<(u64, u32, Question)>) -> Result<Vec<Item>> {
        let places: Vec<(u64, u32)> = window.iter().map(|(index, repeat, _)| (*index, *repeat)).collect();
        let questions: Vec<Question> = window.into_iter().map(|(_, _, question)| question).collect();
        let mut asked: Vec<(Vec<Ask>, Vec<Vec<usize>>)> = places.iter().map(|_| Default::default()).collect();
        for scorer in &self.scorers.list {
            let requests = scorer.lock().requests(&questions)?;
            if requests.len() != asked.len() {
                return Err(scorer.broke(format!(
                    "{} lists of requests for {} questions",
                    requests.len(),
                    asked.len()
                )));
            }
            for ((known, wanted), asks) in asked.iter_mut().zip(requests) {
                wanted.push(asks.into_iter().map(|ask| place_of(known, ask)).collect());
            }
        }
        let items = places.into_iter().zip(questions).zip(asked);
        let items = items.map(|(((index, repeat), question), (asks, wanted))| {
            let mut item = Item { index, repeat, key: String::new(), question, asks, wanted };
            item.key = self.key(&item)?;
            Ok(item)
        });
        items.collect()
    }

    /// The hash of all that the item's record depends on: a record is good for as long as it is the same.
    fn key(&self, item: &Item) -> Result<String> {
        let question = &item.question;
        let sample = &question.sample;
        let content = examiner_api::wire::encode(&(
            self.base.as_bytes(),
            (&sample.id, item.repeat, &sample.subset, &sample.cluster),
            (&question.context, &sample.choices, &sample.gold, &*sample.metadata),
            &item.asks,
        ))?;
        Ok(blake3::hash(&content).to_hex()[..32].to_owned())
    }
}

/// The place of a request among those that are known; what another scorer asks too is asked once.
fn place_of(known: &mut Vec<Ask>, ask: Ask) -> usize {
    known.iter().position(|other| *other == ask).unwrap_or_else(|| {
        known.push(ask);
        known.len() - 1
    })
}
