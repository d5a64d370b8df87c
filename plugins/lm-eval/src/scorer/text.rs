//! Generated answers, judged as lm-evaluation-harness judges them.

use crate::functions::{Functions, failed};
use crate::spec::{MetricSpec, TaskSpec};
use examiner_metrics::text::TextMetric;
use examiner_python::{Error, Value, str_of};

/// What the result is compared with.
///
/// # Errors
/// Target and result have nothing in common, as a phrase.
pub(super) fn gold(task: &TaskSpec, target: Value, result: &Value) -> Result<Value, String> {
    // The dataset has put the choice itself into the place of its index.
    if task.has_choices {
        return Ok(target);
    }
    match (&target, result) {
        (Value::List(_), _) if task.multiple_targets => Ok(target),
        // Python makes a list of the letters of a text.
        (Value::Str(text), _) if task.multiple_targets => {
            Ok(Value::list(text.chars().map(|letter| Value::str(&letter.to_string())).collect()))
        }
        _ if task.multiple_targets => {
            Err(format!("a `{}` as target, where the first document has a list", target.type_name()))
        }
        (Value::Str(_), Value::Str(_)) => Ok(target),
        (_, Value::Str(_)) => Ok(Value::str(&str_of(&target))),
        _ if target.type_name() == result.type_name() => Ok(target),
        _ => Err(format!("a `{}` as target and a `{}` as answer", target.type_name(), result.type_name())),
    }
}

/// The value of a metric for a result.
///
/// # Errors
/// It has none, as a phrase.
pub(super) fn value(
    task: &TaskSpec,
    metric: &MetricSpec,
    gold: &Value,
    result: &Value,
    functions: &mut Functions,
) -> Result<Value, String> {
    let golds = match gold {
        Value::List(items) if task.multiple_targets => Some(items.borrow().clone()),
        Value::List(_) | Value::Tuple(_) if metric.function.is_none() => {
            return Err("several targets, where the first document has one".to_owned());
        }
        _ if task.multiple_targets => Some(vec![gold.clone()]),
        _ => None,
    };
    if let Some(function) = &metric.function {
        let mut call = |gold: &Value| own(function, metric, gold, result, functions);
        return match golds {
            None => call(gold),
            Some(golds) => {
                let mut is_right = false;
                for gold in &golds {
                    let value = match call(gold)? {
                        Value::Dict(reported) => reported
                            .borrow()
                            .get_str(&metric.name)
                            .cloned()
                            .ok_or_else(|| format!("the function `{}` gives no `{}`", function.name, metric.name))?,
                        other => other,
                    };
                    is_right |= examiner_python::truth(&value);
                }
                Ok(Value::Float(f64::from(u8::from(is_right))))
            }
        };
    }
    if metric.name == "exact_match" {
        let texts = |value: &Value| match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("`exact_match` of a `{}`, expected a text", value.type_name())),
        };
        let golds = golds.as_deref().unwrap_or(std::slice::from_ref(gold));
        let references = golds.iter().map(texts).collect::<Result<Vec<String>, String>>()?;
        let TextMetric::Mean(compare) =
            TextMetric::new("exact_match", &metric.options).map_err(|error| error.to_string())?
        else {
            return Err("`exact_match` over all samples".to_owned());
        };
        return Ok(Value::Float(compare.value(&texts(result)?, &references).map_err(|error| error.to_string())?));
    }
    match golds {
        // What lm-evaluation-harness has of several texts is no value that it can aggregate.
        Some(_) => Err(format!("the metric `{}` of several targets", metric.name)),
        None => Ok(Value::list(vec![gold.clone(), result.clone()])),
    }
}

/// A metric of the task's own: called with names first, and with a pair where it knows none of them.
fn own(
    function: &crate::FunctionName,
    metric: &MetricSpec,
    gold: &Value,
    result: &Value,
    functions: &mut Functions,
) -> Result<Value, String> {
    let mut named = vec![
        ("references".to_owned(), Value::list(vec![gold.clone()])),
        ("predictions".to_owned(), Value::list(vec![result.clone()])),
    ];
    named.extend(metric.options.iter().map(|(name, value)| (name.clone(), examiner_python::from_json(value))));
    let value = match functions.call_named(function, Vec::new(), named) {
        Err(Error::Exception(raised)) if raised.exception.is_a("TypeError") => {
            functions.call_named(function, vec![Value::list(vec![gold.clone(), result.clone()])], Vec::new())
        }
        other => other,
    };
    let value = value.map_err(|error| failed(function, &error))?;
    match &value {
        Value::Dict(reported) if !task_has_it(reported.borrow().iter().map(|(key, _)| str_of(key)), &metric.name) => {
            let keys: Vec<String> = reported.borrow().iter().map(|(key, _)| format!("`{}`", str_of(key))).collect();
            Err(format!(
                "the function `{}` reports {}, expected `{}` alone",
                function.name,
                keys.join(", "),
                metric.name
            ))
        }
        Value::Dict(reported) => Ok(reported.borrow().get_str(&metric.name).cloned().unwrap_or(Value::None)),
        _ => Ok(value),
    }
}

fn task_has_it(mut keys: impl Iterator<Item = String>, name: &str) -> bool {
    keys.next().as_deref() == Some(name) && keys.next().is_none()
}
