//! Filters that choose among responses, and those that change a response as a whole.

use super::not_iterable;
use crate::error::{MetricError, Result, invalid};
use serde_json::Value;

/// The first response; of a text, its first character.
pub(super) fn first(responses: &Value) -> Result<Value> {
    let first = match responses {
        Value::Array(responses) => responses.first().cloned(),
        Value::String(text) => text.chars().next().map(|c| c.to_string().into()),
        other => return Err(not_iterable(other)),
    };
    first.ok_or_else(|| MetricError::Invalid("expected a response to take, found none".to_owned()))
}

/// The first responses.
pub(super) fn first_k(responses: &Value, k: usize) -> Result<Value> {
    let (count, first) = match responses {
        Value::Array(responses) => (responses.len(), responses.iter().take(k).cloned().collect()),
        Value::String(text) => (text.chars().count(), Value::String(text.chars().take(k).collect())),
        other => return Err(not_iterable(other)),
    };
    match count < k {
        true => invalid(format!("expected at least {k} responses to take, found {count}; raise `repeats` of the task")),
        false => Ok(first),
    }
}

/// The most frequent response, the first of equals, as a list of one.
pub(super) fn majority(responses: &Value) -> Result<Value> {
    let responses: Vec<Value> = match responses {
        Value::Array(responses) => responses.clone(),
        Value::String(text) => text.chars().map(|c| c.to_string().into()).collect(),
        other => return Err(not_iterable(other)),
    };
    let mut counts: Vec<(&Value, usize)> = Vec::new();
    for response in &responses {
        if matches!(response, Value::Array(_) | Value::Object(_)) {
            return invalid(format!("expected texts to vote about, found `{response}`"));
        }
        match counts.iter_mut().find(|(known, _)| *known == response) {
            Some((_, count)) => *count += 1,
            None => counts.push((response, 1)),
        }
    }
    let most = counts.iter().copied().reduce(|best, other| if other.1 > best.1 { other } else { best });
    match most {
        Some((vote, _)) => Ok(Value::Array(vec![vote.clone()])),
        None => invalid("expected responses to vote about, found none"),
    }
}

/// A changed text; another value has no such method in Python.
pub(super) fn text(response: &Value, change: impl Fn(&str) -> String) -> Result<Value> {
    try_text(response, |text| Ok(change(text)))
}

pub(super) fn try_text(response: &Value, change: impl Fn(&str) -> Result<String>) -> Result<Value> {
    match response {
        Value::String(text) => change(text).map(Value::String),
        other => invalid(format!("expected a text as response, found `{other}`")),
    }
}

/// What a mapping has for a response.
pub(super) fn mapped(response: &Value, mapping: &[(Value, Value)], default: &Value) -> Result<Value> {
    match response {
        Value::Array(_) | Value::Object(_) => invalid(format!("expected a text as response, found `{response}`")),
        _ => Ok(mapping.iter().find(|(key, _)| key == response).map_or(default, |(_, value)| value).clone()),
    }
}
