//! Validates the options of a plugin with the JSON Schema that it publishes.

use super::loaded::Loaded;
use super::other_words::meant;
use super::problem::{FieldPath, Problem, Problems, Segment, listed};
use super::references::references;
use super::sections::harness_keys;
use examiner_api::nearest;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// The schema of a plugin's options. It is compiled once for all uses of the plugin in a suite, because compiling takes much
/// longer than validating.
pub struct OptionsSchema<'a> {
    schema: &'a Value,
    validator: Result<Validator, String>,
}

impl<'a> OptionsSchema<'a> {
    /// Compiles a schema. If it is not valid, [`OptionsSchema::check`] reports that.
    pub fn new(schema: &'a Value) -> Self {
        OptionsSchema { schema, validator: jsonschema::validator_for(schema).map_err(|error| error.to_string()) }
    }

    /// The problems of `options`, with their positions in the suite.
    ///
    /// `prefix` is the path of the options: `models.original`, `datasets.gsm8k.scorer.0`. A text with a `${...}` that is filled
    /// in later has to be of the right type, but its content is not validated.
    pub fn check(&self, loaded: &Loaded, prefix: &FieldPath, options: &Value) -> Vec<Problem> {
        let validator = match &self.validator {
            Ok(validator) => validator,
            Err(error) => {
                let message = format!("the plugin's schema of options is not valid: {error}");
                let problem = loaded.problem(prefix, false, message);
                return vec![problem.with_help("this is a mistake in the plugin; tell its author")];
            }
        };
        let mut problems = Vec::new();
        for error in validator.iter_errors(options) {
            explain(loaded, prefix, self.schema, &error, &mut problems);
        }
        Problems::sorted(problems).0
    }
}

impl Loaded {
    fn problem(&self, path: &FieldPath, at_key: bool, message: String) -> Problem {
        let position = if at_key { self.locate_key(path) } else { self.locate(path) };
        Problem { position, path: path.to_string(), message, help: None }
    }
}

fn explain(
    loaded: &Loaded,
    prefix: &FieldPath,
    schema: &Value,
    error: &ValidationError<'_>,
    problems: &mut Vec<Problem>,
) {
    let path = below(prefix, error);
    let found = error.instance();
    let mut say = |message: String| problems.push(loaded.problem(&path, false, message));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            problems.extend(unexpected.iter().map(|key| unknown_key(loaded, prefix, &path, key, schema, error)));
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            if is_misspelt(key, found, parent(schema, error)) {
                return;
            }
            let problem = loaded.problem(&path, true, format!("the option `{key}` is missing"));
            let description = parent(schema, error)
                .and_then(|parent| parent.get("properties")?.get(key)?.get("description")?.as_str())
                .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            problems.push(match description {
                Some(description) => problem.with_help(format!("add `{key}:` - {description}")),
                None => problem.with_help(format!("add `{key}:`")),
            });
        }
        ValidationErrorKind::Type { .. } => {
            let expected = schema.pointer(error.schema_path().as_str()).map(type_names).unwrap_or_default();
            let message = match expected.is_empty() {
                true => error.to_string(),
                false => format!("expected {}, found {}", expected.join(" or "), described(found)),
            };
            let problem = loaded.problem(&path, false, message);
            problems.push(match (&**found, expected.as_slice()) {
                (Value::Number(_) | Value::Bool(_), [only]) if only == "text" => {
                    problem.with_help(format!("put it into quotes: \"{}\"", **found))
                }
                _ => problem,
            });
        }
        _ if is_unfilled(found) => {}
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            problems.push(not_allowed(loaded, &path, &allowed(error), found));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            alternatives(loaded, prefix, schema, error, context, problems);
        }
        ValidationErrorKind::Minimum { limit } => say(format!("expected at least {limit}, found {found}")),
        ValidationErrorKind::Maximum { limit } => say(format!("expected at most {limit}, found {found}")),
        ValidationErrorKind::ExclusiveMinimum { limit } => say(format!("expected more than {limit}, found {found}")),
        ValidationErrorKind::ExclusiveMaximum { limit } => say(format!("expected less than {limit}, found {found}")),
        ValidationErrorKind::Pattern { pattern } => {
            say(format!("expected text that matches `{pattern}`, found {}", described(found)));
        }
        _ => say(error.to_string()),
    }
}

/// Explains a choice of several schemas, none of which fits: the one that fits best is taken as the intended one.
fn alternatives(
    loaded: &Loaded,
    prefix: &FieldPath,
    schema: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    problems: &mut Vec<Problem>,
) {
    let path = below(prefix, error);
    let found = error.instance();
    let here = error.instance_path().as_str().len();
    let context = flattened(context, here);
    let of_type = |e: &ValidationError<'_>| matches!(e.kind(), ValidationErrorKind::Type { .. });
    let is_value = |e: &ValidationError<'_>| {
        matches!(e.kind(), ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. })
    };
    let at_top = |branch: &[ValidationError<'_>]| branch.iter().any(|e| e.instance_path().as_str().len() == here);
    let type_differs =
        |branch: &[ValidationError<'_>]| branch.iter().any(|e| e.instance_path().as_str().len() == here && of_type(e));
    // If all branches are single values, the allowed values are all of them.
    let values: Vec<Value> = context.iter().copied().flatten().filter(|e| is_value(e)).flat_map(allowed).collect();
    // A list or mapping was not intended as one of several single values.
    let is_nested = matches!(&**found, Value::Array(_) | Value::Object(_));
    let is_meant = |branch: &[ValidationError<'_>]| !(type_differs(branch) || is_nested && branch.iter().all(is_value));
    let meant: Vec<&[ValidationError<'_>]> = context.iter().copied().filter(|branch| is_meant(branch)).collect();
    let all_values =
        meant.iter().all(|branch| branch.iter().all(|e| is_value(e) && e.instance_path().as_str().len() == here));
    if !meant.is_empty() && all_values && !values.is_empty() {
        problems.push(not_allowed(loaded, &path, &values, found));
    } else if meant.is_empty() {
        let types = context.iter().copied().flatten().filter(|e| of_type(e));
        let mut expected: Vec<String> = Vec::new();
        for name in types.filter_map(|e| schema.pointer(e.schema_path().as_str())).flat_map(type_names) {
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        let message = format!("expected {}, found {}", expected.join(" or "), described(found));
        problems.push(loaded.problem(&path, false, message));
    } else {
        // A branch that fails only at a deeper level is preferred, and then one with fewer problems.
        let explained = meant.into_iter().map(|branch| {
            let mut problems = Vec::new();
            branch.iter().for_each(|error| explain(loaded, prefix, schema, error, &mut problems));
            (at_top(branch), problems)
        });
        let best = explained.min_by_key(|(at_top, problems)| (*at_top, problems.len()));
        problems.extend(best.into_iter().flat_map(|(_, problems)| problems));
    }
}

/// The branches of a choice of schemas, in which nested choices are flattened.
fn flattened<'a>(context: &'a [Vec<ValidationError<'static>>], here: usize) -> Vec<&'a [ValidationError<'static>]> {
    let mut branches = Vec::new();
    for branch in context {
        match branch.as_slice() {
            [only] if only.instance_path().as_str().len() == here => match only.kind() {
                ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                    branches.extend(flattened(context, here));
                }
                _ => branches.push(branch.as_slice()),
            },
            branch => branches.push(branch),
        }
    }
    branches
}

fn not_allowed(loaded: &Loaded, path: &FieldPath, allowed: &[Value], found: &Value) -> Problem {
    let texts: Vec<String> =
        allowed.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect();
    let expected = listed(texts.iter().map(String::as_str));
    let one_of = if texts.len() == 1 { "" } else { "one of " };
    let message = format!("expected {one_of}{expected}, found {}", described(found));
    let problem = loaded.problem(path, false, message);
    problem.with_nearest(found.as_str().unwrap_or_default(), texts.iter().map(String::as_str))
}

fn unknown_key(
    loaded: &Loaded,
    prefix: &FieldPath,
    path: &FieldPath,
    key: &str,
    schema: &Value,
    error: &ValidationError<'_>,
) -> Problem {
    let known: Vec<&str> = parent(schema, error)
        .and_then(|parent| parent.get("properties")?.as_object())
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default();
    // The key may also be a misspelt key of the harness.
    let ours: &[&str] = match (path == prefix, prefix.segments()) {
        (true, [Segment::Key(section), _]) => harness_keys(section),
        (true, [.., Segment::Key(key)] | [.., Segment::Key(key), Segment::Index(_)]) if key == "scorer" => {
            &["name", "label"]
        }
        _ => &[],
    };
    let more = ours.iter().filter(|ours| !known.contains(ours));
    let valid: Vec<&str> = known.iter().chain(more).copied().collect();
    let message = match valid.as_slice() {
        [] => "unknown option, expected none".to_owned(),
        valid => format!("unknown option, expected one of {}", listed(valid.iter().copied())),
    };
    let problem = loaded.problem(&path.key(key), true, message);
    match meant(key, valid) {
        Some(near) => problem.with_help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// The schema with the keyword that failed.
fn parent<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a Value> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}

fn below(prefix: &FieldPath, error: &ValidationError<'_>) -> FieldPath {
    error.instance_path().segments().fold(prefix.clone(), |path, segment| match segment {
        LocationSegment::Property(key) => path.key(&key),
        LocationSegment::Index(index) => path.index(index),
    })
}

/// Whether an unknown key looks like the missing one: then only the unknown key is reported.
fn is_misspelt(key: &str, found: &Value, schema: Option<&Value>) -> bool {
    let known = schema.and_then(|schema| schema.get("properties"));
    let is_refused = schema.is_some_and(|schema| schema.get("additionalProperties") == Some(&Value::Bool(false)));
    let unknown = |name: &&String| known.is_none_or(|known| known.get(name.as_str()).is_none());
    let keys = found.as_object().into_iter().flat_map(|found| found.keys());
    is_refused && keys.filter(unknown).any(|name| nearest(name, [key]).is_some())
}

fn allowed(error: &ValidationError<'_>) -> Vec<Value> {
    match error.kind() {
        ValidationErrorKind::Enum { options } => options.as_array().cloned().unwrap_or_default(),
        ValidationErrorKind::Constant { expected_value } => vec![(**expected_value).clone()],
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|value| !value.is_null())
    .collect()
}

/// Whether the value is a text with references that are filled in later.
fn is_unfilled(value: &Value) -> bool {
    !references(value).is_empty() && value.is_string()
}

/// The types of a `type` keyword, in words. `null` is left out: in a suite it is written by omitting the key.
fn type_names(keyword: &Value) -> Vec<String> {
    let names = match keyword {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect::<Vec<_>>(),
    };
    let word = |name| match name {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    };
    names.into_iter().filter(|name| *name != "null").map(|name| word(name).to_owned()).collect()
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("the truth value `{value}`"),
        Value::Number(value) => format!("the number `{value}`"),
        Value::String(text) => format!("the text `{}`", text.chars().take(40).collect::<String>().escape_debug()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
