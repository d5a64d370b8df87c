//! Filters of lm-evaluation-harness: what is taken from a model's responses before they are judged.
//!
//! What goes through the filters of a sample is a list of responses at first. A filter that takes the first response leaves a text, and a
//! filter that follows works on its characters, as it does in Python.

mod extraction;
mod options;
mod selection;
mod span;

use crate::error::{MetricError, Result, unsupported};
use extraction::{MultiChoice, RegexFilter};
use options::Options;
use serde_json::{Map, Value};

/// One filter with its options.
#[derive(Debug, Clone)]
pub struct Filter(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Regex(RegexFilter),
    PartsOfSpeech { fallback: Value },
    RemoveWhitespace,
    MultiChoice(Box<MultiChoice>),
    TakeFirst,
    TakeFirstK(usize),
    MajorityVote,
    Lowercase,
    Uppercase,
    Map { mapping: Vec<(Value, Value)>, default: Value },
    FormatSpan,
}

/// The names of all filters.
pub const FILTERS: [&str; 11] = [
    "regex",
    "regex_pos",
    "remove_whitespace",
    "multi_choice_regex",
    "take_first",
    "take_first_k",
    "majority_vote",
    "lowercase",
    "uppercase",
    "map",
    "format_span",
];

impl Filter {
    /// The filter of this name with the options that stand beside `function` in a task. `custom` and `decontaminate` are refused: the one
    /// is a function of a task, the other does nothing that could be followed.
    ///
    /// # Errors
    /// There is no such filter, or it has no such option.
    pub fn new(name: &str, options: &Map<String, Value>) -> Result<Filter> {
        let mut options = Options::new(name, options);
        let kind = match name {
            "regex" => Kind::Regex(RegexFilter::new(&mut options)?),
            "regex_pos" => {
                // The pattern is compiled and not used.
                RegexFilter::new(&mut options.with_default("regex_pattern", r"\['(.*?)'\]"))?;
                let fallback = match options.take("fallback") {
                    None | Some(Value::Null) => Value::Array(vec!["invalid".into()]),
                    Some(fallback) => fallback,
                };
                options.forget();
                Kind::PartsOfSpeech { fallback }
            }
            "remove_whitespace" => Kind::RemoveWhitespace,
            "multi_choice_regex" => Kind::MultiChoice(Box::new(MultiChoice::new(&mut options)?)),
            "take_first" => Kind::TakeFirst,
            "take_first_k" => Kind::TakeFirstK(options.count("k")?),
            "majority_vote" => Kind::MajorityVote,
            "lowercase" => Kind::Lowercase,
            "uppercase" => Kind::Uppercase,
            "map" => Kind::Map {
                mapping: options.mapping("mapping_dict")?,
                default: options.take("default_value").unwrap_or_default(),
            },
            "format_span" => Kind::FormatSpan,
            "custom" | "decontaminate" => return unsupported(format!("the filter `{name}` is not supported")),
            _ => return unsupported(format!("expected one of the filters {FILTERS:?}, found `{name}`")),
        };
        options.finish()?;
        Ok(Filter(kind))
    }

    /// What the filter makes of the responses to a document: mostly a list of texts.
    ///
    /// # Errors
    /// Python raises one, too; or a pattern takes too long.
    pub fn apply(&self, responses: &Value, document: &Value) -> Result<Value> {
        match &self.0 {
            Kind::Regex(filter) => each(responses, |response| filter.apply(response)),
            Kind::PartsOfSpeech { fallback } => {
                each(responses, |response| extraction::parts_of_speech(response, fallback))
            }
            Kind::RemoveWhitespace => {
                each(responses, |response| selection::text(response, |text| crate::unicode::strip(text).to_owned()))
            }
            Kind::MultiChoice(filter) => {
                let prepared = filter.prepare(document)?;
                each(responses, |response| prepared.apply(response))
            }
            Kind::TakeFirst => selection::first(responses),
            Kind::TakeFirstK(k) => selection::first_k(responses, *k),
            Kind::MajorityVote => selection::majority(responses),
            Kind::Lowercase => each(responses, |response| selection::text(response, crate::unicode::lower)),
            Kind::Uppercase => each(responses, |response| selection::text(response, crate::unicode::upper)),
            Kind::Map { mapping, default } => each(responses, |response| selection::mapped(response, mapping, default)),
            Kind::FormatSpan => each(responses, |response| selection::try_text(response, span::formatted)),
        }
    }
}

/// Several filters, one after the other.
///
/// # Errors
/// As [`Filter::apply`].
pub fn apply_all(filters: &[Filter], responses: &Value, document: &Value) -> Result<Value> {
    filters.iter().try_fold(responses.clone(), |responses, filter| filter.apply(&responses, document))
}

/// A list of what becomes of each response; of a text, of each character.
fn each(responses: &Value, mut change: impl FnMut(&Value) -> Result<Value>) -> Result<Value> {
    match responses {
        Value::Array(responses) => responses.iter().map(change).collect(),
        Value::String(text) => text.chars().map(|c| change(&Value::from(c.to_string()))).collect(),
        other => Err(not_iterable(other)),
    }
}

fn not_iterable(found: &Value) -> MetricError {
    MetricError::Invalid(format!("expected a list of responses, found `{found}`"))
}

#[cfg(test)]
mod tests;
