//! Turns answers into verdicts and records, whether they come from a model or from an earlier run.

use super::reader::Item;
use super::{OpenScorer, Scorers};
use examiner_api::{Aggregation, Answer, Answered, ErrorCode, Outcome, PluginError, Result, Verdict};
use examiner_store::record::{Record, ScorerVerdict};
use std::collections::BTreeMap;

/// The records of some questions, in their order.
pub(super) fn judge(scorers: &Scorers, mut answered: Vec<(Item, Vec<Result<Answer>>)>) -> Result<Vec<Record>> {
    let mut verdicts: Vec<Vec<ScorerVerdict>> = answered.iter().map(|_| Vec::new()).collect();
    for (place, scorer) in scorers.list.iter().enumerate() {
        let mut whole = Vec::new();
        let mut places = Vec::new();
        for (at, (item, answers)) in answered.iter_mut().enumerate() {
            let wanted: Result<Vec<Answer>> = item.wanted[place].iter().map(|ask| answers[*ask].clone()).collect();
            match wanted {
                Ok(answers) => {
                    // Lent to the scorer, and taken back below.
                    whole.push(Answered { question: std::mem::take(&mut item.question), answers });
                    places.push(at);
                }
                Err(error) => verdicts[at].push(scorer.error(error)),
            }
        }
        if whole.is_empty() {
            continue;
        }
        let judged = scorer.lock().score(&whole)?;
        if judged.len() != whole.len() {
            return Err(scorer.broke(format!("{} verdicts for {} questions", judged.len(), whole.len())));
        }
        for ((at, verdict), lent) in places.into_iter().zip(judged).zip(whole) {
            answered[at].0.question = lent.question;
            verdicts[at].push(scorer.checked(verdict));
        }
    }
    Ok(answered.into_iter().zip(verdicts).map(|((item, answers), verdicts)| record(item, answers, verdicts)).collect())
}

fn record(item: Item, answers: Vec<Result<Answer>>, verdicts: Vec<ScorerVerdict>) -> Record {
    let (answers, failed) = apart(answers);
    let (mut tokens_in, mut tokens_out) = (0, 0);
    for answer in &answers {
        match answer {
            Answer::Score(score) => tokens_in += u64::from(score.total_tokens - score.truncated_tokens),
            Answer::Generate(generated) => {
                tokens_in += u64::from(generated.tokens_in);
                tokens_out += u64::from(generated.tokens_out);
            }
        }
    }
    let sample = item.question.sample;
    Record {
        index: item.index,
        id: sample.id,
        repeat: item.repeat,
        key: item.key,
        subset: sample.subset,
        cluster: sample.cluster,
        context: item.question.context,
        choices: sample.choices,
        gold: sample.gold,
        answers,
        failed,
        verdicts,
        tokens_in,
        tokens_out,
    }
}

/// The answers, and by the places of their requests why there are none.
fn apart(results: Vec<Result<Answer>>) -> (Vec<Answer>, BTreeMap<usize, PluginError>) {
    let (mut answers, mut failed) = (Vec::new(), BTreeMap::new());
    for (place, result) in results.into_iter().enumerate() {
        match result {
            Ok(answer) => answers.push(answer),
            Err(error) => drop(failed.insert(place, error)),
        }
    }
    (answers, failed)
}

impl OpenScorer {
    fn error(&self, error: PluginError) -> ScorerVerdict {
        let verdict = Verdict { outcome: Outcome::Error(error), ..Verdict::default() };
        ScorerVerdict { scorer: self.label.clone(), verdict }
    }

    /// A verdict without one of the scorer's metrics, or with one that is not a number, is an error: it must not look
    /// like a result. Of a metric of the whole it must have the statistics, an unanswered question's too: a sample that is
    /// left out would be neither right nor wrong.
    fn checked(&self, verdict: Verdict) -> ScorerVerdict {
        if !matches!(verdict.outcome, Outcome::Error(_)) {
            for metric in &self.info.metrics {
                let statistics = verdict.statistics.get(&metric.name);
                let fault = match (metric.aggregation, verdict.metrics.get(&metric.name)) {
                    (Aggregation::Corpus, _) if statistics.is_some_and(|of| !of.is_empty()) => continue,
                    (Aggregation::Corpus, _) => "has no statistics".to_owned(),
                    (_, Some(value)) if value.is_finite() => continue,
                    (_, Some(value)) => format!("is {value}"),
                    (_, None) => "is missing".to_owned(),
                };
                let message =
                    format!("metric `{}` of scorer `{}` {fault} in this sample's verdict", metric.name, self.label);
                return self.error(PluginError::new(ErrorCode::Numeric, message));
            }
        }
        ScorerVerdict { scorer: self.label.clone(), verdict }
    }
}
