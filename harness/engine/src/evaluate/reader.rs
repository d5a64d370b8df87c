//! Reads a dataset into windows of questions, and sets aside what the journal already holds.

use super::known::{KnownRecord, KnownRecords};
use super::prepare::Setup;
use super::sample_ids::SampleIds;
use super::truncation::Truncated;
use crate::declared;
use examiner_api::{Ask, Dataset, Flow, PluginError, Question, Result, Sample, Span};
use examiner_suite::OnTruncation;
use parking_lot::Mutex;

/// How many questions are put to a model at a time. Prefixes are shared within a window, so larger is faster; memory
/// holds a few windows.
const WINDOW: usize = 2048;

/// Which of a question's requests a scorer wants answered, in its order; or why it cannot say.
pub(crate) type Wanted = Result<Vec<usize>>;

/// A question that waits for answers.
pub(crate) struct Item {
    /// Its index among all questions and repetitions, from 0.
    pub(crate) index: u64,
    /// Which repetition of the sample it is.
    pub(crate) repeat: u32,
    /// Hash of all that its record depends on.
    pub(crate) key: String,
    /// The question.
    pub(crate) question: Question,
    /// Its different requests.
    pub(crate) asks: Vec<Ask>,
    /// What each scorer wants of `asks`.
    pub(crate) wanted: Vec<Wanted>,
}

/// What the reader sends.
pub(super) enum Read {
    /// Questions to ask.
    Window(Vec<Item>),
    /// A record of the journal that still holds.
    Reused {
        /// The question's index.
        index: u64,
        /// The offset of the record in the journal.
        offset: u64,
        /// What of the question the model did not read.
        truncated: Option<Truncated>,
    },
}

/// What a dataset was found to have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) samples: u64,
    /// Samples, each as often as it is repeated.
    pub(crate) questions: u64,
    /// Samples that are among their own few-shot examples, or would be if they had not been left out.
    pub(crate) contaminated: u64,
    /// Questions whose choices are scored as parts of whole texts: these go to a model as they are, without its chat template.
    whole_texts: u64,
}

/// What is said of a chat model whose template was not used.
const NO_TEMPLATE: &str = "the model's chat template is not used: log-likelihoods of whole texts (`normalize: context`, the default) are \
                           those of texts as they are; any other `normalize` scores choices as answers in a chat, and `chat: false` says \
                           that no chat is meant";

impl Counts {
    /// What is to be known of the results, a sentence each.
    pub(crate) fn warnings(&self, setup: &Setup) -> Vec<String> {
        let contaminated = setup.prompter.warning(self.contaminated, self.samples);
        let without_template = (setup.speaks_chat && self.whole_texts > 0).then(|| NO_TEMPLATE.to_owned());
        contaminated.into_iter().chain(without_template).collect()
    }
}

/// Reads all samples and sends them, apart from those that the journal holds already (`known`); returns how many there are.
pub(super) fn read(
    dataset: &mut dyn Dataset,
    setup: &Setup,
    known: &KnownRecords,
    send: &(dyn Fn(Read) -> Flow + Sync),
) -> Result<Counts> {
    // Items come in the order of their indices, as the records are read.
    let known = Mutex::new((known.ordered()?, None));
    let counts = read_items(dataset, setup, &|items| {
        let mut left = Vec::with_capacity(items.len());
        for item in items {
            let (known, failure) = &mut *known.lock();
            match known.of(item.index) {
                Ok(Some(known)) if setup.holds(&known, &item) => {
                    let KnownRecord { offset, truncated, .. } = known;
                    if send(Read::Reused { index: item.index, offset, truncated }) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
                Ok(_) => left.push(item),
                Err(error) => {
                    *failure = Some(error);
                    return Flow::Stop;
                }
            }
        }
        if left.is_empty() { Flow::Continue } else { send(Read::Window(left)) }
    });
    let (_, failure) = known.into_inner();
    failure.map_or(counts, Err)
}

/// Reads all samples and sends them in windows, with their requests and keys; returns how many there are.
///
/// # Errors
/// The dataset fails, sends another number of samples than it declares, or two of its samples have one id; or a scorer fails.
pub(crate) fn read_items(
    dataset: &mut dyn Dataset,
    setup: &Setup,
    send: &(dyn Fn(Vec<Item>) -> Flow + Sync),
) -> Result<Counts> {
    let state = Mutex::new(Reader {
        setup,
        send,
        window: Vec::new(),
        ids: SampleIds::default(),
        counts: Counts::default(),
        failure: None,
        stopped: false,
    });
    let lock = || state.lock();
    dataset.samples(&|sample: Sample| lock().take(sample))?;
    let mut reader = state.into_inner();
    if reader.failure.is_none() && !reader.stopped {
        let _ = reader.flush();
    }
    if reader.failure.is_none() && !reader.stopped && setup.limit.is_none() {
        reader.failure = setup.rows.and_then(|rows| declared::rows(rows, reader.counts.samples).err());
    }
    if reader.failure.is_none() && !reader.stopped {
        reader.failure = std::mem::take(&mut reader.ids).finish().err();
    }
    match reader.failure {
        Some(error) => Err(error),
        None => Ok(Counts { questions: reader.counts.samples * u64::from(setup.repeats), ..reader.counts }),
    }
}

struct Reader<'a> {
    setup: &'a Setup,
    send: &'a (dyn Fn(Vec<Item>) -> Flow + Sync),
    window: Vec<(u64, u32, Question)>,
    ids: SampleIds,
    counts: Counts,
    failure: Option<PluginError>,
    stopped: bool,
}

impl Reader<'_> {
    fn take(&mut self, sample: Sample) -> Flow {
        let is_enough = self.setup.limit.is_some_and(|limit| self.counts.samples >= limit);
        if self.stopped || self.failure.is_some() || is_enough {
            return Flow::Stop;
        }
        let (question, contaminated) = match self.question(sample) {
            Ok(question) => question,
            Err(error) => {
                self.failure = Some(error);
                return Flow::Stop;
            }
        };
        let first = self.counts.samples * u64::from(self.setup.repeats);
        self.counts.samples += 1;
        self.counts.contaminated += u64::from(contaminated);
        let last = self.setup.repeats - 1;
        for repeat in 0..last {
            if self.ask_for(first + u64::from(repeat), repeat, question.clone()) == Flow::Stop {
                return Flow::Stop;
            }
        }
        self.ask_for(first + u64::from(last), last, question)
    }

    /// Adds a question to the window, which is sent when it is full: not even the repetitions of one sample are all held at once.
    fn ask_for(&mut self, index: u64, repeat: u32, question: Question) -> Flow {
        self.window.push((index, repeat, question));
        if self.window.len() < WINDOW { Flow::Continue } else { self.flush() }
    }

    fn question(&mut self, sample: Sample) -> Result<(Question, bool)> {
        self.ids.add(&sample.id)?;
        self.setup.prompter.question(sample)
    }

    fn flush(&mut self) -> Flow {
        let window = std::mem::take(&mut self.window);
        let flow = match self.setup.items(window) {
            Ok(items) => {
                let is_whole = |ask: &Ask| matches!(ask, Ask::Score { span: Span::All, .. });
                let whole = |item: &&Item| !item.question.sample.choices.is_empty() && item.asks.iter().any(is_whole);
                self.counts.whole_texts += items.iter().filter(whole).count() as u64;
                (self.send)(items)
            }
            Err(error) => {
                self.failure = Some(error);
                Flow::Stop
            }
        };
        self.stopped = flow == Flow::Stop;
        flow
    }
}

impl Setup {
    /// Whether a record is still good: the same was asked, and nothing has become an error since.
    fn holds(&self, known: &KnownRecord, item: &Item) -> bool {
        let is_error = known.truncated.is_some() && self.on_truncation == OnTruncation::Error;
        known.is_of(&item.key) && !is_error
    }

    /// The questions of a window with what is to be asked for them.
    fn items(&self, window: Vec<(u64, u32, Question)>) -> Result<Vec<Item>> {
        let positions: Vec<(u64, u32)> = window.iter().map(|(index, repeat, _)| (*index, *repeat)).collect();
        let questions: Vec<Question> = window.into_iter().map(|(_, _, question)| question).collect();
        let mut asked: Vec<(Vec<Ask>, Vec<Wanted>)> = positions.iter().map(|_| Default::default()).collect();
        for scorer in &self.scorers {
            for ((known, wanted), asks) in asked.iter_mut().zip(scorer.requests(&questions)?) {
                wanted.push(asks.map(|asks| asks.into_iter().map(|ask| index_of(known, ask)).collect()));
            }
        }
        let items = positions.into_iter().zip(questions).zip(asked);
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
            self.base(),
            (&sample.id, item.repeat, &sample.subset, &sample.cluster),
            (&question.context, &sample.choices, &sample.gold, &*sample.metadata),
            &item.asks,
        ))?;
        Ok(blake3::hash(&content).to_hex()[..32].to_owned())
    }
}

/// The index of a request among those that are known; what another scorer asks too is asked once.
fn index_of(known: &mut Vec<Ask>, ask: Ask) -> usize {
    known.iter().position(|other| *other == ask).unwrap_or_else(|| {
        known.push(ask);
        known.len() - 1
    })
}
