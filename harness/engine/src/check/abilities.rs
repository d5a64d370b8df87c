//! Whether a model can be asked what a scorer asks, as far as its plugin says so without opening it.
//!
//! The schema of a model's options may have `x-cannot`, a list of `{ what: score | generate, when: SCHEMA, because: TEXT }`: with options that
//! fit the schema in `when` (any, where there is none) the model gives no log-likelihoods, or no generated answers.

use crate::loader::Plugins;
use examiner_api::{PluginError, RoleKind, ScorerInfo};
use examiner_suite::Suite;
use serde_json::Value;

/// What the model cannot do of what the scorer asks for, if that is known.
pub(super) fn lacking(
    suite: &Suite,
    plugins: &Plugins,
    model: &str,
    scorer: &str,
    info: &ScorerInfo,
) -> Option<PluginError> {
    let spec = suite.models.get(model)?;
    let (_, role) = plugins.find(RoleKind::Model, &spec.plugin).ok()?;
    let options = Value::Object(spec.options.clone());
    let because = |what: &str| cannot(&role.options, what, &options);
    let (asks_for, because) = match (info.asks_score, info.asks_generate) {
        (true, _) if because("score").is_some() => ("log-likelihoods", because("score")?),
        (_, true) if because("generate").is_some() => ("generated answers", because("generate")?),
        _ => return None,
    };
    let message = format!("scorer `{scorer}` asks for {asks_for}, which model `{model}` cannot give: {because}");
    Some(
        PluginError::unsupported(message)
            .with_help("use another scorer for this dataset, or leave the model out of it"),
    )
}

/// Why a model with these options cannot do it.
fn cannot(schema: &Value, what: &str, options: &Value) -> Option<String> {
    let rules = schema["x-cannot"].as_array()?;
    let holds = |rule: &&Value| {
        let when = &rule["when"];
        rule["what"] == what && (when.is_null() || jsonschema::is_valid(when, options))
    };
    rules.iter().find(holds).map(|rule| rule["because"].as_str().unwrap_or("its plugin says so").to_owned())
}

#[cfg(test)]
mod tests {
    use super::cannot;
    use serde_json::json;

    #[test]
    fn a_rule_holds_for_the_options_that_it_names() {
        let when = json!({ "not": { "properties": { "api": { "const": "completions" } }, "required": ["api"] } });
        let schema = json!({ "x-cannot": [{ "what": "score", "when": when, "because": "it is a chat" }] });
        assert_eq!(cannot(&schema, "score", &json!({})).as_deref(), Some("it is a chat"));
        assert_eq!(cannot(&schema, "score", &json!({ "api": "completions" })), None);
        assert_eq!(cannot(&schema, "generate", &json!({})), None);
        assert_eq!(cannot(&json!({}), "score", &json!({})), None);
        let always = json!({ "x-cannot": [{ "what": "generate", "because": "no" }] });
        assert_eq!(cannot(&always, "generate", &json!({ "x": 1 })).as_deref(), Some("no"));
    }
}
