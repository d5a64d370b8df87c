//! Conversations: a request becomes turns, and turns become the text that a chat model was taught with.
//!
//! The template is the checkpoint's, in the language of Jinja2; `references.py` beside the tests renders the same ones with
//! transformers. What a request turns into follows lm-evaluation-harness under `--apply_chat_template
//! --fewshot_as_multiturn`, so that numbers can be compared:
//!
//! - The prompt is the user's last turn; few-shot examples are turns of user and assistant before it.
//! - The suite's system prompt and the dataset's preamble are the system's turn. Some templates have no such role: there
//!   the preamble begins the user's first turn, and a system prompt is an error.
//! - Where a continuation is scored, it is what the assistant's turn begins with, and the white space before it, which
//!   separates it from the question in a plain text, is left out.
//! - Where the last turn is the assistant's, it is only begun: what is scored or generated goes on from it.
//! - A whole text ([`is_whole_text`](examiner_api::Span::is_whole_text)) is no conversation, nor is a continuation of nothing: no template is applied.
//!
//! The text is all that there is: no beginning-of-text token is put before it, because a template writes its own. Only
//! `add_bos: true` puts one before a text of a template that does not.

mod python;
mod source;
mod template;
#[cfg(test)]
mod tests;

pub use template::{ChatError, ChatTemplate};

use crate::{LocalOptions, fingerprint};
use examiner_api::{
    GenerateRequest, Metadata, PluginError, ReasoningMarks, Result, ScoreRequest, Speaker, Turn, serde_json::json,
};
use serde::Serialize;
use source::Source;
use std::sync::Arc;

/// Changes whenever these rules could make another text of the same request.
const RULES: u32 = 1;

/// How a model is spoken to.
pub struct Chat {
    template: ChatTemplate,
    source: Source,
    system: Option<String>,
    shots_as_turns: bool,
    /// Whether the template writes the system's turn.
    knows_system: bool,
    /// A question as the model sees it, for people.
    example: String,
    identity: ChatIdentity,
}

/// All that the text of a request depends on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChatIdentity {
    rules: u32,
    template: String,
    tokens: Metadata,
    system: Option<String>,
    shots_as_turns: bool,
    date: String,
    /// Left out where there are none, so that models without them keep their fingerprint.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    kwargs: Metadata,
}

impl Chat {
    /// Compiles the template and tries it.
    ///
    /// # Errors
    /// `BadInput` if the template does not bear the shortest conversation, `BadOptions` if it knows no system and the suite
    /// has a system prompt.
    fn new(source: Source, options: &LocalOptions) -> Result<Self> {
        let template = ChatTemplate::of(&source, options)?;
        let system = options.system.clone().filter(|text| !text.trim().is_empty());
        let shown = system.as_deref().unwrap_or("Answer the question.");
        let question = || Turn::user("What is 2 + 2?");
        let plain = template.render(&[question()])?;
        let tried = template.render(&[Turn::system(shown), question()]);
        let knows_system = tried.as_ref().is_ok_and(|text| dense(text).contains(&dense(shown)));
        if system.is_some() && !knows_system {
            let why = match &tried {
                Err(error) => error.to_string(),
                Ok(_) => format!("the chat template {} leaves it out", source.origin),
            };
            return Err(PluginError::bad_options(format!("a `system` prompt is not possible: {why}"))
                .with_help("leave out `system` and put the text into the dataset's `preamble`, which then begins the user's first turn"));
        }
        let example = if system.is_some() { tried? } else { plain };
        let identity = ChatIdentity {
            rules: RULES,
            template: source.text.clone(),
            tokens: source.tokens.clone(),
            system: system.clone(),
            shots_as_turns: options.shots_as_turns,
            date: options.date()?.to_string(),
            kwargs: options.chat_template_kwargs.clone(),
        };
        let shots_as_turns = options.shots_as_turns;
        Ok(Chat { template, source, system, shots_as_turns, knows_system, example, identity })
    }

    /// The file of the template, for messages.
    pub fn origin(&self) -> &str {
        &self.source.origin
    }

    /// The token that ends a turn, where the tokenizer's configuration names one.
    pub(crate) fn eos_token(&self) -> Option<&str> {
        self.source.tokens.get("eos_token").and_then(|token| token.as_str())
    }

    /// Whether the template knows the marks that most models put around their reasoning.
    pub(crate) fn knows_reasoning(&self) -> bool {
        let ReasoningMarks { start, end } = ReasoningMarks::default();
        [start, end].iter().any(|mark| self.source.text.contains(mark))
    }

    /// What answers depend on, for the model's fingerprint.
    pub(crate) fn identity(&self) -> &ChatIdentity {
        &self.identity
    }

    /// Whether few-shot examples are turns of the conversation.
    pub(crate) fn reads_turns(&self) -> bool {
        self.shots_as_turns
    }

    /// The part of a model's description about conversations.
    pub(crate) fn details(&self) -> Metadata {
        let mut details = Metadata::new();
        details.insert("template".to_owned(), json!(self.source.origin));
        details.insert("fingerprint".to_owned(), json!(fingerprint(&self.identity).ok()));
        details.insert("system".to_owned(), json!(self.system));
        details.insert("knows_system".to_owned(), json!(self.knows_system));
        details.insert("shots_as_turns".to_owned(), json!(self.shots_as_turns));
        if !self.identity.kwargs.is_empty() {
            details.insert("kwargs".to_owned(), json!(self.identity.kwargs));
        }
        details.insert("example".to_owned(), json!(self.example));
        details
    }

    /// The text of a prompt, or of its turns if it has any.
    ///
    /// # Errors
    /// What the template raises.
    pub fn text(&self, prompt: &str, turns: &[Turn]) -> Result<String, ChatError> {
        let mut turns = match turns {
            [_, ..] if self.shots_as_turns => turns.to_vec(),
            _ => vec![Turn::user(prompt)],
        };
        let preamble = match turns.first() {
            Some(first) if first.speaker == Speaker::System => Some(turns.remove(0).content),
            _ => None,
        };
        let system: Vec<&str> = self.system.iter().chain(&preamble).map(String::as_str).collect();
        if !system.is_empty() {
            let system = system.join("\n\n");
            match turns.first_mut() {
                Some(first) if !self.knows_system && first.speaker == Speaker::User => {
                    first.content = format!("{system}\n\n{}", first.content);
                }
                _ => turns.insert(0, Turn::system(system)),
            }
        }
        match turns.last() {
            Some(last) if last.speaker == Speaker::Assistant => self.begun(&turns, &last.content),
            _ => self.template.render(&turns),
        }
    }

    /// The text of a conversation whose last turn, the assistant's, is only begun: what the template writes behind it is left out, as
    /// transformers does under `continue_final_message`.
    fn begun(&self, turns: &[Turn], content: &str) -> Result<String, ChatError> {
        let whole = self.template.render_to_end(turns)?;
        let Some(start) = whole.rfind(content.trim()) else {
            let message = "it leaves out what the assistant's turn begins with".to_owned();
            return Err(ChatError::Refused { origin: self.source.origin.clone(), message });
        };
        let length = if whole[start..].starts_with(content) { content.len() } else { content.trim().len() };
        Ok(whole[..start + length].to_owned())
    }

    /// What a model learns from a conversation whose last turn is the assistant's: all up to where that turn begins, which is given, and
    /// the turn as the template ends it.
    ///
    /// # Errors
    /// What the template raises; `BadInput` where the last turn is another's, or where the template writes what stands before it otherwise
    /// once it is there, so that the model would never be asked what it has learned.
    pub fn lesson(&self, turns: &[Turn]) -> Result<(String, String)> {
        let before = match turns.split_last() {
            Some((last, before)) if last.speaker == Speaker::Assistant && !before.is_empty() => before,
            _ => {
                return Err(PluginError::bad_input("expected turns of which the last is the assistant's")
                    .with_help("leave out what comes after the answer that is to be learned"));
            }
        };
        let given = self.template.render(before)?;
        let whole = self.template.render_to_end(turns)?;
        match whole.strip_prefix(given.as_str()).filter(|learned| !learned.is_empty()) {
            Some(learned) => Ok((given, learned.to_owned())),
            None => Err(PluginError::bad_input(format!(
                "the chat template {} writes `{}` before the answer, and otherwise when it is there",
                self.source.origin,
                given.lines().last().unwrap_or_default()
            ))
            .with_help("write the text of the conversation into `prompt` and `completion` instead")),
        }
    }

    /// The request with its text for a prompt.
    pub(crate) fn generation(&self, mut request: GenerateRequest) -> Result<GenerateRequest, (u64, PluginError)> {
        let text = self.text(&request.prompt, &request.turns);
        request.prompt = text.map_err(|error| (request.id, error.into()))?;
        request.turns = Arc::default();
        Ok(request)
    }

    /// Whether the context of a request goes through the template.
    pub(crate) fn writes_context(request: &ScoreRequest) -> bool {
        !request.span.is_whole_text() && (!request.turns.is_empty() || !request.context.trim().is_empty())
    }

    /// The request with its text for a context.
    pub(crate) fn scoring(&self, request: &ScoreRequest) -> Result<ScoreRequest, ChatError> {
        let mut request = request.clone();
        if request.span.is_whole_text() {
            return Ok(request);
        }
        // What goes on from a turn that is begun is kept apart from it by its white space.
        let goes_on = request
            .turns
            .last()
            .is_some_and(|last| last.speaker == Speaker::Assistant && !last.content.ends_with(char::is_whitespace));
        let continuation = request.continuation.trim_start();
        if !(continuation.is_empty() || goes_on && self.shots_as_turns) {
            request.continuation = continuation.to_owned();
        }
        if Self::writes_context(&request) {
            request.context = self.text(&request.context, &request.turns)?;
            request.turns = Arc::default();
        }
        Ok(request)
    }
}

/// A template may trim what it is given, or break its lines.
fn dense(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}
