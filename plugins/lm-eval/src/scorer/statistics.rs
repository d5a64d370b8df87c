//! From a sample's value of a metric to numbers that can be added up, and back to one value of all samples.

use super::packed::{pack, unpack};
use super::{corpus_pairs, corpus_texts};
use crate::functions::{Functions, failed};
use crate::spec::AggregationSpec;
use examiner_python::{Value, from_json, to_json};
use serde_json::json;

/// What a sample has for a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statistic {
    /// A number, whose mean counts.
    Mean(f64),
    /// Numbers that are put together over all samples.
    Corpus(Vec<f64>),
}

/// Whether the value of all samples is the mean of theirs.
pub(super) fn is_mean(aggregation: &AggregationSpec) -> bool {
    matches!(aggregation, AggregationSpec::Named(name) if name == "mean" || name == "brier_score")
}

/// The statistic of a value that a function gave, or that was made of text.
///
/// # Errors
/// The aggregation cannot use such a value, as a phrase.
pub(super) fn of_value(aggregation: &AggregationSpec, value: &Value) -> Result<Statistic, String> {
    let number = || {
        let number = match value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Scalar(_) => value.as_float(),
            _ => None,
        };
        number.ok_or_else(|| format!("a `{}` as a value, expected a number", value.type_name()))
    };
    let pair = || {
        let items = match value {
            Value::Tuple(items) => items.to_vec(),
            Value::List(items) => items.borrow().clone(),
            _ => Vec::new(),
        };
        match items.iter().map(Value::as_float).collect::<Option<Vec<f64>>>().as_deref() {
            Some([left, right]) => Ok(vec![*left, *right]),
            _ => Err(format!("a `{}` as a value, expected a pair of numbers", value.type_name())),
        }
    };
    let name = match aggregation {
        AggregationSpec::Function(_) => {
            let json = to_json(value).map_err(|error| error.to_string())?;
            // A pair of Python is a list of JSON; which it was is kept.
            let is_tuple = matches!(value, Value::Tuple(_));
            return Ok(Statistic::Corpus(pack(&json!([is_tuple, json]))));
        }
        AggregationSpec::Named(name) => name.as_str(),
        AggregationSpec::Python { metric, .. } => return Err(computed_by_python(metric)),
    };
    Ok(match name {
        "mean" => Statistic::Mean(number()?),
        "nanmean" => {
            let number = number()?;
            Statistic::Corpus(if number.is_nan() { vec![0.0, 0.0] } else { vec![1.0, number] })
        }
        "median" | "perplexity" => Statistic::Corpus(vec![number()?]),
        "weighted_perplexity" | "bits_per_byte" | "f1" | "matthews_corrcoef" => Statistic::Corpus(pair()?),
        "bleu" | "chrf" | "chrf++" | "ter" => Statistic::Corpus(texts(name, value)?),
        other => return Err(format!("the aggregation `{other}` of a value that a function gave")),
    })
}

fn computed_by_python(metric: &str) -> String {
    format!("the aggregation of `{metric}`, which Python computes")
}

/// The statistics of a reference, or several, and a prediction.
fn texts(name: &str, value: &Value) -> Result<Vec<f64>, String> {
    let items = match value {
        Value::Tuple(items) => items.to_vec(),
        Value::List(items) => items.borrow().clone(),
        _ => Vec::new(),
    };
    let strings = |value: &Value| -> Option<Vec<String>> {
        match value {
            Value::Str(text) => Some(vec![text.to_string()]),
            Value::List(items) => items.borrow().iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::Tuple(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    };
    let read = match items.as_slice() {
        [references, prediction] => strings(references).zip(strings(prediction)),
        _ => None,
    };
    let Some((references, predictions)) = read else {
        return Err(format!("a `{}` as a value of `{name}`, expected a reference and a prediction", value.type_name()));
    };
    let [prediction] = predictions.as_slice() else {
        return Err(format!("{} predictions as a value of `{name}`, expected one", predictions.len()));
    };
    corpus_texts::statistics(name, &references, prediction)
}

/// The value of all samples.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn corpus(
    aggregation: &AggregationSpec,
    statistics: &[&[f64]],
    functions: &mut Functions,
) -> Result<f64, String> {
    let name = match aggregation {
        AggregationSpec::Function(function) => {
            let mut items = Vec::with_capacity(statistics.len());
            for numbers in statistics {
                let json = unpack(numbers).and_then(|json| json.as_array().cloned());
                let Some([is_tuple, json]) = json.as_deref().and_then(|json| json.as_array::<2>()) else {
                    return Err("statistics that are not those of this metric".to_owned());
                };
                items.push(match (is_tuple.as_bool(), from_json(json)) {
                    (Some(true), Value::List(items)) => Value::tuple(items.borrow().clone()),
                    (_, value) => value,
                });
            }
            let value = functions
                .call_named(function, vec![Value::list(items)], Vec::new())
                .map_err(|error| failed(function, &error))?;
            return value.as_float().ok_or_else(|| {
                format!("the function `{}` gives a `{}`, expected a number", function.name, value.type_name())
            });
        }
        AggregationSpec::Named(name) => name.as_str(),
        AggregationSpec::Python { metric, .. } => return Err(computed_by_python(metric)),
    };
    let column = |place: usize| statistics.iter().map(move |numbers| numbers.get(place).copied().unwrap_or(f64::NAN));
    let count = statistics.len() as f64;
    Ok(match name {
        // A metric that is a mean in one task and something else in another.
        "mean" | "brier_score" => column(0).sum::<f64>() / count,
        "nanmean" => column(1).sum::<f64>() / column(0).sum::<f64>(),
        "median" => {
            let mut values: Vec<f64> = column(0).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        }
        "perplexity" => (-(column(0).sum::<f64>() / count)).exp(),
        "weighted_perplexity" => (-(column(0).sum::<f64>() / column(1).sum::<f64>())).exp(),
        "bits_per_byte" => -(column(0).sum::<f64>() / column(1).sum::<f64>()) / std::f64::consts::LN_2,
        "f1" | "matthews_corrcoef" => {
            let pairs: Vec<(f64, f64)> = column(0).zip(column(1)).collect();
            corpus_pairs::value(name, &pairs)?
        }
        other => corpus_texts::value(other, statistics)?,
    })
}
