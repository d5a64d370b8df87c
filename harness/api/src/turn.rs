//! A prompt as a conversation.

use serde::{Deserialize, Serialize};

/// Who says something in a conversation. The names are those of chat templates and chat endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// Whoever set the model its task.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// What one of them says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    #[serde(rename = "role")]
    pub speaker: Speaker,
    /// The text, without anything that a template puts around it.
    pub content: String,
}

impl Turn {
    /// What the model's task is.
    pub fn system(content: impl Into<String>) -> Self {
        Turn { speaker: Speaker::System, content: content.into() }
    }

    /// A question.
    pub fn user(content: impl Into<String>) -> Self {
        Turn { speaker: Speaker::User, content: content.into() }
    }

    /// An answer.
    pub fn assistant(content: impl Into<String>) -> Self {
        Turn { speaker: Speaker::Assistant, content: content.into() }
    }
}

/// Whether a request leaves its turns out on the wire.
pub(crate) fn none(turns: &std::sync::Arc<Vec<Turn>>) -> bool {
    turns.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ask, GenerateRequest, Sampling, Span, wire};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_turn_reads_like_a_message_of_a_chat() {
        assert_eq!(json!(Turn::assistant("18")), json!({ "role": "assistant", "content": "18" }));
    }

    /// What is asked as it was before there were turns.
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum OlderAsk {
        Score { context: String, continuation: String, span: Span },
        Generate { prompt: String, sampling: Sampling },
    }

    /// Journals and caches are keyed by these bytes.
    #[test]
    fn a_request_without_turns_has_the_bytes_of_one_that_knows_none() {
        let (text, sampling) = (|| "Q".to_owned(), Sampling::default);
        let pairs = [
            (
                wire::encode(&OlderAsk::Generate { prompt: text(), sampling: sampling() }),
                Ask::Generate { prompt: text(), turns: Arc::default(), sampling: sampling() },
            ),
            (
                wire::encode(&OlderAsk::Score { context: text(), continuation: text(), span: Span::All }),
                Ask::Score { context: text(), turns: Arc::default(), continuation: text(), span: Span::All },
            ),
        ];
        for (older, ask) in pairs {
            let older = older.unwrap();
            assert_eq!(wire::encode(&ask).unwrap(), older);
            assert_eq!(wire::decode::<Ask>(&older).unwrap(), ask);
        }
        let turns = Arc::new(vec![Turn::system("S"), Turn::user("Q")]);
        let request = GenerateRequest { turns, ..GenerateRequest::default() };
        assert_eq!(wire::decode::<GenerateRequest>(&wire::encode(&request).unwrap()).unwrap(), request);
    }
}
