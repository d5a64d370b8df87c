//! Finding the answer in a text: a pipeline of named steps.
//!
//! In a suite a pipeline is the name of a preset, one step, or a list of both:
//!
//! ```yaml
//! extract: gsm8k
//! extract: { after: "A: " }
//! extract: [ { cut: "\n\n" }, { after: { marker: answer is, ignore_case: true } }, first-number ]
//! ```
//!
//! Each step gets the text that the step before it found, and finds a text or nothing. Where a step finds nothing, so
//! does the pipeline; `any` tries several pipelines in turn.

mod numbers;
mod pattern;
mod presets;
mod steps;

pub use numbers::{first_number, last_number};
pub use pattern::{Pattern, Take};
pub use presets::{PRESETS, Preset, preset};
pub use steps::{After, RegexStep, Replace, STEPS, Step, Texts};

use examiner_api::Result;
use examiner_api::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Steps, one after the other.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Pipeline(pub Vec<Step>);

impl Pipeline {
    /// The answer in `text`, without white space around it, or nothing. An empty answer is nothing.
    ///
    /// # Errors
    /// A regular expression exceeds its backtracking limit.
    pub fn find(&self, text: &str) -> Result<Option<String>> {
        let mut found = Cow::Borrowed(text);
        for step in &self.0 {
            match step.apply(&found)? {
                Some(next) => found = Cow::Owned(next),
                None => return Ok(None),
            }
        }
        let found = found.trim();
        Ok((!found.is_empty()).then(|| found.to_owned()))
    }

    /// What each step finds in `text`, by the name of the step, up to the first that finds nothing: for people.
    ///
    /// # Errors
    /// As for [`Pipeline::find`].
    pub fn steps(&self, text: &str) -> Result<Vec<(String, Option<String>)>> {
        let (mut steps, mut found) = (Vec::new(), Some(text.to_owned()));
        for step in &self.0 {
            let Some(text) = found else { break };
            found = step.apply(&text)?;
            steps.push((step.name(), found.clone()));
        }
        Ok(steps)
    }

    /// Reads a pipeline as it is written in a suite.
    ///
    /// # Errors
    /// One sentence about a part that is neither a preset nor a step.
    pub fn from_value(written: Value) -> Result<Self, String> {
        match written {
            Value::Array(items) => {
                let parts = items.into_iter().map(Self::from_value).collect::<Result<Vec<_>, _>>()?;
                Ok(Pipeline(parts.into_iter().flat_map(|part| part.0).collect()))
            }
            Value::String(name) => match preset(&name) {
                Some(pipeline) => Ok(pipeline),
                None => named_step(&name).map(|step| Pipeline(vec![step])),
            },
            Value::Object(step) => {
                let name = step.keys().next().cloned().unwrap_or_default();
                if !STEPS.iter().any(|(step, _)| *step == name) {
                    return Err(format!("there is no step `{name}`{}; steps are {}", near(&name), names(|_| true)));
                }
                if name == "regex" || name == "replace" {
                    check_pattern(&step[&name])?;
                }
                let step: Step =
                    serde_json::from_value(Value::Object(step)).map_err(|error| format!("step `{name}`: {error}"))?;
                step.check()?;
                Ok(Pipeline(vec![step]))
            }
            other => Err(format!("expected a preset, a step or a list of them, found `{other}`")),
        }
    }
}

/// A step without options, by its name.
fn named_step(name: &str) -> Result<Step, String> {
    if let Some((name, true)) = STEPS.iter().find(|(step, _)| *step == name) {
        return Err(format!("step `{name}` needs options, as in `{{ {name}: ... }}`"));
    }
    serde_json::from_value(json!(name)).map_err(|_| {
        let presets: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let presets = presets.join(", ");
        let steps = names(|needs_options| !needs_options);
        format!(
            "there is no preset or step `{name}`{}; presets are {presets}, steps without options {steps}",
            near(name)
        )
    })
}

/// Reports a regular expression that cannot be read, in either way to write the step: serde would only name the variants.
fn check_pattern(options: &Value) -> Result<(), String> {
    let pattern = options.as_str().or_else(|| options.get("pattern")?.as_str());
    pattern.map_or(Ok(()), |pattern| Pattern::try_from(pattern.to_owned()).map(|_| ()))
}

fn names(wanted: impl Fn(bool) -> bool) -> String {
    let names: Vec<&str> = STEPS.iter().filter(|(_, needs)| wanted(*needs)).map(|(name, _)| *name).collect();
    names.join(", ")
}

fn near(name: &str) -> String {
    let all = PRESETS.iter().map(|preset| preset.name).chain(STEPS.iter().map(|(name, _)| *name));
    match examiner_api::nearest(name, all) {
        Some(known) => format!(", did you mean `{known}`?"),
        None => String::new(),
    }
}

impl<'de> Deserialize<'de> for Pipeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Pipeline {
    fn schema_name() -> Cow<'static, str> {
        "Pipeline".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let presets: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let step = generator.subschema_for::<Step>();
        let item = json!([{"enum": presets}, step]);
        schemars::json_schema!({
            "description": "The name of a preset, one step, or a list of both.",
            "anyOf": [{"enum": presets}, step, {"type": "array", "items": {"anyOf": item}}]
        })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
