//! Requests and answers in the forms that servers know.

mod generation;
pub(crate) mod reasoning;
mod scored_text;
mod scoring;

use crate::budget::Tokens;
use crate::errors::Failure;
use crate::options::{Api, Options};
use examiner_api::{Answer, Result};
use serde_json::{Map, Value, json};

pub(crate) use generation::Generation;
pub(crate) use scoring::{Scoring, ScoringMethod};

/// What is asked of the server.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Generate(Generation),
    Score(Scoring),
}

/// The answers that a response holds.
#[derive(Debug)]
pub(crate) struct ParsedAnswers {
    /// One for each choice that was asked for; fewer if the server gave fewer.
    pub(crate) answers: Vec<Result<Answer>>,
    /// What it counted.
    pub(crate) usage: Option<Tokens>,
    /// The model that answered, if it is none of those that the asked one's name may stand for.
    pub(crate) other_model: Option<String>,
}

impl Work {
    /// Where the request goes, below `base_url`.
    pub(crate) fn path(&self, options: &Options) -> &'static str {
        match (self, options.api) {
            (Work::Generate(_), Api::Chat) => "chat/completions",
            _ => "completions",
        }
    }

    /// The request's body for `wants` answers.
    pub(crate) fn body(&self, options: &Options, wants: usize, seed: Option<u64>) -> Value {
        let mut body = match self {
            Work::Generate(generation) => generation.body(options, wants, seed),
            Work::Score(scoring) => scoring.body(options),
        };
        for (name, value) in &options.extra_body {
            match value {
                Value::Null => body.shift_remove(name),
                value => body.insert(name.clone(), value.clone()),
            };
        }
        Value::Object(body)
    }

    /// The most that the server can count for `wants` answers: no token is shorter than a byte, and a template puts a few
    /// around each message.
    pub(crate) fn most_tokens(&self, options: &Options, wants: usize) -> Tokens {
        const AROUND: u64 = 64;
        let (read, generated) = match self {
            Work::Generate(generation) => {
                let read = match options.api {
                    Api::Completions => generation.prompt.len() as u64 + AROUND,
                    Api::Chat => {
                        generation.messages(options).iter().map(|turn| turn.content.len() as u64 + AROUND).sum()
                    }
                };
                (read, u64::from(generation.sampling.max_new_tokens))
            }
            Work::Score(scoring) => (scoring.text(options).len() as u64 + AROUND, 1),
        };
        Tokens { read, generated: generated * wants as u64 }
    }

    /// About how many tokens it will be.
    pub(crate) fn likely_tokens(&self, options: &Options, wants: usize) -> f64 {
        let most = self.most_tokens(options, wants);
        most.read as f64 / 4.0 + most.generated as f64
    }

    /// Reads an answer.
    pub(crate) fn read(&self, options: &Options, body: &Value, wants: usize) -> Result<ParsedAnswers, Failure> {
        let choices = body.get("choices").and_then(Value::as_array).filter(|choices| !choices.is_empty());
        let choices = choices.ok_or_else(|| Failure::unreadable("the answer has no `choices`"))?;
        let usage = usage(body);
        let answers = match self {
            Work::Generate(generation) => {
                let thought = reasoning::tokens(body);
                generation.read(options, &choices[..choices.len().min(wants)], usage, thought)?
            }
            Work::Score(scoring) => vec![Ok(Answer::Score(scoring.read(options, &choices[0])?))],
        };
        let answered_as = body.get("model").and_then(Value::as_str);
        let other_model = answered_as.filter(|name| !stands_for(&options.model, name)).map(str::to_owned);
        Ok(ParsedAnswers { answers, usage, other_model })
    }
}

/// Whether a server that was asked for a model may well answer by another name: with a date or a revision behind it, or without the
/// organization before it.
fn stands_for(asked: &str, answered: &str) -> bool {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let (asked, answered) = (bare(asked), bare(answered));
    answered.strip_prefix(&asked).is_some_and(|rest| {
        let revision = rest.strip_prefix(['-', '@', ':']).and_then(|rest| rest.chars().next());
        rest.is_empty() || revision.is_some_and(|first| first.is_ascii_digit())
    })
}

fn usage(body: &Value) -> Option<Tokens> {
    let count = |name: &str| body.get("usage")?.get(name)?.as_u64();
    Some(Tokens { read: count("prompt_tokens")?, generated: count("completion_tokens").unwrap_or(0) })
}

/// A request's fields that all forms share.
fn fields(options: &Options) -> Map<String, Value> {
    [("model".to_owned(), json!(options.model))].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::stands_for;

    #[test]
    fn a_name_may_have_a_date_and_no_organization() {
        for answered in ["gpt-4o", "gpt-4o-2024-08-06", "openai/GPT-4o", "gpt-4o@001"] {
            assert!(stands_for("gpt-4o", answered), "{answered}");
        }
        assert!(stands_for("meta-llama/Llama-3-8B", "Llama-3-8B"));
        for answered in ["gpt-4o-mini", "gpt-4", "gpt-4oo", "gpt-3.5-turbo", ""] {
            assert!(!stands_for("gpt-4o", answered), "{answered}");
        }
    }
}
