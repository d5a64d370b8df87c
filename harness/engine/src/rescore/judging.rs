//! Judges what a model answered once more, by other scorers, without the model.

use super::answers::{Answers, Found, RecordedAnswer, recover};
use crate::evaluate::{
    EvaluateError, Item, OpenScorer, Prepared, Setup, dataset_spec, has_turns, judge, prepare_dataset, prepare_judging,
    read_items,
};
use crate::graph::Pair;
use crate::host::Shared;
use examiner_api::{Answer, Ask, Flow, PluginError, Result};
use examiner_store::aggregate::Aggregate;
use examiner_store::atomic;
use examiner_store::provenance::Inputs;
use examiner_store::summary::SummaryRow;
use examiner_suite::DatasetSpec;
use parking_lot::Mutex;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// How many questions are judged in one call of a scorer, at most.
const BATCH: usize = 256;

/// An examination that was done before.
pub(super) struct Earlier<'a> {
    /// The roles of that time.
    pub(super) shared: &'a Arc<Shared>,
    /// The model and dataset, with the scorers of that time.
    pub(super) pair: &'a Pair,
    /// What its results depended on.
    pub(super) inputs: &'a Inputs,
    /// Its journal.
    pub(super) journal: &'a Path,
    /// `--limit`, as it was.
    pub(super) limit: Option<u64>,
}

/// The results of rescoring a pair.
pub(super) struct RescoredPair {
    /// The rows of `summary.csv`.
    pub(super) rows: Vec<SummaryRow>,
    /// What the results depend on.
    pub(super) inputs: Inputs,
    /// The dataset's version of the prompt.
    pub(super) version: String,
    /// How many questions there were, and what became of them.
    pub(super) counts: Counts,
    /// What is to be known of the results.
    pub(super) warnings: Vec<String>,
}

/// What became of the questions.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// All of them.
    pub(super) questions: u64,
    /// Those without a record, which are not judged: the model was never asked, or did not come to answer.
    pub(super) missing: u64,
    /// Questions of which at least one scorer has no verdict.
    pub(super) errors: u64,
    /// The first few errors, for people.
    pub(super) error_examples: Vec<String>,
}

/// Judges the answers of `earlier` by the scorers that `pair` has in the suite of `shared`, and writes `samples`. `run` is
/// the names of suite and run. Stopped by the user it returns what it has by then.
pub(super) fn rescore_pair(
    shared: &Arc<Shared>,
    pair: &Pair,
    earlier: &Earlier<'_>,
    run: (&str, &str),
    samples: &Path,
) -> Result<RescoredPair, EvaluateError> {
    let began = Instant::now();
    let stopped = || shared.is_cancelled();
    let turns = earlier.inputs.get("prompting").is_some_and(|prompting| has_turns(prompting));
    let before = as_it_was(shared, earlier, turns)?;
    let mut prepared = prepare_judging(shared, pair, turns, earlier.limit)?;
    let of_model = earlier.inputs.iter().filter(|(name, _)| name.starts_with("model"));
    prepared.setup.add_inputs(of_model.map(|(name, value)| (name.clone(), value.clone())));
    let answers = recover(before, earlier.inputs, earlier.journal, &stopped)?;
    for damage in &answers.damage {
        let (line, path) = (damage.line, earlier.journal.display());
        shared.progress.warn(&format!("line {line} of `{path}` is damaged ({}); it is not judged", damage.reason));
    }

    let Prepared { mut dataset, setup } = prepared;
    let totals = setup.aggregate(shared, run);
    let mut rescoring = Rescoring { answers, setup: &setup, totals, samples, began: false, counts: Counts::default() };
    let task = shared.progress.task(&pair.stage(), setup.questions, "samples");
    let mut outcome = Ok(());
    let mut warnings = Vec::new();
    let written = atomic::write(samples, |file| {
        let state = Mutex::new((&mut rescoring, BufWriter::new(file), Ok(())));
        let lock = || state.lock();
        let read = read_items(&mut *dataset, &setup, &|items| {
            let mut state = lock();
            let (rescoring, file, outcome) = &mut *state;
            *outcome = rescoring.judge_window(items, file);
            task.set(rescoring.counts.questions);
            if outcome.is_err() || stopped() { Flow::Stop } else { Flow::Continue }
        });
        let (_, mut file, found) = state.into_inner();
        outcome = found.and(read.map(|counts| warnings = counts.warnings(&setup)).map_err(EvaluateError::from));
        match &outcome {
            Ok(()) => file.flush(),
            Err(error) => Err(std::io::Error::other(error.to_string())),
        }
    });
    task.finish();
    outcome?;
    written.map_err(|source| EvaluateError::Write { path: samples.to_owned(), source })?;
    Ok(RescoredPair {
        rows: setup.rows(&*rescoring.totals, began.elapsed().as_secs_f64())?,
        inputs: setup.inputs().clone(),
        version: setup.version.clone(),
        counts: rescoring.counts,
        warnings,
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
        prepare_dataset(shared, pair, &spec, turns, limit)
    };
    let message = format!("cannot tell what the model was asked: {}", error.message);
    moved().map_err(|_| PluginError { message, ..error })
}

/// Questions, answers and judges.
struct Rescoring<'a> {
    answers: Answers,
    setup: &'a Setup,
    totals: Box<dyn Aggregate>,
    /// Where the records go.
    samples: &'a Path,
    /// Whether a question was judged already.
    began: bool,
    counts: Counts,
}

impl Rescoring<'_> {
    /// Judges a window of questions and writes their records, in the order of the dataset.
    fn judge_window(&mut self, items: Vec<Item>, file: &mut impl Write) -> Result<(), EvaluateError> {
        let mut found: Vec<(Item, Vec<RecordedAnswer>)> = Vec::with_capacity(items.len());
        for item in items {
            self.counts.questions += 1;
            match self.answers.find(&item)? {
                Found::Nothing(None) => self.counts.missing += 1,
                Found::Nothing(Some(error)) => {
                    let recorded = item.asks.iter().map(|_| RecordedAnswer::Failed(error.clone())).collect();
                    found.push((item, recorded));
                }
                Found::Recorded(recorded) => found.push((item, recorded)),
            }
        }
        if !self.began && !found.is_empty() {
            self.refuse_strangers(&found)?;
            self.began = true;
        }
        let mut answered = found.into_iter().map(|(item, recorded)| {
            let recorded = recorded.into_iter().zip(&item.asks);
            let results = recorded.map(|(answer, ask)| answer.into_result(&item.question.sample.id, ask)).collect();
            (item, results)
        });
        loop {
            let batch: Vec<(Item, Vec<Result<Answer>>)> = answered.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            for record in judge(self.setup, batch)? {
                if let Some(error) = record.error() {
                    self.counts.errors += 1;
                    if self.counts.error_examples.len() < 3 {
                        self.counts.error_examples.push(format!("sample `{}`: {error}", record.id));
                    }
                }
                self.totals.add(&record)?;
                let line = serde_json::to_string(&record)?;
                let written = writeln!(file, "{line}");
                let failed = |source| EvaluateError::Write { path: self.samples.to_owned(), source };
                written.map_err(failed)?;
            }
        }
    }

    /// A scorer that asks of every question what no model was asked is not one for these answers.
    fn refuse_strangers(&self, found: &[(Item, Vec<RecordedAnswer>)]) -> Result<()> {
        for (index, scorer) in self.setup.scorers.iter().enumerate() {
            let mut stranger = None;
            let strange = found.iter().all(|(item, recorded)| {
                let never = item.wanted[index]
                    .iter()
                    .flatten()
                    .find(|ask| matches!(recorded[**ask], RecordedAnswer::NeverAsked));
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

impl RecordedAnswer {
    /// What is judged of it: versions before this one have recorded log-likelihoods that are impossible.
    fn into_result(self, sample: &str, ask: &Ask) -> Result<Answer> {
        match self {
            RecordedAnswer::Answer(answer) => {
                if let (Answer::Score(score), Ask::Score { continuation, .. }) = (&answer, ask) {
                    score.check(continuation)?;
                }
                Ok(answer)
            }
            RecordedAnswer::Failed(error) => Err(error),
            RecordedAnswer::NeverAsked => {
                let message = format!("the model was never asked what the scorer wants to know of sample `{sample}`");
                Err(PluginError::unsupported(message).with_help(ASK))
            }
        }
    }
}
