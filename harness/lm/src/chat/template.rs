//! One template, compiled.
//!
//! Templates are written for Jinja2 in Python, in the environment that transformers sets up. This is the same environment
//! on minijinja: nothing can be loaded or included, values are texts, numbers, lists and maps. Fuel bounds the number of steps,
//! and `examiner_bounds` what each may take: a template is data, which comes with a checkpoint.

use super::python::{tojson, without_generation_tags};
use examiner_api::{Metadata, PluginError, Turn};
use examiner_bounds::{Bounded, TextLimits};
use jiff::civil::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Instructions that one conversation may take. A turn takes some hundred.
const FUEL: u64 = 10_000_000;

/// The name within the environment.
const NAME: &str = "chat_template";

/// Why there is no text for a conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// It is no template.
    #[error("the chat template {origin} is malformed in its line {line}: {reason}")]
    Malformed {
        /// The file it is in.
        origin: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The template raised an exception: it was not made for such a conversation.
    #[error("the chat template {origin} refuses the conversation: {message}")]
    Refused {
        /// The file it is in.
        origin: String,
        /// What it raised.
        message: String,
    },
    /// The template does what cannot be done.
    #[error("the chat template {origin} fails in its line {line}: {reason}")]
    Failed {
        /// The file it is in.
        origin: String,
        /// From 1.
        line: usize,
        /// What happened.
        reason: String,
    },
    /// The template wants more than one may take. It is not tried again.
    #[error("the chat template {origin} takes {what}")]
    Unbounded {
        /// The file it is in.
        origin: String,
        /// Which limit it has reached.
        what: String,
    },
}

impl From<ChatError> for PluginError {
    fn from(error: ChatError) -> Self {
        let help = match error {
            ChatError::Malformed { .. } => "fix the file, or set `chat: false` to do without it",
            ChatError::Refused { .. } => {
                "set `shots_as_turns: false` to give the model one turn of the user, or `chat: false`"
            }
            ChatError::Failed { .. } => {
                "it may use what Python has and this program has not: fix it, or set `chat: false`"
            }
            ChatError::Unbounded { .. } => {
                "templates take microseconds and some kilobytes, so this one is damaged, or meant to do harm; \
                 `template_max_mib` and `template_max_s` allow more, and `chat: false` does without it"
            }
        };
        PluginError::bad_input(error.to_string()).with_help(help)
    }
}

/// What `raise_exception` was called with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// A template, ready to be filled in.
pub struct ChatTemplate {
    origin: String,
    renderer: Mutex<Renderer>,
}

/// What is to be rendered.
struct Conversation {
    turns: Vec<Turn>,
    /// Whether the assistant's next turn begins at its end.
    goes_on: bool,
}

/// The thread that has the compiled template.
struct Renderer {
    conversations: Sender<Conversation>,
    texts: Bounded<Result<String, ChatError>>,
}

impl ChatTemplate {
    /// Compiles a template. `origin` is the file it is in, for messages; `tokens` are the special tokens by the names that
    /// templates know them by (`bos_token`); `date` is the day of `strftime_now`. `text_limits` is what one text
    /// may take.
    ///
    /// # Errors
    /// [`ChatError::Malformed`] with the line, or [`ChatError::Unbounded`].
    pub fn compile(
        origin: &str,
        source: &str,
        tokens: &Metadata,
        date: Date,
        text_limits: TextLimits,
    ) -> Result<Self, ChatError> {
        let (conversations, to_render) = channel::<Conversation>();
        let (source, tokens, named) = (source.to_owned(), tokens.clone(), origin.to_owned());
        let texts = Bounded::spawn(text_limits.work(), move |bounds, send| {
            let compiled = match bounds.within(0, || Compiled::new(&named, &source, &tokens, date)) {
                Ok(compiled) => compiled,
                Err(error) => {
                    send(Err(error));
                    return;
                }
            };
            let mut is_wanted = send(Ok(String::new()));
            while let (true, Ok(conversation)) = (is_wanted, to_render.recv()) {
                let text = bounds.within(1, || compiled.render(&conversation));
                is_wanted = send(text.and_then(|text| match text_limits.check(&text) {
                    Ok(()) => Ok(text),
                    Err(what) => Err(ChatError::Unbounded { origin: named.clone(), what }),
                }));
            }
        });
        let template =
            ChatTemplate { origin: origin.to_owned(), renderer: Mutex::new(Renderer { conversations, texts }) };
        template.next(&mut template.renderer.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(template)
    }

    /// The text of a conversation, up to where the assistant's next turn begins.
    ///
    /// # Errors
    /// [`ChatError::Refused`] with the template's own words, [`ChatError::Failed`] or [`ChatError::Unbounded`].
    pub fn render(&self, turns: &[Turn]) -> Result<String, ChatError> {
        self.rendered(Conversation { turns: turns.to_vec(), goes_on: true })
    }

    /// The text of a conversation that ends with its last turn.
    ///
    /// # Errors
    /// As for [`ChatTemplate::render`].
    pub fn render_to_end(&self, turns: &[Turn]) -> Result<String, ChatError> {
        self.rendered(Conversation { turns: turns.to_vec(), goes_on: false })
    }

    fn rendered(&self, conversation: Conversation) -> Result<String, ChatError> {
        let mut renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the thread has ended, there is no text, and its limit is the reason.
        let _ = renderer.conversations.send(conversation);
        self.next(&mut renderer)
    }

    fn next(&self, renderer: &mut Renderer) -> Result<String, ChatError> {
        let unbounded = |what: String| ChatError::Unbounded { origin: self.origin.clone(), what };
        let text = renderer.texts.next().map_err(|exceeded| unbounded(exceeded.what.to_string()))?;
        text.unwrap_or_else(|| Err(unbounded("more than its thread could bear".to_owned())))
    }
}

/// A compiled template with the special tokens that it may write.
struct Compiled {
    environment: Environment<'static>,
    tokens: Vec<(String, Value)>,
    origin: String,
}

impl Compiled {
    fn new(origin: &str, source: &str, tokens: &Metadata, date: Date) -> Result<Self, ChatError> {
        let malformed = |error: Error| ChatError::Malformed {
            origin: origin.to_owned(),
            line: error.line().unwrap_or(1),
            reason: reason(&error),
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(malformed)?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", move |format: &str| strftime(date, format));
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(malformed)?;
        let tokens = tokens.iter().map(|(name, token)| (name.clone(), Value::from(Serde(token)))).collect();
        Ok(Compiled { environment, tokens, origin: origin.to_owned() })
    }

    fn render(&self, Conversation { turns, goes_on }: &Conversation) -> Result<String, ChatError> {
        let none = || Value::from(());
        let fields = [
            ("messages", Value::from(Serde(turns))),
            ("add_generation_prompt", Value::from(*goes_on)),
            // What transformers always passes.
            ("tools", none()),
            ("documents", none()),
        ];
        let tokens = self.tokens.iter().map(|(name, token)| (name.as_str(), token.clone()));
        let context = Value::from_pairs(tokens.chain(fields));
        let template = self.environment.get_template(NAME).map_err(|error| self.failed(&error))?;
        template.render(context).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &Error) -> ChatError {
        let origin = self.origin.clone();
        let mut cause = std::error::Error::source(error);
        while let Some(this) = cause {
            if let Some(Raised(message)) = this.downcast_ref() {
                return ChatError::Refused { origin, message: message.clone() };
            }
            cause = this.source();
        }
        ChatError::Failed { origin, line: error.line().unwrap_or(1), reason: reason(error) }
    }
}

/// The error without its line, which the message has already.
fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "the template raised an exception").with_source(Raised(message)))
}

fn strftime(date: Date, format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, date.to_datetime(jiff::civil::Time::midnight()))
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("`strftime_now`: {error}")))
}
