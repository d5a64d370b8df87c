//! Multiple choice, judged as lm-evaluation-harness judges it.

use crate::spec::{MetricSpec, TaskSpec};
use examiner_metrics::choice as metrics;
use examiner_python::Value;

/// What a sample of multiple choice has to be judged by.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    /// The log-likelihood of each choice, and whether it is the most probable text.
    pub(super) given: &'a [(f64, bool)],
    /// The log-likelihood of each choice without the question; empty where nothing needs it.
    pub(super) alone: &'a [(f64, bool)],
    /// The choices, without the delimiter.
    pub(super) choices: &'a [String],
    /// The right one, as the task says it.
    pub(super) gold: &'a Value,
}

/// The values of a metric of one sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    /// A number.
    Number(f64),
    /// The right choice and the chosen one.
    Pair(f64, usize),
}

/// The right choice or choices.
enum Right {
    One(Option<i64>),
    Any(Vec<Option<i64>>),
}

/// The metrics of one sample, in the order of the task.
///
/// # Errors
/// What lm-evaluation-harness raises an exception for, as a phrase.
pub(super) fn judge<'s>(spec: &'s TaskSpec, chosen: &Chosen<'_>) -> Result<Vec<(&'s MetricSpec, Judged)>, String> {
    let lls: Vec<f64> = chosen.given.iter().map(|(sum, _)| *sum).collect();
    if lls.is_empty() || (!spec.multiple_inputs && lls.len() != chosen.choices.len()) {
        return Err(format!("{} log-likelihoods of {} choices", lls.len(), chosen.choices.len()));
    }
    let right = right(spec, chosen)?;
    let per = |length: fn(&String) -> usize| -> Vec<f64> {
        lls.iter().zip(chosen.choices).map(|(sum, choice)| sum / length(choice) as f64).collect()
    };
    let first_best = |values: &[f64]| metrics::argmax(values).unwrap_or_default();
    let best = first_best(&lls);
    let accuracy = |best: usize| {
        let is_right = |right: &Option<i64>| *right == i64::try_from(best).ok();
        let found = match &right {
            Right::One(right) => is_right(right),
            Right::Any(all) => all.iter().any(is_right),
        };
        f64::from(u8::from(found))
    };
    let gold = || match &right {
        Right::One(Some(right)) => Ok(*right as f64),
        // What lm-evaluation-harness has for a choice that is none.
        Right::One(None) => Ok(-100.0),
        Right::Any(_) => Err("several right choices, of which the metric can use one".to_owned()),
    };
    let exact = exact_match(&right, chosen.given)?;
    let mut judged = Vec::new();
    for metric in &spec.metrics {
        let value = match metric.name.as_str() {
            "acc" => Judged::Number(accuracy(best)),
            "acc_norm" => Judged::Number(accuracy(first_best(&per(|choice| choice.chars().count())))),
            "acc_bytes" => Judged::Number(accuracy(first_best(&per(String::len)))),
            "exact_match" => Judged::Number(exact),
            "f1" | "mcc" => Judged::Pair(gold()?, best),
            "brier_score" => Judged::Number(brier(&lls, gold()?)?),
            "acc_mutual_info" => {
                if chosen.alone.len() != lls.len() {
                    return Err(format!("{} log-likelihoods without the question", chosen.alone.len()));
                }
                let gained: Vec<f64> = lls.iter().zip(chosen.alone).map(|(given, (alone, _))| given - alone).collect();
                match &right {
                    Right::One(_) => Judged::Number(accuracy(first_best(&gained))),
                    Right::Any(_) => return Err("several right choices under `acc_mutual_info`".to_owned()),
                }
            }
            name => return Err(format!("the metric `{name}` of multiple choice")),
        };
        judged.push((metric, value));
    }
    Ok(judged)
}

/// The right choice, none where what the task says is no choice.
fn right(spec: &TaskSpec, chosen: &Chosen<'_>) -> Result<Right, String> {
    let count = i64::try_from(chosen.choices.len().max(chosen.given.len())).unwrap_or(i64::MAX);
    let of = |value: &Value| match value {
        Value::Int(_) | Value::Bool(_) => Ok(value.as_int().filter(|index| *index < count)),
        other => Err(format!("a `{}` as the right choice", other.type_name())),
    };
    match chosen.gold {
        Value::List(items) if spec.multiple_targets => {
            Ok(Right::Any(items.borrow().iter().map(of).collect::<Result<_, _>>()?))
        }
        _ if spec.multiple_targets => Err("one right choice where the first document has several".to_owned()),
        Value::Str(text) => {
            let place = chosen.choices.iter().position(|choice| choice.as_str() == &**text);
            Ok(Right::One(place.and_then(|place| i64::try_from(place).ok())))
        }
        other => of(other).map(Right::One),
    }
}

/// Whether the right choice is the text that the model finds most probable. A negative place counts from the end, as in Python.
fn exact_match(right: &Right, given: &[(f64, bool)]) -> Result<f64, String> {
    let is_greedy = |right: &Option<i64>| {
        let Some(right) = right else { return Ok(false) };
        let length = i64::try_from(given.len()).unwrap_or(i64::MAX);
        let place = if *right < 0 { right + length } else { *right };
        let found = usize::try_from(place).ok().and_then(|place| given.get(place));
        found.map(|(_, is_greedy)| *is_greedy).ok_or_else(|| format!("there is no choice {right} of {length}"))
    };
    let found = match right {
        Right::One(right) => is_greedy(right)?,
        Right::Any(all) => {
            let mut found = false;
            for right in all {
                found |= !found && is_greedy(right)?;
            }
            found
        }
    };
    Ok(f64::from(u8::from(found)))
}

/// The squared distance between the probabilities of the choices and the right one.
fn brier(lls: &[f64], gold: f64) -> Result<f64, String> {
    let count = lls.len() as f64;
    let place = if gold < 0.0 { gold + count } else { gold };
    if !(0.0..count).contains(&place) {
        return Err(format!("`brier_score` without a right choice among {count}"));
    }
    metrics::brier(&metrics::softmax(lls), place as usize).map_err(|error| error.to_string())
}
