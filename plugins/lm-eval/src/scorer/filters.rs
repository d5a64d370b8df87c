//! Filters: from a model's answers to what is judged.

use crate::functions::{Functions, failed};
use crate::spec::{FilterKind, FilterSpec, FilterStep};
use examiner_metrics::filters::Filter;
use examiner_python::{Value, from_json, to_json};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// Filters that were compiled, by what a task says of them.
    static COMPILED: RefCell<HashMap<String, Filter>> = RefCell::new(HashMap::new());
}

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
        result =
            one(step, &result, document, functions).map_err(|what| format!("the filter `{}`: {what}", filter.name))?;
    }
    Ok(result)
}

fn one(step: &FilterStep, result: &Value, document: &Value, functions: &mut Functions) -> Result<Value, String> {
    let name = match &step.filter {
        FilterKind::Named(name) => name.as_str(),
        FilterKind::Function(function) => {
            let arguments = vec![Value::list(vec![result.clone()]), Value::list(vec![document.clone()])];
            let filtered =
                functions.call_named(function, arguments, Vec::new()).map_err(|error| failed(function, &error))?;
            return only(functions, function, &filtered);
        }
        FilterKind::Class(class) => {
            let options = step.options.iter().map(|(name, value)| (name.clone(), from_json(value))).collect();
            let instance = functions.call_named(class, Vec::new(), options).map_err(|error| failed(class, &error))?;
            let arguments = vec![Value::list(vec![result.clone()]), Value::list(vec![document.clone()])];
            let filtered =
                functions.method(class, &instance, "apply", arguments).map_err(|error| failed(class, &error))?;
            return only(functions, class, &filtered);
        }
    };
    let json = |value: &Value| to_json(value).map_err(|error| error.to_string());
    let filter = compiled(name, step)?;
    // No other filter looks at the document.
    let document = if name == "multi_choice_regex" { json(document)? } else { serde_json::Value::Null };
    let filtered = filter.apply(&json(result)?, &document).map_err(|error| error.to_string())?;
    Ok(from_json(&filtered))
}

/// A filter of lm-evaluation-harness, compiled once.
fn compiled(name: &str, step: &FilterStep) -> Result<Filter, String> {
    let key = serde_json::json!([name, step.options]).to_string();
    COMPILED.with(|compiled| {
        let mut compiled = compiled.borrow_mut();
        if let Some(filter) = compiled.get(&key) {
            return Ok(filter.clone());
        }
        let filter = Filter::new(name, &step.options).map_err(|error| error.to_string())?;
        compiled.insert(key, filter.clone());
        Ok(filter)
    })
}

/// The one result of a function that was given one list of answers.
fn only(functions: &mut Functions, function: &crate::FunctionName, filtered: &Value) -> Result<Value, String> {
    let mut items = functions.collect(function, filtered).map_err(|error| failed(function, &error))?;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        _ => Err(format!("the function `{}` gives another number of results than of answers", function.name)),
    }
}
