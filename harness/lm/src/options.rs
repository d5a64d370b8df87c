//! The options of a local model in a suite: those that every local model has, and how a plugin adds its own.

use examiner_api::{PluginError, ReasoningOption, Result};
use examiner_bounds::TextLimits;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The day that a template gets when it asks for the date and the suite gives none. Transformers gives today's; but then
/// prompts, and with them results, would change over night. It is the day that Llama 3's own template falls back on.
const DATE: &str = "2024-07-26";

/// What a template knows of the conversation itself.
const CONVERSATION: [&str; 4] = ["messages", "tools", "documents", "add_generation_prompt"];

/// What a suite can set for any local model: how much time and memory it may use, which changes no result, and how
/// conversations become prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalOptions {
    /// Most tokens in one pass through the model. More is faster up to a point, and takes memory for activations.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub max_batch_tokens: usize,
    /// Most sequences computed at the same time.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub max_sequences: usize,
    /// Most positions whose keys and values are kept, all sequences together; never less than one whole context. An
    /// answer counts with its prompt and `max_new_tokens` from the start, so that none has to give way later. If not
    /// given: as many as fit into 2 GiB. Up to a quarter of them stay from one batch to the next, for beginnings that
    /// recur.
    #[schemars(extend("x-no-effect" = true))]
    pub max_cache_tokens: Option<usize>,
    /// Whether what several sequences begin with is computed once, in one batch and in those after it.
    #[schemars(extend("x-no-effect" = true))]
    pub share_prefixes: bool,
    /// Whether prompts go through the checkpoint's chat template: `auto` (if it has one), `true` (it must have one) or
    /// `false` (as they are).
    pub chat: AutoBool,
    /// The system prompt of every conversation.
    pub system: Option<String>,
    /// Whether few-shot examples are turns of the conversation; otherwise they are in one, with the question.
    pub shots_as_turns: bool,
    /// Whether a text begins with the beginning-of-text token: `auto` (as the checkpoint's tokenizer has it), `true` or `false`.
    /// It is never put before a text that begins with it, nor, with `auto`, before what a chat template wrote.
    pub add_bos: AutoBool,
    /// The date that a template gets when it asks for today's, as `2026-01-31`; always 26 July 2024 if not given.
    pub chat_date: Option<String>,
    /// Values that the chat template gets besides, as `{ enable_thinking: false }`.
    pub chat_template_kwargs: Map<String, Value>,
    /// Whether reasoning is told from the answer, and by which marks: `auto` (`<think>` and `</think>`, if the chat template that is used
    /// knows them), `true` (these marks), `false` (not), or `{ start: "[THINK]", end: "[/THINK]" }`. Scorers get the answer alone.
    pub reasoning: ReasoningOption,
    /// Most MiB of a text that the chat template makes.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub template_max_mib: u64,
    /// Most seconds that the chat template may take for it.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub template_max_s: u64,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions {
            max_batch_tokens: 2048,
            max_sequences: 64,
            max_cache_tokens: None,
            share_prefixes: true,
            chat: AutoBool::default(),
            system: None,
            shots_as_turns: true,
            add_bos: AutoBool::default(),
            chat_date: None,
            chat_template_kwargs: Map::new(),
            reasoning: ReasoningOption::default(),
            template_max_mib: TextLimits::default().max_mib,
            template_max_s: TextLimits::default().max_s,
        }
    }
}

impl LocalOptions {
    /// Those of the base of another model: how requests become tokens is that model's business.
    pub fn of_base() -> Self {
        LocalOptions {
            chat: AutoBool::Fixed(false),
            add_bos: AutoBool::Fixed(false),
            reasoning: ReasoningOption::Fixed(false),
            ..LocalOptions::default()
        }
    }

    /// Refuses limits that nothing can be computed within.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in [("max_batch_tokens", self.max_batch_tokens), ("max_sequences", self.max_sequences)] {
            if value == 0 {
                return Err(PluginError::bad_options(format!("expected `{name}` to be at least 1, found `0`")));
            }
        }
        if let Some(name) = self.chat_template_kwargs.keys().find(|name| CONVERSATION.contains(&name.as_str())) {
            let message = format!("`chat_template_kwargs` must not have `{name}`, which is made of the conversation");
            return Err(PluginError::bad_options(message).with_help("give what the template knows besides"));
        }
        self.reasoning.marks(true).map(drop)
    }

    /// Whether the tokenizer's tokens stand before a text: `auto` leaves the text of a chat template as it is.
    pub(crate) fn adds_before(&self, is_rendered: bool) -> bool {
        !is_rendered || self.add_bos == AutoBool::Fixed(true)
    }

    /// The day that templates get.
    pub fn date(&self) -> Result<Date> {
        let text = self.chat_date.as_deref().unwrap_or(DATE);
        text.parse().map_err(|error: jiff::Error| {
            PluginError::bad_options(format!("expected `chat_date` to be a date such as `{DATE}`, found `{text}`"))
                .with_cause(&error)
        })
    }
}

/// Whether something is done that a checkpoint may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `auto`, `true` or `false`")]
pub enum AutoBool {
    /// Always or never.
    Fixed(bool),
    /// As the checkpoint has it.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// The word.
    Auto,
}

impl Default for AutoBool {
    fn default() -> Self {
        AutoBool::Auto(Auto::Auto)
    }
}

/// The options that a plugin has beside those of every local model. Derive `Deserialize` with `deny_unknown_fields`, and
/// `JsonSchema`.
pub trait OwnOptions: DeserializeOwned + JsonSchema + 'static {
    /// What holds for this plugin's models where a suite is silent.
    fn local_defaults() -> LocalOptions {
        LocalOptions::default()
    }
}

/// A plugin's own options and those of every local model, as keys of one map.
///
/// serde can flatten one struct into another, but does not support that together with `deny_unknown_fields`, and a
/// misspelled option must not pass unnoticed. So the map is split by its keys here; in the schema both are one object
/// that allows no further property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithLocalOptions<T> {
    /// The plugin's own.
    pub own: T,
    /// Those of every local model.
    pub local: LocalOptions,
}

impl<'de, T: OwnOptions> Deserialize<'de> for WithLocalOptions<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut own = Map::deserialize(deserializer)?;
        let mut local = defaults::<T>();
        for (key, value) in &mut local {
            if let Some(given) = own.shift_remove(key) {
                *value = given;
            }
        }
        let properties = properties(&mut T::json_schema(&mut SchemaGenerator::default()));
        if let Some(unknown) = own.keys().find(|key| !properties.contains_key(*key)) {
            let known: Vec<&str> = properties.keys().chain(local.keys()).map(String::as_str).collect();
            let known = known.join("`, `");
            return Err(D::Error::custom(format!("unknown field `{unknown}`, expected one of `{known}`")));
        }
        Ok(WithLocalOptions {
            own: T::deserialize(Value::Object(own)).map_err(D::Error::custom)?,
            local: read_local(local).map_err(D::Error::custom)?,
        })
    }
}

impl<T: OwnOptions> JsonSchema for WithLocalOptions<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}::WithLocalOptions<{}>", module_path!(), T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        let mut all = properties(&mut schema);
        let defaults = defaults::<T>();
        for (key, mut property) in properties(&mut LocalOptions::json_schema(generator)) {
            if let (Some(property), Some(default)) = (property.as_object_mut(), defaults.get(&key)) {
                property.insert("default".to_owned(), default.clone());
            }
            all.insert(key, property);
        }
        schema.insert("properties".to_owned(), Value::Object(all));
        schema
    }
}

/// Reads the shared options. An error names the option, which serde's own does not for every type.
fn read_local(options: Map<String, Value>) -> Result<LocalOptions, String> {
    for (key, value) in &options {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        LocalOptions::deserialize(Value::Object(alone)).map_err(|error| format!("`{key}`: {error}"))?;
    }
    LocalOptions::deserialize(Value::Object(options)).map_err(|error| error.to_string())
}

/// The shared options of a plugin as they are without a suite, by name.
fn defaults<T: OwnOptions>() -> Map<String, Value> {
    match serde_json::to_value(T::local_defaults()) {
        Ok(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    }
}

/// The properties of a schema, which has none afterwards.
fn properties(schema: &mut Schema) -> Map<String, Value> {
    match schema.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The options of some plugin.
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Plugin {
        checkpoint: String,
        #[serde(default)]
        threads: Option<usize>,
    }

    impl OwnOptions for Plugin {
        fn local_defaults() -> LocalOptions {
            LocalOptions { max_batch_tokens: 7, ..LocalOptions::default() }
        }
    }

    fn read(value: Value) -> Result<WithLocalOptions<Plugin>, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn one_map_holds_the_options_of_both() {
        let found = read(json!({ "max_cache_tokens": 500, "checkpoint": "a", "chat": false })).unwrap();
        assert_eq!(found.own, Plugin { checkpoint: "a".to_owned(), threads: None });
        let chat = AutoBool::Fixed(false);
        assert_eq!(found.local, LocalOptions { max_cache_tokens: Some(500), chat, ..Plugin::local_defaults() });
    }

    #[test]
    fn what_neither_has_is_refused() {
        let unknown = read(json!({ "checkpoint": "a", "max_sequence": 3 })).unwrap_err();
        assert!(
            unknown.contains("unknown field `max_sequence`, expected one of `checkpoint`, `threads`, "),
            "{unknown}"
        );
        assert!(unknown.contains("`max_sequences`"), "{unknown}");
        assert!(read(json!({})).unwrap_err().contains("checkpoint"));
        assert!(read(json!({ "checkpoint": "a", "max_sequences": "many" })).unwrap_err().contains("many"));
        for option in ["chat", "add_bos"] {
            let wrong = read(json!({ "checkpoint": "a", option: "always" })).unwrap_err();
            assert_eq!(wrong, format!("`{option}`: expected `auto`, `true` or `false`"));
        }
    }

    #[test]
    fn the_schema_has_every_key_and_allows_no_other() {
        let schema = schemars::schema_for!(WithLocalOptions<Plugin>).to_value();
        let properties = schema["properties"].as_object().unwrap();
        let keys: Vec<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(keys[..4], ["checkpoint", "threads", "max_batch_tokens", "max_sequences"]);
        assert_eq!(keys.len(), 2 + 13);
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["required"], json!(["checkpoint"]));
        let tokens = &properties["max_batch_tokens"];
        assert_eq!((&tokens["minimum"], &tokens["default"]), (&json!(1), &json!(7)));
        assert!(properties.iter().skip(2).all(|(_, property)| property["description"].is_string()), "{properties:?}");
        assert!(schema["$defs"]["AutoBool"].is_object(), "{schema}");
    }

    #[test]
    fn chat_is_a_truth_or_auto() {
        let of = |value| serde_json::from_value::<LocalOptions>(json!({ "chat": value })).map(|options| options.chat);
        assert_eq!(of(json!("auto")).unwrap(), AutoBool::default());
        assert_eq!(of(json!(true)).unwrap(), AutoBool::Fixed(true));
        assert!(of(json!("always")).unwrap_err().to_string().contains("`auto`, `true` or `false`"));
    }

    #[test]
    fn a_date_is_checked() {
        assert_eq!(LocalOptions::default().date().unwrap(), jiff::civil::date(2024, 7, 26));
        let wrong = LocalOptions { chat_date: Some("31 Jan".into()), ..LocalOptions::default() };
        assert!(wrong.date().unwrap_err().message.contains("found `31 Jan`"));
    }
}
