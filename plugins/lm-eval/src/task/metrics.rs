//! What a task reports: its metrics, and the filters between answers and metrics.

use super::setting::{Refused, function, json_map};
use crate::spec::{AggregationSpec, FilterKind, FilterSpec, FilterStep, MetricSpec, OutputType, TaskSpec};
use crate::{Setting, TaskConfig};
use examiner_api::Sampling;
use examiner_metrics::filters::Filter;
use examiner_metrics::text::TextMetric;
use serde_json::Map;

/// The metrics of lm-evaluation-harness: name, aggregation where a task names none, whether more is better.
const REGISTRY: [(&str, &str, bool); 19] = [
    ("brier_score", "brier_score", false),
    ("acc", "mean", true),
    ("acc_norm", "mean", true),
    ("acc_mutual_info", "mean", true),
    ("acc_bytes", "mean", true),
    ("exact_match", "mean", true),
    ("perplexity", "perplexity", false),
    ("likelihood", "mean", true),
    ("word_perplexity", "weighted_perplexity", false),
    ("byte_perplexity", "weighted_perplexity", false),
    ("bits_per_byte", "bits_per_byte", false),
    ("bypass", "bypass", true),
    ("mcc", "matthews_corrcoef", true),
    ("f1", "f1", true),
    ("bleu", "bleu", true),
    ("chrf", "chrf", true),
    ("chrf++", "chrf++", true),
    ("ter", "ter", false),
    ("acc_all", "mean", true),
];

/// The aggregations of lm-evaluation-harness that are supported.
const AGGREGATIONS: [&str; 13] = [
    "nanmean",
    "mean",
    "median",
    "perplexity",
    "weighted_perplexity",
    "bits_per_byte",
    "f1",
    "matthews_corrcoef",
    "bleu",
    "chrf",
    "chrf++",
    "ter",
    "brier_score",
];

fn registered(name: &str) -> Option<(&'static str, bool)> {
    REGISTRY.iter().find(|(known, ..)| *known == name).map(|(_, aggregation, better)| (*aggregation, *better))
}

/// What judging the samples of a task depends on, as far as its metrics say.
pub(super) fn spec(config: &TaskConfig, output_type: OutputType) -> Result<TaskSpec, Refused> {
    let process_results = function("process_results", config.get("process_results"))?;
    let metrics = match config.get("metric_list") {
        None => {
            let default = |name: &&str| {
                let (aggregation, higher_is_better) = registered(name).unwrap_or(("mean", true));
                MetricSpec {
                    name: (*name).to_owned(),
                    function: None,
                    options: Map::new(),
                    aggregation: AggregationSpec::Named(aggregation.to_owned()),
                    higher_is_better,
                }
            };
            output_type.default_metrics().iter().map(default).collect()
        }
        Some(Setting::List(list)) => {
            let read = list.iter().map(|entry| metric(entry, output_type, process_results.is_some()));
            let mut metrics: Vec<MetricSpec> = Vec::new();
            for metric in read.collect::<Result<Vec<_>, _>>()? {
                // Of two metrics with one name the second counts, at the place of the first.
                match metrics.iter_mut().find(|known| known.name == metric.name) {
                    Some(known) => *known = metric,
                    None => metrics.push(metric),
                }
            }
            metrics
        }
        Some(other) => return Err(format!("{} as `metric_list`", other.kind())),
    };
    let repeats = match config.get("repeats") {
        None => 1,
        Some(Setting::Int(number)) if (1..=10_000).contains(number) => *number as u32,
        Some(other) => return Err(format!("{} as `repeats`", other.kind())),
    };
    let spec = TaskSpec {
        output_type,
        metrics,
        filters: filters(config.get("filter_list"))?,
        process_results,
        repeats,
        sampling: Sampling::default(),
        has_choices: false,
        multiple_inputs: false,
        multiple_targets: false,
        python: None,
    };
    computable(&spec)?;
    Ok(spec)
}

fn metric(entry: &Setting, output_type: OutputType, is_processed: bool) -> Result<MetricSpec, Refused> {
    let entries = entry.as_map().ok_or_else(|| format!("{} in `metric_list`", entry.kind()))?;
    let get = |name: &str| entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    let (name, function) = match get("metric") {
        Some(Setting::Text(name)) => (name.clone(), None),
        Some(Setting::Function(function)) if !is_processed => (function.name.clone(), Some(function.clone())),
        Some(other) => return Err(format!("{} as `metric` in `metric_list`", other.kind())),
        None => return Err("an entry of `metric_list` without `metric`".to_owned()),
    };
    let own = ["metric", "aggregation", "higher_is_better", "hf_evaluate"];
    // Where a function judges, the metric's options have no effect.
    let options = match is_processed {
        true => Map::new(),
        false => json_map(entries.iter().filter(|(key, _)| !own.contains(&key.as_str())))?,
    };
    // A metric's function is called with generated answers alone; of the others lm-evaluation-harness computes metrics by their names.
    if !is_processed && function.is_none() && output_type == OutputType::GenerateUntil {
        if get("hf_evaluate") == Some(&Setting::Bool(true)) {
            return Err(format!("the metric `{name}` of the library `evaluate`"));
        }
        if registered(&name).is_none() {
            return Err(format!("the metric `{name}`, which is looked for in the library `evaluate`"));
        }
    }
    let aggregation = match get("aggregation") {
        Some(Setting::Text(aggregation)) if AGGREGATIONS.contains(&aggregation.as_str()) => {
            AggregationSpec::Named(aggregation.clone())
        }
        Some(Setting::Function(function)) => AggregationSpec::Function(function.clone()),
        Some(other) => return Err(format!("{} as `aggregation` of the metric `{name}`", other.kind())),
        None => match registered(&name) {
            Some((aggregation, _)) => AggregationSpec::Named(aggregation.to_owned()),
            None => return Err(format!("the metric `{name}` without `aggregation`")),
        },
    };
    let higher_is_better = match get("higher_is_better") {
        Some(Setting::Bool(better)) => *better,
        None | Some(Setting::Null) => registered(&name).is_none_or(|(_, better)| better),
        Some(other) => return Err(format!("{} as `higher_is_better` of the metric `{name}`", other.kind())),
    };
    Ok(MetricSpec { name, function, options, aggregation, higher_is_better })
}

fn filters(setting: Option<&Setting>) -> Result<Vec<FilterSpec>, Refused> {
    let named = |name: &str| FilterStep { filter: FilterKind::Named(name.to_owned()), options: Map::new() };
    let list = match setting {
        None => return Ok(vec![FilterSpec { name: "none".to_owned(), steps: vec![named("take_first")] }]),
        Some(Setting::List(list)) if !list.is_empty() => list,
        Some(other) => return Err(format!("{} as `filter_list`", other.kind())),
    };
    let mut filters: Vec<FilterSpec> = Vec::new();
    for entry in list {
        let entries = entry.as_map().ok_or_else(|| format!("{} in `filter_list`", entry.kind()))?;
        let get = |name: &str| entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        let (Some(Setting::Text(name)), Some(Setting::List(steps))) = (get("name"), get("filter")) else {
            return Err("an entry of `filter_list` without a `name` and a list as `filter`".to_owned());
        };
        if filters.iter().any(|known| known.name == *name) {
            return Err(format!("two filters with the name `{name}`"));
        }
        filters.push(FilterSpec { name: name.clone(), steps: steps.iter().map(step).collect::<Result<_, _>>()? });
    }
    Ok(filters)
}

fn step(setting: &Setting) -> Result<FilterStep, Refused> {
    let entries = setting.as_map().ok_or_else(|| format!("{} in `filter`", setting.kind()))?;
    let options = |left_out: &str| json_map(entries.iter().filter(|(key, _)| key != "function" && key != left_out));
    match entries.iter().find(|(key, _)| key == "function").map(|(_, value)| value) {
        Some(Setting::Text(name)) if name == "custom" => {
            let function =
                entries.iter().find(|(key, _)| key == "filter_fn").and_then(|(_, value)| value.as_function());
            let Some(function) = function else { return Err("the filter `custom` without `filter_fn`".to_owned()) };
            Ok(FilterStep { filter: FilterKind::Function(function.clone()), options: options("filter_fn")? })
        }
        Some(Setting::Text(name)) => {
            let options = options("")?;
            Filter::new(name, &options).map_err(|error| format!("the filter `{name}`: {error}"))?;
            Ok(FilterStep { filter: FilterKind::Named(name.clone()), options })
        }
        Some(Setting::Function(class)) => {
            Ok(FilterStep { filter: FilterKind::Class(class.clone()), options: options("")? })
        }
        _ => Err("a step of a filter without `function`".to_owned()),
    }
}

/// Refuses metrics that lm-evaluation-harness itself has no number for.
fn computable(spec: &TaskSpec) -> Result<(), Refused> {
    if spec.process_results.is_some() {
        return Ok(());
    }
    let by_output: &[&str] = match spec.output_type {
        OutputType::Loglikelihood => &["perplexity", "acc"],
        OutputType::LoglikelihoodRolling => &["word_perplexity", "byte_perplexity", "bits_per_byte"],
        OutputType::MultipleChoice => &[
            "acc",
            "f1",
            "mcc",
            "acc_norm",
            "acc_bytes",
            "exact_match",
            "brier_score",
            "likelihood",
            "acc_mutual_info",
        ],
        OutputType::GenerateUntil => &["exact_match", "bleu", "chrf", "chrf++", "ter"],
    };
    for metric in &spec.metrics {
        let name = &metric.name;
        if name == "exact_match" && metric.function.is_none() && spec.output_type == OutputType::GenerateUntil {
            TextMetric::new(name, &metric.options).map_err(|error| format!("the metric `{name}`: {error}"))?;
        }
        let is_computed = by_output.contains(&name.as_str())
            || (metric.function.is_some() && spec.output_type == OutputType::GenerateUntil);
        if !is_computed {
            return Err(format!(
                "the metric `{name}`, which lm-evaluation-harness does not compute for this output type"
            ));
        }
        let AggregationSpec::Named(aggregation) = &metric.aggregation else { continue };
        if metric.function.is_some() {
            continue;
        }
        let is_number = match spec.output_type {
            OutputType::GenerateUntil => name == "exact_match",
            OutputType::LoglikelihoodRolling => false,
            _ => !["f1", "mcc", "brier_score", "likelihood"].contains(&name.as_str()),
        };
        let fits = match aggregation.as_str() {
            "mean" | "nanmean" | "median" | "perplexity" => is_number,
            "weighted_perplexity" | "bits_per_byte" => spec.output_type == OutputType::LoglikelihoodRolling,
            "f1" | "matthews_corrcoef" => name == "f1" || name == "mcc",
            "brier_score" => name == "brier_score",
            "bleu" | "chrf" | "chrf++" | "ter" => spec.output_type == OutputType::GenerateUntil && !is_number,
            _ => false,
        };
        if !fits {
            return Err(format!("the aggregation `{aggregation}` of the metric `{name}`, which cannot be computed"));
        }
    }
    Ok(())
}
