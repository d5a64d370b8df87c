//! Filters: from a model's answers to what is judged.

use super::text_filters;
use crate::functions::{Functions, failed};
use crate::spec::{FilterKind, FilterSpec, FilterStep};
use examiner_python::{Value, equal, from_json};

/// What a filter makes of the answers to one request: one value, or a list of them where no step takes one.
///
/// # Errors
/// A step fails, as a phrase.
pub(super) fn apply(
    filter: &FilterSpec,
    answers: Vec<Value>,
    document: &Value,
    functions: &mut Functions,
) -> Result<Value, String> {
    let mut result = Value::list(answers);
    for step in &filter.steps {
        result = one(step, &result, document, functions).map_err(|what| format!("the filter `{}`: {what}", filter.name))?;
    }
    Ok(result)
}

fn one(step: &FilterStep, result: &Value, document: &Value, functions: &mut Functions) -> Result<Value, String> {
    let name = match &step.filter {
        FilterKind::Named(name) => name.as_str(),
        FilterKind::Function(function) => {
            let arguments = vec![Value::list(vec![result.clone()]), Value::list(vec![document.clone()])];
            let filtered = functions.call_named(function, arguments, Vec::new()).map_err(|error| failed(function, &error))?;
            return only(functions, function, &filtered);
        }
        FilterKind::Class(class) => {
            let options = step.options.iter().map(|(name, value)| (name.clone(), from_json(value))).collect();
            let instance = functions.call_named(class, Vec::new(), options).map_err(|error| failed(class, &error))?;
            let arguments = vec![Value::list(vec![result.clone()]), Value::list(vec![document.clone()])];
            let filtered = functions.method(class, &instance, "apply", arguments).map_err(|error| failed(class, &error))?;
            return only(functions, class, &filtered);
        }
    };
    let items = || match result {
        Value::List(items) => Ok(items.borrow().clone()),
        Value::Tuple(items) => Ok(items.to_vec()),
        // Python goes through the letters of a text.
        Value::Str(text) => Ok(text.chars().map(|letter| Value::str(&letter.to_string())).collect()),
        other => Err(format!("`{name}` of a `{}`, expected a list of answers", other.type_name())),
    };
    match name {
        "take_first" => items()?.into_iter().next().ok_or_else(|| "there is no answer to take".to_owned()),
        "take_first_k" => {
            let count = step.options.get("k").and_then(serde_json::Value::as_u64);
            let count = count.and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or_else(|| "`take_first_k` without a number `k`".to_owned())?;
            let items = items()?;
            if items.len() < count {
                return Err(format!("`take_first_k` takes {count} answers, and there are {}", items.len()));
            }
            Ok(Value::list(items[..count].to_vec()))
        }
        "majority_vote" => {
            let mut counted: Vec<(Value, usize)> = Vec::new();
            for item in items()? {
                match counted.iter_mut().find(|(known, _)| equal(known, &item)) {
                    Some((_, count)) => *count += 1,
                    None => counted.push((item, 1)),
                }
            }
            // Of equals the first that came.
            let most = counted.iter().map(|(_, count)| *count).max();
            let vote = counted.into_iter().find(|(_, count)| Some(*count) == most);
            vote.map(|(vote, _)| Value::list(vec![vote])).ok_or_else(|| "there is no answer to count".to_owned())
        }
        _ => text_filters::apply(name, &step.options, items()?, document),
    }
}

/// The one result of a function that was given one list of answers.
fn only(functions: &mut Functions, function: &crate::FunctionName, filtered: &Value) -> Result<Value, String> {
    let mut items = functions.collect(function, filtered).map_err(|error| failed(function, &error))?;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        _ => Err(format!("the function `{}` gives another number of results than of answers", function.name)),
    }
}
