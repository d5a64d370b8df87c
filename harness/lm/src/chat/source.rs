//! Where a checkpoint keeps its chat template.

use super::{Chat, ChatTemplate};
use crate::checkpoint::{Checkpoint, TOKENIZER_CONFIG, special_token_text};
use crate::{AutoBool, LocalOptions};
use examiner_api::{Metadata, PluginError, Result};
use examiner_bounds::TextLimits;
use serde_json::Value;
use std::path::Path;

const FILE: &str = "chat_template.jinja";

/// A template as it was found.
pub(super) struct Source {
    /// The file it is in, for messages.
    pub(super) origin: String,
    pub(super) text: String,
    /// The special tokens, by name.
    pub(super) tokens: Metadata,
}

impl Checkpoint {
    /// How the checkpoint's model is spoken to by these options; none where prompts go as they are. Says so in the log.
    ///
    /// # Errors
    /// `BadOptions` where the options ask for what the checkpoint has not, `BadInput` for a template that cannot be used.
    pub fn chat(&self, options: &LocalOptions) -> Result<Option<Chat>> {
        let source = match options.chat {
            AutoBool::Fixed(false) => None,
            _ => find(self)?,
        };
        let Some(source) = source else {
            let (found, help) = match self.is_gguf() {
                true => ("no `tokenizer.chat_template`".to_owned(), "leave the option out".to_owned()),
                false => (
                    format!("no `{FILE}`, and no `chat_template` in its `{TOKENIZER_CONFIG}`"),
                    format!("put the template beside `config.json` as `{FILE}`, or leave the option out"),
                ),
            };
            let missing = |option: &str| {
                let message = format!("`{option}` needs a chat template, and `{}` has {found}", self.source());
                Err(PluginError::bad_options(message).with_help(help))
            };
            match (options.chat, options.chat_template_kwargs.is_empty()) {
                (_, true) => {}
                (AutoBool::Fixed(false), _) => {
                    return Err(PluginError::bad_options(
                        "`chat_template_kwargs` and `chat: false` exclude each other",
                    )
                    .with_help("leave out one of them"));
                }
                _ => return missing("chat_template_kwargs"),
            }
            return match (options.chat, &options.system) {
                (AutoBool::Fixed(false), Some(_)) => Err(PluginError::bad_options(
                    "`system` and `chat: false` exclude each other: a system prompt needs a chat template",
                )
                .with_help("put the text into the dataset's `preamble`, or leave out `chat: false`")),
                (AutoBool::Fixed(true), _) => missing("chat: true"),
                (_, Some(_)) => missing("system"),
                (_, None) => {
                    let why = if options.chat == AutoBool::Fixed(false) { "`chat: false`" } else { &found };
                    self.host().info(format!("`{}`: prompts go to the model as they are ({why})", self.source()));
                    Ok(None)
                }
            };
        };
        let chat = Chat::new(source, options)?;
        self.host().info(format!("`{}`: prompts go through the chat template {}", self.source(), chat.origin()));
        Ok(Some(chat))
    }
}

impl ChatTemplate {
    pub(super) fn of(source: &Source, options: &LocalOptions) -> Result<Self> {
        let limits = TextLimits { max_mib: options.template_max_mib, max_s: options.template_max_s };
        // As in transformers, what a suite gives goes before what the configuration says.
        let mut values = source.tokens.clone();
        values.extend(options.chat_template_kwargs.clone());
        Ok(ChatTemplate::compile(&source.origin, &source.text, &values, options.date()?, limits)?)
    }
}

/// As in transformers, a file of its own goes before the configuration.
fn find(checkpoint: &Checkpoint) -> Result<Option<Source>> {
    let (config, path) = checkpoint.tokenizer_config().unwrap_or((&Value::Null, Path::new(TOKENIZER_CONFIG)));
    let tokens = tokens(config);
    if let Some(path) = checkpoint.fetch_optional(FILE)? {
        let text = std::fs::read_to_string(&path).map_err(|error| PluginError::io("read", &path, &error))?;
        return Ok(Some(Source { origin: format!("`{}`", path.display()), text, tokens }));
    }
    let origin = format!("`chat_template` in `{}`", path.display());
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Source { origin, text: text.clone(), tokens })),
        Some(Value::Array(templates)) => named(templates, origin, tokens).map(Some),
        Some(_) => {
            let message = format!("{origin} is neither a text nor a list of named templates");
            Err(PluginError::bad_input(message).with_help("fix the file, or set `chat: false` to do without it"))
        }
    }
}

/// Of several templates the one named `default` is for conversations; others are for tools or documents.
fn named(templates: &[Value], origin: String, tokens: Metadata) -> Result<Source> {
    let field = |template: &Value, name: &str| template.get(name).and_then(Value::as_str).map(str::to_owned);
    for template in templates {
        if let (Some("default"), Some(text)) = (field(template, "name").as_deref(), field(template, "template")) {
            return Ok(Source { origin: format!("`default` of {origin}"), text, tokens });
        }
    }
    let names: Vec<String> =
        templates.iter().filter_map(|template| field(template, "name")).map(|name| format!("`{name}`")).collect();
    Err(PluginError::bad_input(format!("{origin} has no template named `default`, only {}", names.join(", ")))
        .with_help(format!("copy the one to use into a file `{FILE}` beside it")))
}

/// The special tokens of the configuration, by name.
fn tokens(config: &Value) -> Metadata {
    let text = |token: &Value| special_token_text(token).map(str::to_owned);
    let fields = config.as_object().into_iter().flatten();
    let named = fields.filter_map(|(name, value)| match value {
        Value::Array(tokens) if name == "additional_special_tokens" => {
            Some((name.clone(), tokens.iter().filter_map(text).collect()))
        }
        value if name.ends_with("_token") => Some((name.clone(), Value::String(text(value)?))),
        _ => None,
    });
    named.collect()
}
