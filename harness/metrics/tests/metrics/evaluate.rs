//! Computes what a case asks for: a JSON object that names a metric, an aggregation, a filter or a pattern, with what it works on.

use examiner_metrics::classification::{Average, matthews_correlation, precision_recall};
use examiner_metrics::filters::{Filter, apply_all};
use examiner_metrics::python_regex::{Flags, Match, Pattern, Subject, Template};
use examiner_metrics::text::TextMetric;
use examiner_metrics::{aggregate, choice, rouge::Rouge, unicode};
use serde_json::{Map, Value, json};

/// The result of a case; an error is `{"error": message}`.
pub(crate) fn evaluate(case: &Value) -> Value {
    let result = match case["kind"].as_str() {
        Some("text") => text(case),
        Some("classes") => classes(case),
        Some("aggregate") => aggregated(case),
        Some("choice") => chosen(case),
        Some("filter") => filtered(case),
        Some("regex") => matched(case),
        Some("replace") => replaced(case),
        Some("unicode") => characters(case),
        Some("rouge") => rouge(case),
        other => Err(format!("expected a kind of case, found {other:?}")),
    };
    result.unwrap_or_else(|error| json!({ "error": error }))
}

type Result = std::result::Result<Value, String>;

fn said(error: impl ToString) -> String {
    error.to_string()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().map(|item| item.as_f64().unwrap_or(f64::NAN)).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_u64()).map(|size| size as usize).collect()
}

/// A number that JSON has not is its name.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn name(case: &Value) -> &str {
    case["name"].as_str().unwrap_or_default()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn text(case: &Value) -> Result {
    let metric = TextMetric::new(name(case), &object(&case["options"])).map_err(said)?;
    let samples = case["samples"].as_array().into_iter().flatten();
    let samples = samples.map(|sample| (sample[0].as_str().unwrap_or_default(), strings(&sample[1])));
    match metric {
        TextMetric::Mean(metric) => {
            let values = samples.map(|(prediction, references)| metric.value(prediction, &references));
            let values: Vec<f64> = values.collect::<std::result::Result<_, _>>().map_err(said)?;
            Ok(values.into_iter().map(number).collect())
        }
        TextMetric::Corpus(metric) => {
            let statistics = samples.map(|(prediction, references)| metric.statistics(prediction, &references));
            let statistics: Vec<Vec<f64>> = statistics.collect::<std::result::Result<_, _>>().map_err(said)?;
            Ok(number(metric.corpus(&statistics)))
        }
    }
}

fn classes(case: &Value) -> Result {
    let pairs = case["pairs"].as_array().into_iter().flatten();
    let pairs: Vec<(i64, i64)> =
        pairs.map(|pair| (pair[0].as_i64().unwrap_or_default(), pair[1].as_i64().unwrap_or_default())).collect();
    let average = match name(case) {
        "mcc" => return matthews_correlation(&pairs).map(number).map_err(said),
        "micro" => Average::Micro,
        "macro" => Average::Macro,
        "weighted" => Average::Weighted,
        _ => Average::Binary { positive: &1 },
    };
    let found = precision_recall(&pairs, average, case["zero_division"].as_f64().unwrap_or_default()).map_err(said)?;
    Ok([found.precision, found.recall, found.f1].into_iter().map(number).collect())
}

fn aggregated(case: &Value) -> Result {
    let values = numbers(&case["values"]);
    let pairs: Vec<(f64, f64)> = values.iter().copied().zip(numbers(&case["weights"])).collect();
    let sizes = sizes(&case["weights"]);
    let value = match name(case) {
        "mean" => aggregate::mean(&values),
        "nanmean" => aggregate::nan_mean(&values),
        "median" => aggregate::median(&values).unwrap_or(f64::NAN),
        "sum" => aggregate::pairwise_sum(&values),
        "perplexity" => aggregate::perplexity(&values),
        "weighted_perplexity" => aggregate::weighted_perplexity(&pairs),
        "bits_per_byte" => aggregate::bits_per_byte(&pairs),
        "pop_stddev" => aggregate::population_deviation(&values),
        "sample_stddev" => aggregate::sample_deviation(&values),
        "mean_stderr" => aggregate::mean_error(&values),
        "group" => aggregate::group_mean(&values, &sizes, true),
        "unweighted_group" => aggregate::group_mean(&values, &sizes, false),
        "pooled_sample_stderr" => aggregate::pooled_error(&values, &sizes),
        "unweighted_mean_stderr" => aggregate::unweighted_mean_error(&values),
        other => return Err(format!("there is no aggregation `{other}`")),
    };
    Ok(number(value))
}

fn chosen(case: &Value) -> Result {
    let (likelihoods, alone, choices) =
        (numbers(&case["loglikelihoods"]), numbers(&case["unconditional"]), strings(&case["choices"]));
    let by = |length| choice::chosen(&likelihoods, &choices, length).map_err(said);
    let gold = case["gold"].as_u64().unwrap_or_default() as usize;
    Ok(json!([
        by(choice::Length::One)?,
        by(choice::Length::Characters)?,
        by(choice::Length::Bytes)?,
        choice::chosen_by_mutual_information(&likelihoods, &alone).map_err(said)?,
        choice::brier(&choice::softmax(&likelihoods), gold).map_err(said)?,
    ]))
}

fn filtered(case: &Value) -> Result {
    let steps = case["filters"].as_array().into_iter().flatten();
    let filters = steps.map(|step| Filter::new(step[0].as_str().unwrap_or_default(), &object(&step[1])));
    let filters: Vec<Filter> = filters.collect::<std::result::Result<_, _>>().map_err(said)?;
    apply_all(&filters, &case["responses"], &case["document"]).map_err(said)
}

fn pattern(case: &Value) -> std::result::Result<Pattern, String> {
    let flags = case["flags"].as_u64().and_then(|bits| Flags::from_bits(bits as u32)).unwrap_or_default();
    Pattern::compile(case["pattern"].as_str().unwrap_or_default(), flags).map_err(said)
}

/// All matches, the one at the start and the one of the whole text, as spans of their groups and the group that was closed last.
fn matched(case: &Value) -> Result {
    let pattern = pattern(case)?;
    let shown = |found: &Match| -> Value {
        let spans = (0..=found.groups()).map(|group| match found.span(group) {
            Some((start, end)) => json!([start, end]),
            None => json!([-1, -1]),
        });
        json!([spans.collect::<Vec<_>>(), found.last_index()])
    };
    let mut results = Vec::new();
    for text in strings(&case["texts"]) {
        let subject = Subject::new(&text);
        let all: std::result::Result<Vec<Match>, _> = pattern.matches(&subject, 0).collect();
        let all: Vec<Value> = all.map_err(said)?.iter().map(shown).collect();
        let first = pattern.match_at(&subject, 0).map_err(said)?;
        let whole = pattern.full_match(&subject, 0).map_err(said)?;
        let split = pattern.split(&text, 0).map_err(said)?;
        results.push(json!([all, first.as_ref().map(shown), whole.as_ref().map(shown), split]));
    }
    Ok(Value::Array(results))
}

fn replaced(case: &Value) -> Result {
    let pattern = pattern(case)?;
    let template = Template::parse(case["template"].as_str().unwrap_or_default(), &pattern).map_err(said)?;
    let most = case["count"].as_u64().unwrap_or_default() as usize;
    let replaced = |text: String| pattern.replace(&text, &template, most).map(Value::String).map_err(said);
    strings(&case["texts"]).into_iter().map(replaced).collect()
}

/// Lower case, upper case, stripped, split, and the category of each character.
fn characters(case: &Value) -> Result {
    let shown = |text: String| {
        json!([
            unicode::lower(&text),
            unicode::upper(&text),
            unicode::strip(&text),
            unicode::split(&text).collect::<Vec<_>>(),
            text.chars().map(|c| unicode::category(u32::from(c))).collect::<Vec<_>>(),
        ])
    };
    Ok(strings(&case["texts"]).into_iter().map(shown).collect())
}

fn rouge(case: &Value) -> Result {
    let kind = Rouge::named(name(case)).map_err(said)?;
    let stemming = case["stemming"].as_bool().unwrap_or_default();
    let scores = case["samples"].as_array().into_iter().flatten().map(|sample| {
        let score = kind.best(&strings(&sample[1]), sample[0].as_str().unwrap_or_default(), stemming);
        json!([score.precision, score.recall, score.f_measure])
    });
    Ok(scores.collect())
}

/// Whether a result is the expected one: numbers within a relative difference of 1e-9, all else equal. Where an error is expected, any is one.
pub(crate) fn agrees(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap_or(f64::NAN), expected.as_f64().unwrap_or(f64::NAN));
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(one, other)| agrees(one, other))
        }
        (Value::Object(found), Value::Object(expected)) if expected.contains_key("error") => {
            found.contains_key("error")
        }
        _ => found == expected,
    }
}
