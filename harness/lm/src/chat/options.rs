//! What a suite can say of a local model's conversations.

use examiner_api::{PluginError, Result};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The day that a template gets when it asks for the date and the suite gives none. Transformers gives today's; but then
/// prompts, and with them results, would change over night. It is the day that Llama 3's own template falls back on.
const DATE: &str = "2024-07-26";

/// How a local model is spoken to.
///
/// A plugin that refuses unknown keys writes these fields out among its own options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ChatOptions {
    /// Whether prompts go through the checkpoint's chat template: `auto` (if it has one), `true` (it must have one) or
    /// `false` (as they are).
    pub chat: ChatUse,
    /// What the system says first in every conversation.
    pub system: Option<String>,
    /// Whether few-shot examples are turns of the conversation; otherwise they stand, with the question, in one.
    pub shots_as_turns: bool,
    /// The date that a template gets when it asks for today's, as `2026-01-31`; always 26 July 2024 if not given.
    pub chat_date: Option<String>,
}

impl Default for ChatOptions {
    fn default() -> Self {
        ChatOptions { chat: ChatUse::default(), system: None, shots_as_turns: true, chat_date: None }
    }
}

/// Whether a chat template is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected `chat` to be `auto`, `true` or `false`")]
pub enum ChatUse {
    /// Always or never.
    Fixed(bool),
    /// As the checkpoint has it.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// The word.
    Auto,
}

impl Default for ChatUse {
    fn default() -> Self {
        ChatUse::Auto(Auto::Auto)
    }
}

impl ChatOptions {
    /// The day that templates get.
    pub(crate) fn date(&self) -> Result<Date> {
        let text = self.chat_date.as_deref().unwrap_or(DATE);
        text.parse().map_err(|error: jiff::Error| {
            PluginError::bad_options(format!("expected `chat_date` to be a date such as `{DATE}`, found `{text}`"))
                .with_cause(&error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn chat_is_a_truth_or_auto() {
        let of = |value| serde_json::from_value::<ChatOptions>(json!({ "chat": value })).map(|options| options.chat);
        assert_eq!(of(json!("auto")).unwrap(), ChatUse::default());
        assert_eq!(of(json!(true)).unwrap(), ChatUse::Fixed(true));
        assert!(of(json!("always")).unwrap_err().to_string().contains("`auto`, `true` or `false`"));
    }

    #[test]
    fn a_date_is_checked() {
        assert_eq!(ChatOptions::default().date().unwrap(), jiff::civil::date(2024, 7, 26));
        let wrong = ChatOptions { chat_date: Some("31 Jan".into()), ..ChatOptions::default() };
        assert!(wrong.date().unwrap_err().message.contains("found `31 Jan`"));
    }
}
