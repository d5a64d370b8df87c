//! Judges answers as an examination would: by the scorer of the dataset.

use crate::benchmark::Task;
use crate::question::TaskQuestion;
use crate::wording::Form;
use examiner_api::{Answer, Answered, GenerateResult, Outcome, PluginError, Question, Result, Sampling, Scorer};

/// So many answers are judged in one call.
const AT_ONCE: usize = 512;

/// An answer that was judged.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// What the teacher wrote.
    pub(super) text: String,
    /// The answer as it was found in it; none where there is none.
    pub(super) extracted: Option<String>,
    /// Whether it is right.
    pub(super) right: bool,
}

/// An answer to be judged.
pub(super) struct AnswerToJudge<'a> {
    pub(super) task: &'a Task,
    pub(super) question: &'a TaskQuestion,
    pub(super) prompt: &'a str,
    pub(super) answer: &'a GenerateResult,
}

/// One judgement for each item.
pub(super) fn judge(scorer: &dyn Scorer, items: &[AnswerToJudge<'_>], sampling: &Sampling) -> Result<Vec<Judged>> {
    let metrics = scorer.info()?.metrics;
    let metric = metrics.first().map(|metric| metric.name.as_str()).unwrap_or_default();
    let mut judged = Vec::with_capacity(items.len());
    for items in items.chunks(AT_ONCE) {
        let answered: Vec<Answered> = items.iter().filter_map(|item| answered(item, sampling)).collect();
        let verdicts = scorer.score(&answered)?;
        if verdicts.len() != items.len() {
            let (expected, found) = (items.len(), verdicts.len());
            let message = format!("expected {expected} verdicts of the scorer, found {found}");
            return Err(PluginError::new(examiner_api::ErrorCode::Protocol, message));
        }
        for (item, verdict) in items.iter().zip(verdicts) {
            if let Outcome::Error(error) = verdict.outcome {
                let message = format!("the answer to `{}` cannot be judged", item.question.id());
                return Err(PluginError::new(error.code, message).with_cause(&error));
            }
            let right = verdict.metrics.get(metric).is_some_and(|value| *value == 1.0);
            judged.push(Judged { text: item.answer.text.trim().to_owned(), extracted: verdict.extracted, right });
        }
    }
    Ok(judged)
}

fn answered(item: &AnswerToJudge<'_>, sampling: &Sampling) -> Option<Answered> {
    let sample = item.task.sample(item.question, Form::Cot, 0)?;
    let question =
        Question { sample, context: item.prompt.to_owned(), sampling: sampling.clone(), ..Question::default() };
    Some(Answered { question, answers: vec![Answer::Generate(item.answer.clone())] })
}
