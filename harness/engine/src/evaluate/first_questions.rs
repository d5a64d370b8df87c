//! Makes the first questions of a dataset without a model, so that what is wrong with its columns is found before a run.

use super::open_scorer::OpenScorer;
use super::prepare::{Prepared, prepare_judging};
use crate::graph::Pair;
use crate::host::Shared;
use examiner_api::{
    Answer, Answered, Ask, Flow, GenerateResult, Outcome, PluginError, Question, Result, RoleKind, Sample, ScoreResult,
    ScorerInfo,
};
use parking_lot::Mutex;
use std::sync::Arc;

/// So many samples are made.
const SAMPLES: usize = 3;

/// Opens the dataset and the scorers of a pair, makes the first questions and requests, and has the built-in scorers judge an answer to
/// each: they then say whether there is a right answer. Returns what the scorers ask for, by their labels.
///
/// # Errors
/// What a run would say of the dataset: a file, a column, a template, a right answer.
pub(crate) fn first_questions(shared: &Arc<Shared>, pair: &Pair) -> Result<Vec<(String, ScorerInfo)>> {
    let Prepared { mut dataset, setup } = prepare_judging(shared, pair, false, Some(SAMPLES as u64))?;
    let samples: Mutex<Vec<Sample>> = Mutex::default();
    dataset.samples(&|sample: Sample| {
        let mut samples = samples.lock();
        samples.push(sample);
        if samples.len() < SAMPLES { Flow::Continue } else { Flow::Stop }
    })?;
    let samples = samples.into_inner();
    if samples.is_empty() {
        return Err(PluginError::bad_input(format!("dataset `{}` has no samples", pair.dataset)));
    }
    let questions =
        samples.into_iter().map(|sample| Ok(setup.prompter.question(sample)?.0)).collect::<Result<Vec<_>>>()?;
    for scorer in &setup.scorers {
        let asks = scorer.requests(&questions)?.into_iter().collect::<Result<Vec<_>>>()?;
        if is_built_in(shared, pair, &scorer.label) {
            judge(scorer, &questions, asks)?;
        }
    }
    Ok(setup.scorers.into_iter().map(|scorer| (scorer.label, scorer.info)).collect())
}

/// Whether the scorer of this label is one of the program's own.
fn is_built_in(shared: &Shared, pair: &Pair, label: &str) -> bool {
    let of_dataset = shared.roles.suite.datasets.get(&pair.dataset).map(|spec| spec.scorers.as_slice());
    let specs = if pair.scorers.is_empty() { of_dataset.unwrap_or_default() } else { &pair.scorers };
    // A dataset's own scorer has its name for a label.
    let name = specs.iter().find(|spec| spec.label == label).map_or(label, |spec| &spec.name);
    shared.roles.plugins.find(RoleKind::Scorer, name).is_ok_and(|(file, _)| file.library().is_none())
}

/// Has made-up answers judged. The verdicts mean nothing; that there is one does.
fn judge(scorer: &OpenScorer, questions: &[Question], asks: Vec<Vec<Ask>>) -> Result<()> {
    let answer = |ask: Ask| match ask {
        Ask::Generate { .. } => Answer::Generate(GenerateResult { text: "0".to_owned(), ..GenerateResult::default() }),
        Ask::Score { .. } => Answer::Score(ScoreResult {
            sum: -1.0,
            token_logprobs: vec![-1.0],
            scored_tokens: 1,
            total_tokens: 2,
            ..ScoreResult::default()
        }),
    };
    let answered: Vec<Answered> = questions
        .iter()
        .zip(asks)
        .map(|(question, asks)| Answered {
            question: question.clone(),
            answers: asks.into_iter().map(answer).collect(),
        })
        .collect();
    for (verdict, question) in scorer.score(&answered)?.into_iter().zip(questions) {
        if let Outcome::Error(error) = verdict.outcome {
            let message = format!(
                "no answer to sample `{}` can be judged by `{}`: {}",
                question.sample.id, scorer.label, error.message
            );
            return Err(PluginError { message, ..error });
        }
    }
    Ok(())
}
