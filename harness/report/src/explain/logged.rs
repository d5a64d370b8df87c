//! The log of samples that lm-evaluation-harness writes with `--log_samples`: `samples_TASK_DATE.jsonl`.

use examiner_api::{PluginError, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What it recorded of one document under one filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logged {
    /// The document's index in its split.
    pub(super) document: u64,
    /// The name of the filter; `none` where the task has none.
    pub(super) filter: String,
    /// What was asked: the texts of each request, of which the first is the context.
    pub(super) requests: Vec<Vec<String>>,
    /// What was answered to each request, the first of its repetitions.
    pub(super) responses: Vec<Response>,
    /// What the filter made of the first answer, where that is a text.
    pub(super) filtered: Option<String>,
    /// The metrics that are numbers.
    pub(super) metrics: BTreeMap<String, f64>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Response {
    /// A log-likelihood in nats.
    Score(f64),
    /// A text.
    Text(String),
}

/// The task that a log is of, from its file's name.
pub(super) fn task(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?.strip_prefix("samples_")?;
    // The date begins with the last underscore: `2026-01-31T10-00-00.123456`.
    let (task, date) = stem.rsplit_once('_').unwrap_or((stem, ""));
    let is_date = date.len() >= 10 && date.bytes().take(4).all(|byte| byte.is_ascii_digit());
    Some(if is_date { task.to_owned() } else { stem.to_owned() })
}

/// The lines of a log.
///
/// # Errors
/// `Io` for a file that cannot be read, `BadInput` for a line that is none of such a log.
pub(super) fn read(path: &Path) -> Result<Vec<Logged>> {
    let file = File::open(path).map_err(|error| PluginError::io("read", path, &error))?;
    let mut logged = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| PluginError::io("read", path, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = || {
            let place = format!("line {} of `{}`", index + 1, path.display());
            PluginError::bad_input(format!("{place} is no sample of lm-evaluation-harness")).with_help(
                "expected a file that it writes with `--log_samples`: JSON lines with `doc_id`, `arguments` and `resps`",
            )
        };
        let row: Map<String, Value> = serde_json::from_str(&line).map_err(|error| wrong().with_cause(&error))?;
        logged.push(of_row(&row).ok_or_else(wrong)?);
    }
    Ok(logged)
}

fn of_row(row: &Map<String, Value>) -> Option<Logged> {
    let first = |value: &Value| value.as_array().and_then(|values| values.first()).cloned();
    let responses =
        row.get("resps")?.as_array()?.iter().map(|repeats| response(&first(repeats)?)).collect::<Option<_>>()?;
    let filtered = row.get("filtered_resps").and_then(first).map(|value| first(&value).unwrap_or(value));
    let names = row.get("metrics").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    Some(Logged {
        document: row.get("doc_id")?.as_u64()?,
        filter: row.get("filter").and_then(Value::as_str).unwrap_or("none").to_owned(),
        requests: requests(row.get("arguments")?)?,
        responses,
        filtered: filtered.as_ref().and_then(Value::as_str).map(str::to_owned),
        metrics: names.filter_map(|name| Some((name.to_owned(), number(row.get(name)?)?))).collect(),
    })
}

/// `{"gen_args_0": {"arg_0": ..., "arg_1": ...}}`, or the same as lists.
fn requests(arguments: &Value) -> Option<Vec<Vec<String>>> {
    let numbered = |values: &Map<String, Value>, name: &str| -> Option<Vec<Value>> {
        (0..values.len()).map(|index| values.get(&format!("{name}_{index}")).cloned()).collect()
    };
    let requests = match arguments {
        Value::Object(requests) => numbered(requests, "gen_args")?,
        Value::Array(requests) => requests.clone(),
        _ => return None,
    };
    let texts = |request: &Value| {
        let arguments = match request {
            Value::Object(arguments) => numbered(arguments, "arg")?,
            Value::Array(arguments) => arguments.clone(),
            _ => return None,
        };
        let text = |argument: &Value| argument.as_str().map_or_else(|| argument.to_string(), str::to_owned);
        Some(arguments.iter().map(text).collect())
    };
    requests.iter().map(texts).collect()
}

/// A text, a number, or a pair of a log-likelihood and whether it is greedy.
fn response(answer: &Value) -> Option<Response> {
    match answer {
        Value::Array(pair) => number(pair.first()?).map(Response::Score),
        Value::String(text) => Some(Response::Text(text.clone())),
        Value::Number(_) => number(answer).map(Response::Score),
        _ => None,
    }
}

/// Numbers stand in logs as numbers and as texts.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_task_is_named_by_the_file() {
        let of = |name: &str| task(Path::new(name));
        assert_eq!(of("a/samples_mmlu_anatomy_2026-01-31T10-00-00.123456.jsonl").as_deref(), Some("mmlu_anatomy"));
        assert_eq!(of("samples_gsm8k.jsonl").as_deref(), Some("gsm8k"));
        assert_eq!(of("results.json"), None);
    }

    #[test]
    fn a_row_of_log_likelihoods_and_one_of_a_text() {
        let scored = json!({
            "doc_id": 3, "filter": "none", "metrics": ["acc", "f1"], "acc": 1.0, "f1": [0, 1],
            "arguments": { "gen_args_0": { "arg_0": "Q", "arg_1": " a" }, "gen_args_1": { "arg_0": "Q", "arg_1": " b" } },
            "resps": [[["-1.5", "False"]], [["-2.25", "True"]]], "filtered_resps": [["-1.5", "False"], ["-2.25", "True"]]
        });
        let scored = of_row(scored.as_object().unwrap()).unwrap();
        assert_eq!(scored.requests, [["Q", " a"], ["Q", " b"]]);
        assert_eq!(scored.responses, [Response::Score(-1.5), Response::Score(-2.25)]);
        assert_eq!(scored.metrics, BTreeMap::from([("acc".to_owned(), 1.0)]), "a pair is no number");
        let generated = json!({
            "doc_id": 0, "filter": "strict-match", "metrics": ["exact_match"], "exact_match": 0.0,
            "arguments": [["Q", { "until": ["\n"] }]], "resps": [["so 5"]], "filtered_resps": ["[invalid]"]
        });
        let generated = of_row(generated.as_object().unwrap()).unwrap();
        assert_eq!(generated.responses, [Response::Text("so 5".to_owned())]);
        assert_eq!(generated.filtered.as_deref(), Some("[invalid]"));
    }

    #[test]
    fn a_line_of_something_else_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("samples_x.jsonl");
        std::fs::write(&path, "{\"question\": 1}\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 1 of") && error.contains("--log_samples"), "{error}");
    }
}
