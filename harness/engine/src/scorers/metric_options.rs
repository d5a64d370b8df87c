//! Metrics as options of scorers: a name, or a name with options.

use examiner_api::schemars::{self, Schema};
use examiner_api::{PluginError, Result};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A metric as it is written in a suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct MetricOptions {
    /// Its name.
    pub(super) name: String,
    /// The name that it is reported under, if another.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub(super) reported_as: Option<String>,
    /// Its own options.
    #[serde(flatten)]
    pub(super) options: Map<String, Value>,
}

impl MetricOptions {
    /// The name that it is reported under.
    pub(super) fn reported(&self) -> &str {
        self.reported_as.as_deref().unwrap_or(&self.name)
    }

    /// The schema of a list of metrics with these names.
    pub(super) fn list_schema(names: &[&str]) -> Schema {
        schemars::json_schema!({
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [
                {"enum": names},
                {
                    "type": "object",
                    "properties": {
                        "name": {"enum": names, "description": "The metric."},
                        "as": {"type": "string", "description": "Another name to report it under."}
                    },
                    "required": ["name"]
                }
            ]}
        })
    }
}

impl<'de> Deserialize<'de> for MetricOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(MetricOptions { name, reported_as: None, options: Map::new() }),
            Value::Object(mut options) => {
                let name = options.shift_remove("name");
                let Some(Value::String(name)) = name else {
                    return Err(D::Error::custom(format!("expected the `name` of a metric, found {}", json!(options))));
                };
                let reported_as = match options.shift_remove("as") {
                    None => None,
                    Some(Value::String(other)) => Some(other),
                    Some(other) => return Err(D::Error::custom(format!("expected a name after `as`, found {other}"))),
                };
                Ok(MetricOptions { name, reported_as, options })
            }
            other => Err(D::Error::custom(format!("expected the name of a metric, or its options, found {other}"))),
        }
    }
}

/// Refuses a list without metrics, and one that reports two under one name.
pub(super) fn distinct(scorer: &str, metrics: &[MetricOptions]) -> Result<()> {
    if metrics.is_empty() {
        return Err(PluginError::bad_options(format!("`metrics` of `{scorer}` is an empty list")));
    }
    for (index, metric) in metrics.iter().enumerate() {
        if metrics[..index].iter().any(|earlier| earlier.reported() == metric.reported()) {
            let message = format!("two metrics of `{scorer}` are called `{}`", metric.reported());
            return Err(PluginError::bad_options(message).with_help("give one of them another name with `as`"));
        }
    }
    Ok(())
}
