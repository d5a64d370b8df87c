//! From the answers to one question to what its task reports of it.

use super::choice::{self, Chosen, Judged as Choice};
use super::filters;
use super::metric_name;
use super::requests::{needs_alone, texts};
use super::statistics::{Statistic, is_mean, of_value};
use super::text;
use crate::functions::{Functions, failed};
use crate::spec::{AggregationSpec, FilterKind, FilterSpec, OutputType, TaskSpec};
use examiner_api::{Answer, Answered, Metadata};
use examiner_metrics::aggregate::word_count;
use examiner_python::{Value, from_json, str_of};
use serde_json::{Value as Json, json};

/// What a task reports of a sample.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Each metric's name and aggregation, with the sample's part in it.
    pub(super) statistics: Vec<(String, AggregationSpec, Statistic)>,
    /// The answer that was judged, under the first filter.
    pub(super) extracted: Option<String>,
    /// What else is worth a look.
    pub(super) details: Metadata,
}

/// Judges the answers to one question.
///
/// # Errors
/// What lm-evaluation-harness raises an exception for, or what is not supported, as a phrase.
pub(super) fn judge(task: &TaskSpec, item: &Answered, functions: &mut Functions) -> Result<Judged, String> {
    let mut judged = Judged::default();
    match task.output_type {
        OutputType::GenerateUntil => {
            for filter in &task.filters {
                generated(task, filter, item, functions, &mut judged)?;
            }
        }
        _ => scored(task, item, functions, &mut judged)?,
    }
    Ok(judged)
}

/// What the dataset has put beside the document, as a value of Python.
fn part(item: &Answered, name: &str) -> Value {
    item.question.sample.document.get(name).map_or(Value::None, from_json)
}

/// Judges log-likelihoods. All filters do the same: they take the first of one.
fn scored(task: &TaskSpec, item: &Answered, functions: &mut Functions, judged: &mut Judged) -> Result<(), String> {
    for filter in &task.filters {
        let takes_first =
            matches!(filter.steps.as_slice(), [step] if step.filter == FilterKind::Named("take_first".into()));
        if !takes_first {
            return Err(format!(
                "the filter `{}` of log-likelihoods, which does more than to take the first",
                filter.name
            ));
        }
    }
    let results = item.answers.iter().map(|answer| match answer {
        Answer::Score(result) => Ok((result.sum, result.is_greedy)),
        Answer::Generate(_) => Err("a generated answer where a log-likelihood was asked for".to_owned()),
    });
    let results = results.collect::<Result<Vec<(f64, bool)>, String>>()?;
    let sample = &item.question.sample;
    if task.process_results.is_some() {
        let result = |(sum, is_greedy): &(f64, bool)| match task.output_type {
            OutputType::LoglikelihoodRolling => Value::Float(*sum),
            _ => Value::tuple(vec![Value::Float(*sum), Value::Bool(*is_greedy)]),
        };
        let values: Vec<Value> = results.iter().map(result).collect();
        for filter in &task.filters {
            processed(task, filter, part(item, "doc"), values.clone(), functions, judged)?;
        }
        return Ok(());
    }
    let mut numbers: Vec<(String, AggregationSpec, Statistic)> = Vec::new();
    match task.output_type {
        OutputType::MultipleChoice => {
            let choices = if task.multiple_inputs { texts(&sample.document, "inputs") } else { sample.choices.clone() };
            let gold = part(item, if task.multiple_inputs { "text" } else { "target" });
            let (given, alone) = match needs_alone(task) {
                true if results.len() == 2 * choices.len() => results.split_at(choices.len()),
                true => return Err(format!("{} log-likelihoods of {} choices", results.len(), choices.len())),
                false => (results.as_slice(), &[][..]),
            };
            let chosen = Chosen { given, alone, choices: &choices, gold: &gold };
            for (metric, value) in choice::judge(task, &chosen)? {
                let statistic = match value {
                    Choice::Number(number) if is_mean(&metric.aggregation) => Statistic::Mean(number),
                    Choice::Number(number) => of_value(&metric.aggregation, &Value::Float(number))?,
                    Choice::Pair(gold, chosen) => {
                        let chosen = Value::Int(i64::try_from(chosen).unwrap_or(i64::MAX));
                        of_value(&metric.aggregation, &Value::tuple(vec![whole(gold), chosen]))?
                    }
                };
                numbers.push((metric.name.clone(), metric.aggregation.clone(), statistic));
            }
            let sums: Vec<f64> = results.iter().map(|(sum, _)| *sum).collect();
            judged.details.insert("loglikelihood_nats".to_owned(), json!(sums));
        }
        OutputType::Loglikelihood | OutputType::LoglikelihoodRolling => {
            let [(sum, is_greedy)] = results.as_slice() else {
                return Err(format!("{} log-likelihoods of one text", results.len()));
            };
            let target = part(item, "target");
            let text = target.as_str().unwrap_or_default();
            for metric in &task.metrics {
                let value = match metric.name.as_str() {
                    "acc" => Value::Float(f64::from(u8::from(*is_greedy))),
                    "perplexity" => Value::Float(*sum),
                    "word_perplexity" => pair(*sum, word_count(text)),
                    "byte_perplexity" | "bits_per_byte" => pair(*sum, text.len()),
                    other => return Err(format!("the metric `{other}` of a log-likelihood")),
                };
                let statistic = of_value(&metric.aggregation, &value)?;
                numbers.push((metric.name.clone(), metric.aggregation.clone(), statistic));
            }
        }
        OutputType::GenerateUntil => {}
    }
    for filter in &task.filters {
        let named = numbers.iter().map(|(name, aggregation, statistic)| {
            (metric_name(task, name, &filter.name), aggregation.clone(), statistic.clone())
        });
        judged.statistics.extend(named);
    }
    Ok(())
}

fn whole(number: f64) -> Value {
    Value::Int(number as i64)
}

fn pair(sum: f64, weight: usize) -> Value {
    Value::tuple(vec![Value::Float(sum), Value::Int(i64::try_from(weight).unwrap_or(i64::MAX))])
}

/// Judges generated answers under one filter.
fn generated(
    task: &TaskSpec,
    filter: &FilterSpec,
    item: &Answered,
    functions: &mut Functions,
    judged: &mut Judged,
) -> Result<(), String> {
    let answers = item.answers.iter().map(|answer| match answer {
        Answer::Generate(result) => Ok(Value::str(&result.text)),
        Answer::Score(_) => Err("a log-likelihood where an answer was asked for".to_owned()),
    });
    let mut answers = answers.collect::<Result<Vec<Value>, String>>()?;
    // What does not depend on chance was asked for once.
    if let [only] = answers.as_slice() {
        answers = vec![only.clone(); task.repeats as usize];
    }
    let document = part(item, "doc");
    let result = filters::apply(filter, answers, &document, functions)?;
    let shown = str_of(&result);
    judged.details.insert(format!("filtered,{}", filter.name), Json::String(shown.clone()));
    judged.extracted.get_or_insert(shown);
    if task.process_results.is_some() {
        return processed(task, filter, document, vec![result], functions, judged);
    }
    let gold = text::gold(task, part(item, "target"), &result)?;
    for metric in &task.metrics {
        let value = text::value(task, metric, &gold, &result, functions)?;
        let statistic =
            of_value(&metric.aggregation, &value).map_err(|what| format!("the metric `{}`: {what}", metric.name))?;
        judged.statistics.push((metric_name(task, &metric.name, &filter.name), metric.aggregation.clone(), statistic));
    }
    Ok(())
}

/// What a task's own function reports of a document and its results.
fn processed(
    task: &TaskSpec,
    filter: &FilterSpec,
    document: Value,
    results: Vec<Value>,
    functions: &mut Functions,
    judged: &mut Judged,
) -> Result<(), String> {
    let Some(function) = &task.process_results else { return Ok(()) };
    let reported = functions
        .call_named(function, vec![document, Value::list(results)], Vec::new())
        .map_err(|error| failed(function, &error))?;
    let Value::Dict(reported) = reported else {
        return Err(format!(
            "the function `{}` gives a `{}`, expected a dictionary",
            function.name,
            reported.type_name()
        ));
    };
    for (key, value) in reported.borrow().iter() {
        let key = str_of(key);
        let Some(metric) = task.metrics.iter().find(|metric| metric.name == key) else {
            judged.details.insert(key, Json::String(str_of(value)));
            continue;
        };
        let statistic = of_value(&metric.aggregation, value)
            .map_err(|what| format!("the metric `{key}` of the function `{}`: {what}", function.name))?;
        judged.statistics.push((metric_name(task, &key, &filter.name), metric.aggregation.clone(), statistic));
    }
    Ok(())
}
