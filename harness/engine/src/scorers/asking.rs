//! What several scorers ask and do alike.

use examiner_api::{Answer, Answered, Ask, Outcome, PluginError, Question, Result, Sample, ScoreResult, Verdict};

/// One request for a free answer to each question.
pub(super) fn free_answers(questions: &[Question]) -> Vec<Vec<Ask>> {
    let ask = |question: &Question| {
        vec![Ask::Generate {
            prompt: question.context.clone(),
            turns: question.turns.clone(),
            sampling: question.sampling.clone(),
        }]
    };
    questions.iter().map(ask).collect()
}

/// The results of an item of which log-likelihoods alone were asked.
///
/// # Errors
/// What `unexpected` makes of another answer.
pub(super) fn scores<'a>(
    item: &'a Answered,
    unexpected: impl Fn(&Sample, &str) -> PluginError,
) -> Result<Vec<&'a ScoreResult>> {
    let score = |answer: &'a Answer| match answer {
        Answer::Score(result) => Ok(result),
        Answer::Generate(_) => Err(unexpected(&item.question.sample, "a generated answer")),
    };
    item.answers.iter().map(score).collect()
}

/// The verdict of each item; what goes wrong with one is its verdict.
pub(super) fn verdicts(items: &[Answered], verdict: impl Fn(&Answered) -> Result<Verdict>) -> Vec<Verdict> {
    let of =
        |item| verdict(item).unwrap_or_else(|error| Verdict { outcome: Outcome::Error(error), ..Verdict::default() });
    items.iter().map(of).collect()
}
