//! Judges what a model answered once more, by other scorers, without the model.

use super::judge::judge;
use super::prepare::{OpenScorer, Prepared, Scorers, dataset_spec, prepare_dataset, prepare_judging};
use super::questions::as_turns;
use super::reader::{Item, Plan, read_items};
use super::recover::{Answers, Fate, Found, recover};
use super::reuse::base_key;
use super::{EvaluateError, Pair, aggregate, rows};
use crate::host::Shared;
use examiner_api::{Answer, Ask, Flow, PluginError, Result};
use examiner_store::aggregate::Aggregate;
use examiner_store::atomic;
use examiner_store::provenance::Inputs;
use examiner_store::summary::SummaryRow;
use examiner_suite::DatasetSpec;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How many questions are judged in one call of a scorer, at most.
const BATCH: usize = 256;

/// An examination that was done before.
pub struct Earlier<'a> {
    /// The roles of that time.
    pub shared: &'a Arc<Shared>,
    /// The model and dataset, with the scorers of that time.
    pub pair: &'a Pair,
    /// What its results depended on.
    pub inputs: &'a Inputs,
    /// Its journal.
    pub journal: &'a Path,
    /// `--limit`, as it was.
    pub limit: Option<u64>,
}

/// What came of judging once more.
pub struct Rejudged {
    /// The rows of `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// What the results depend on.
    pub inputs: Inputs,
    /// The dataset's version of the prompt.
    pub version: String,
    /// How many questions there were, and what became of them.
    pub counts: Counts,
}

/// What became of the questions.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// All of them.
    pub questions: u64,
    /// Those without a record, which are not judged: the model was never asked, or did not come to answer.
    pub missing: u64,
    /// Questions of which at least one scorer has no verdict.
    pub errors: u64,
    /// The first few errors, for people.
    pub error_examples: Vec<String>,
}

/// Judges the answers of `earlier` by the scorers that `pair` has in the suite of `shared`, and writes `samples`. `run` is
/// the names of suite and run. Stopped by the user it returns what it has by then.
pub fn rejudge(
    shared: &Arc<Shared>,
    pair: &Pair,
    earlier: &Earlier<'_>,
    run: (&str, &str),
    samples: &Path,
) -> Result<Rejudged, EvaluateError> {
    let began = Instant::now();
    let stopped = || shared.is_cancelled();
    let turns = earlier.inputs.get("prompting").is_some_and(|prompting| as_turns(prompting));
    let before = as_it_was(shared, earlier, turns)?;
    let mut prepared = prepare_judging(shared, pair, turns, earlier.limit)?;
    let of_model = earlier.inputs.iter().filter(|(name, _)| name.starts_with("model"));
    prepared.inputs.extend(of_model.map(|(name, value)| (name.clone(), value.clone())));
    let answers = recover(before, earlier.inputs, earlier.journal, &stopped)?;
    for damage in &answers.damage {
        let (line, path) = (damage.line, earlier.journal.display());
        shared.progress.say(&format!("line {line} of `{path}` is damaged ({}); it is not judged", damage.reason));
    }

    let base = base_key(&prepared.inputs);
    let scorers = &prepared.scorers;
    let plan = Plan {
        prompter: &prepared.prompter,
        scorers,
        base: &base,
        repeats: prepared.spec.repeats.max(1),
        limit: prepared.limit,
    };
    let totals = aggregate(shared, pair, run, scorers, prepared.version.clone(), prepared.macro_average);
    let mut court = Court { answers, scorers, totals, samples, began: false, counts: Counts::default() };
    let task = shared.progress.task(&pair.stage(), prepared.questions, "samples");
    let mut outcome = Ok(());
    let written = atomic::write(samples, |file| {
        let state = Mutex::new((&mut court, BufWriter::new(file), Ok(())));
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        let read = read_items(&mut *prepared.dataset, &plan, &|items| {
            let mut state = lock();
            let (court, file, outcome) = &mut *state;
            *outcome = court.hear(items, file);
            task.set(court.counts.questions);
            if outcome.is_err() || stopped() { Flow::Stop } else { Flow::Continue }
        });
        let (_, mut file, heard) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome = heard.and(read.map(drop).map_err(EvaluateError::from));
        match &outcome {
            Ok(()) => file.flush(),
            Err(error) => Err(std::io::Error::other(error.to_string())),
        }
    });
    task.finish();
    outcome?;
    written.map_err(|source| EvaluateError::Write { path: samples.to_owned(), source })?;
    Ok(Rejudged {
        rows: rows(&*court.totals, scorers, began.elapsed().as_secs_f64()),
        inputs: prepared.inputs,
        version: prepared.version,
        counts: court.counts,
    })
}

/// Opens what the questions were made of. Where the dataset cannot be opened as the run's suite says, because its file has
/// moved, say, it is opened as the suite now says: the keys of the records tell whether it is the same.
fn as_it_was(shared: &Arc<Shared>, earlier: &Earlier<'_>, turns: bool) -> Result<Prepared> {
    let Earlier { pair, limit, .. } = *earlier;
    let error = match prepare_judging(earlier.shared, pair, turns, limit) {
        Ok(prepared) => return Ok(prepared),
        Err(error) => error,
    };
    let moved = || {
        let scorers = dataset_spec(earlier.shared, &pair.dataset)?.scorers.clone();
        let spec = DatasetSpec { scorers, ..dataset_spec(shared, &pair.dataset)?.clone() };
        prepare_dataset(shared, pair, spec, turns, limit)
    };
    let message = format!("cannot tell what the model was asked: {}", error.message);
    moved().map_err(|_| PluginError { message, ..error })
}

/// Questions, answers and judges.
struct Court<'a> {
    answers: Answers,
    scorers: &'a Scorers,
    totals: Box<dyn Aggregate>,
    /// Where the records go.
    samples: &'a Path,
    /// Whether a question was judged already.
    began: bool,
    counts: Counts,
}

impl Court<'_> {
    /// Judges a window of questions and writes their records, in the order of the dataset.
    fn hear(&mut self, mut items: Vec<Item>, file: &mut impl Write) -> Result<(), EvaluateError> {
        // The last repetitions of a sample may stand before its first.
        items.sort_by_key(|item| item.index);
        let mut heard: Vec<(Item, Vec<Fate>)> = Vec::with_capacity(items.len());
        for item in items {
            self.counts.questions += 1;
            match self.answers.find(&item)? {
                Found::Nothing(None) => self.counts.missing += 1,
                Found::Nothing(Some(error)) => {
                    let fates = item.asks.iter().map(|_| Fate::Failed(error.clone())).collect();
                    heard.push((item, fates));
                }
                Found::Fates(fates) => heard.push((item, fates)),
            }
        }
        if !self.began && !heard.is_empty() {
            self.refuse_strangers(&heard)?;
            self.began = true;
        }
        let mut answered = heard.into_iter().map(|(item, fates)| {
            let results = fates.into_iter().map(|fate| fate.into_result(&item.question.sample.id)).collect();
            (item, results)
        });
        loop {
            let batch: Vec<(Item, Vec<Result<Answer>>)> = answered.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            for record in judge(self.scorers, batch)? {
                if let Some(error) = record.error() {
                    self.counts.errors += 1;
                    if self.counts.error_examples.len() < 3 {
                        self.counts.error_examples.push(format!("sample `{}`: {error}", record.id));
                    }
                }
                self.totals.add(&record);
                let line = serde_json::to_string(&record)?;
                let written = writeln!(file, "{line}");
                let failed = |source| EvaluateError::Write { path: self.samples.to_owned(), source };
                written.map_err(failed)?;
            }
        }
    }

    /// A scorer that asks of every question what no model was asked is not one for these answers.
    fn refuse_strangers(&self, heard: &[(Item, Vec<Fate>)]) -> Result<()> {
        for (place, scorer) in self.scorers.list.iter().enumerate() {
            let mut stranger = None;
            let strange = heard.iter().all(|(item, fates)| {
                let never = item.wanted[place].iter().find(|ask| matches!(fates[**ask], Fate::NeverAsked));
                stranger = stranger.take().or(never.map(|ask| &item.asks[*ask]));
                never.is_some()
            });
            if let (true, Some(ask)) = (strange, stranger) {
                return Err(self.never_asked(scorer, ask));
            }
        }
        Ok(())
    }

    fn never_asked(&self, scorer: &OpenScorer, ask: &Ask) -> PluginError {
        let what = match ask {
            Ask::Score { .. } if self.answers.scored => {
                "the log-likelihoods of other texts than the model was asked for"
            }
            Ask::Score { .. } => "log-likelihoods, and the model was asked for none",
            Ask::Generate { .. } if self.answers.generated => {
                "answers to other prompts than the model was given, or generated in another way"
            }
            Ask::Generate { .. } => "generated answers, and the model was asked for none",
        };
        PluginError::unsupported(format!("scorer `{}` asks for {what}", scorer.label)).with_help(ASK)
    }
}

const ASK: &str =
    "`examiner run` the suite with this scorer, so that the model is asked, or choose one for what it answered";

impl Fate {
    fn into_result(self, sample: &str) -> Result<Answer> {
        match self {
            Fate::Answer(answer) => Ok(answer),
            Fate::Failed(error) => Err(error),
            Fate::NeverAsked => {
                let message = format!("the model was never asked what the scorer wants to know of sample `{sample}`");
                Err(PluginError::unsupported(message).with_help(ASK))
            }
        }
    }
}
