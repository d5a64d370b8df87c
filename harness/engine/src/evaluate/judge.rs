//! Scores answers, from a model or from an earlier run, and builds records.

use super::open_scorer::OpenScorer;
use super::prepare::Setup;
use super::reader::Item;
use super::truncation;
use examiner_api::{
    Aggregation, Answer, Answered, ErrorCode, MetricInfo, Outcome, PluginError, Result, ScorerInfo, Verdict,
};
use examiner_store::record::{Record, ScorerVerdict, take_rendered};
use std::collections::BTreeMap;

/// Scores the answers of some questions, and returns their records in the same order.
pub(crate) fn judge(setup: &Setup, mut answered: Vec<(Item, Vec<Result<Answer>>)>) -> Result<Vec<Record>> {
    for answer in answered.iter_mut().flat_map(|(_, answers)| answers) {
        truncation::refuse(answer, setup.on_truncation);
    }
    // No scorer needs it.
    let rendered: Vec<Vec<String>> =
        answered.iter_mut().map(|(_, answers)| take_rendered(answers.iter_mut().flatten())).collect();
    let mut verdicts: Vec<Vec<ScorerVerdict>> = answered.iter().map(|_| Vec::new()).collect();
    for (index, scorer) in setup.scorers.iter().enumerate() {
        let mut to_score = Vec::new();
        let mut positions = Vec::new();
        for (position, (item, answers)) in answered.iter_mut().enumerate() {
            let answers_of =
                |wanted: &Vec<usize>| wanted.iter().map(|ask| answers[*ask].clone().map(answer_alone)).collect();
            let answers: Result<Vec<Answer>> = item.wanted[index].as_ref().map_err(Clone::clone).and_then(answers_of);
            match answers {
                Ok(answers) => {
                    // Moved, not cloned; moved back below.
                    to_score.push(Answered { question: std::mem::take(&mut item.question), answers });
                    positions.push(position);
                }
                Err(error) => verdicts[position].push(scorer.error(error)),
            }
        }
        if to_score.is_empty() {
            continue;
        }
        let judged = scorer.score(&to_score)?;
        for ((position, verdict), scored) in positions.into_iter().zip(judged).zip(to_score) {
            let (item, answers) = &mut answered[position];
            item.question = scored.question;
            let mut verdict = scorer.checked(verdict);
            let wanted = item.wanted[index].iter().flatten();
            if verdict.verdict.outcome == Outcome::Scored && wanted.map(|ask| &answers[*ask]).any(lacks_answer) {
                verdict.verdict.outcome = Outcome::Unanswered;
            }
            verdicts[position].push(verdict);
        }
    }
    let judged = answered.into_iter().zip(rendered).zip(verdicts);
    Ok(judged.map(|(((item, answers), rendered), verdicts)| record(item, answers, rendered, verdicts)).collect())
}

/// What a scorer gets of an answer: not what the model thought before.
fn answer_alone(mut answer: Answer) -> Answer {
    if let Answer::Generate(generated) = &mut answer {
        generated.reasoning = None;
    }
    answer
}

/// Whether the model thought and did not answer: the scorer has judged an empty text.
fn lacks_answer(answer: &Result<Answer>) -> bool {
    matches!(answer, Ok(Answer::Generate(generated)) if generated.lacks_answer())
}

fn record(item: Item, answers: Vec<Result<Answer>>, rendered: Vec<String>, verdicts: Vec<ScorerVerdict>) -> Record {
    let (answers, failed) = split_errors(answers);
    let (mut tokens_in, mut tokens_out, mut reasoning_tokens) = (0, 0, 0);
    for answer in &answers {
        tokens_in += u64::from(answer.tokens_read());
        if let Answer::Generate(generated) = answer {
            tokens_out += u64::from(generated.tokens_out);
            reasoning_tokens += u64::from(generated.reasoning_tokens);
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
        rendered,
        choices: sample.choices,
        gold: sample.gold,
        answers,
        failed,
        verdicts,
        tokens_in,
        tokens_out,
        reasoning_tokens,
    }
}

/// The answers, and the errors of the other requests by index.
fn split_errors(results: Vec<Result<Answer>>) -> (Vec<Answer>, BTreeMap<usize, PluginError>) {
    let (mut answers, mut failed) = (Vec::new(), BTreeMap::new());
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(answer) => answers.push(answer),
            Err(error) => drop(failed.insert(index, error)),
        }
    }
    (answers, failed)
}

impl OpenScorer {
    fn error(&self, error: PluginError) -> ScorerVerdict {
        let verdict = Verdict { outcome: Outcome::Error(error), ..Verdict::default() };
        ScorerVerdict { scorer: self.label.clone(), verdict }
    }

    /// Checks that a verdict has a possible number for every metric of the scorer, and statistics for every corpus metric.
    /// Otherwise it becomes an error. This also holds for unanswered questions: a sample without statistics would not be counted
    /// at all.
    fn checked(&self, verdict: Verdict) -> ScorerVerdict {
        match verdict_fault(&self.label, &self.info, &verdict) {
            Some(error) => self.error(error),
            None => ScorerVerdict { scorer: self.label.clone(), verdict },
        }
    }
}

/// What is wrong with the numbers of a verdict of the scorer with this label.
pub(crate) fn verdict_fault(label: &str, info: &ScorerInfo, verdict: &Verdict) -> Option<PluginError> {
    if matches!(verdict.outcome, Outcome::Error(_)) {
        return None;
    }
    info.metrics.iter().find_map(|metric| {
        let fault = fault(metric, verdict)?;
        let message = format!("metric `{}` of scorer `{label}` {fault} in this sample's verdict", metric.name);
        Some(PluginError::new(ErrorCode::Numeric, message))
    })
}

/// What is wrong with the number or the statistics that a verdict has for a metric.
fn fault(metric: &MetricInfo, verdict: &Verdict) -> Option<String> {
    let is_there = match metric.aggregation {
        Aggregation::Mean => verdict.metrics.contains_key(&metric.name),
        Aggregation::Corpus => verdict.statistics.contains_key(&metric.name),
    };
    if metric.partial && !is_there {
        return None;
    }
    if metric.aggregation == Aggregation::Corpus {
        return match verdict.statistics.get(&metric.name) {
            Some(of) if !of.is_empty() => {
                of.iter().find(|value| !value.is_finite()).map(|value| format!("has {value} in its statistics"))
            }
            _ => Some("has no statistics".to_owned()),
        };
    }
    let Some(value) = verdict.metrics.get(&metric.name) else { return Some("is missing".to_owned()) };
    if !value.is_finite() {
        return Some(format!("is {value}"));
    }
    let (low, high) = metric.bounds?;
    // A ratio such as an F1 score may be rounded to just above 1.
    let rounding = 1e-9 * (high - low);
    let is_within = (low - rounding..=high + rounding).contains(value);
    (!is_within).then(|| format!("is {value}, outside of its bounds {low} and {high},"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(aggregation: Aggregation, values: &[f64]) -> Option<String> {
        let metric = MetricInfo { name: "m".into(), aggregation, bounds: Some((0.0, 1.0)), ..MetricInfo::default() };
        let mut verdict = Verdict::default();
        verdict.metrics.extend(values.iter().map(|value| ("m".to_owned(), *value)));
        verdict.statistics.insert("m".to_owned(), values.to_vec());
        fault(&metric, &verdict)
    }

    #[test]
    fn a_number_is_finite_and_within_its_bounds() {
        for good in [0.0, 1.0, 0.5, 1.0 + f64::EPSILON] {
            assert_eq!(of(Aggregation::Mean, &[good]), None, "{good}");
        }
        assert_eq!(of(Aggregation::Mean, &[1.5]).unwrap(), "is 1.5, outside of its bounds 0 and 1,");
        assert_eq!(of(Aggregation::Mean, &[-0.001]).unwrap(), "is -0.001, outside of its bounds 0 and 1,");
        assert_eq!(of(Aggregation::Mean, &[f64::NAN]).unwrap(), "is NaN");
        assert_eq!(of(Aggregation::Mean, &[]).unwrap(), "is missing");
    }

    #[test]
    fn a_partial_metric_may_be_missing_and_is_checked_where_it_is_there() {
        let metric = MetricInfo { name: "m".into(), partial: true, bounds: Some((0.0, 1.0)), ..MetricInfo::default() };
        let mut verdict = Verdict::default();
        assert_eq!(fault(&metric, &verdict), None);
        assert_eq!(fault(&MetricInfo { aggregation: Aggregation::Corpus, ..metric.clone() }, &verdict), None);
        verdict.metrics.insert("m".to_owned(), 2.0);
        assert_eq!(fault(&metric, &verdict).unwrap(), "is 2, outside of its bounds 0 and 1,");
    }

    #[test]
    fn statistics_are_there_and_finite() {
        assert_eq!(of(Aggregation::Corpus, &[2.0, 3.0]), None, "bounds are those of a value");
        assert_eq!(of(Aggregation::Corpus, &[2.0, f64::INFINITY]).unwrap(), "has inf in its statistics");
        assert_eq!(of(Aggregation::Corpus, &[]).unwrap(), "has no statistics");
    }
}
