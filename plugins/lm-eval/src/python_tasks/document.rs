//! A document of a task that Python runs: as `worker.py` tells it, and as a sample.

use crate::task::sampling_of_request;
use examiner_api::{Gold, Sample, Sampling, Turn};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A document, with what is asked of it.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    /// Its place in the task.
    pub(super) id: u64,
    doc: Json,
    hash: String,
    target: Json,
    contexts: Vec<ToldContext>,
    requests: Vec<ToldRequest>,
}

/// What stands before an answer.
#[derive(Debug, Deserialize)]
struct ToldContext {
    text: String,
    /// The same as a conversation, where it is more than one turn of the user.
    turns: Vec<Turn>,
    /// Whether it can be given as a conversation at all.
    in_turns: bool,
}

#[derive(Debug, Deserialize)]
struct ToldRequest {
    #[serde(rename = "type")]
    kind: RequestKind,
    idx: u64,
    repeats: u32,
    context: usize,
    #[serde(default)]
    continuation: String,
    #[serde(default)]
    generation: Json,
}

/// What a request asks for, by the names of lm-evaluation-harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestKind {
    /// How likely a continuation is.
    Loglikelihood,
    /// How likely a whole text is.
    LoglikelihoodRolling,
    /// An answer.
    GenerateUntil,
}

/// What is asked of a document: it travels with its sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Its place in the task.
    pub(crate) id: u64,
    /// The hash of the document.
    pub(crate) hash: String,
    /// What stands before answers.
    pub(crate) contexts: Vec<Context>,
    /// The requests, in the order in which they are judged.
    pub(crate) requests: Vec<Request>,
}

/// What stands before an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Context {
    /// The text; none where it is the sample's prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The conversation, where it is more than one turn of the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) turns: Vec<Turn>,
    /// Whether it can be given as a conversation at all.
    pub(crate) in_turns: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// What it asks for.
    #[serde(rename = "type")]
    pub(crate) kind: RequestKind,
    /// Its number in the document.
    pub(crate) idx: u64,
    /// How often it is asked.
    pub(crate) repeats: u32,
    /// The place of its context.
    pub(crate) context: usize,
    /// What is scored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) continuation: String,
    /// How an answer is generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sampling: Option<Sampling>,
}

impl Asked {
    /// What is asked of the document of a sample; none where the sample is of no task that Python runs.
    pub(crate) fn of(sample: &Sample) -> Option<Self> {
        Asked::deserialize(sample.document.get("python")?).ok()
    }

    /// How the first answer is generated, if one is.
    pub(super) fn sampling(&self) -> Option<&Sampling> {
        self.requests.iter().find_map(|request| request.sampling.as_ref())
    }

    /// Whether there is a conversation, or a prompt that cannot be given as one.
    pub(super) fn has_turns(&self) -> bool {
        self.contexts.iter().any(|context| !context.turns.is_empty() || !context.in_turns)
    }
}

impl Document {
    /// The sample, without its name, and what is asked of it. `delimiter` is what the task puts before its choices.
    ///
    /// # Errors
    /// It asks for what models cannot be asked, as a phrase.
    pub(super) fn into_sample(self, delimiter: &str) -> Result<(Sample, Asked), String> {
        let Some(first) = self.requests.first() else { return Err("nothing is asked of it".to_owned()) };
        let place = first.context;
        let is_there = |context: usize| context < self.contexts.len();
        if !self.requests.iter().all(|request| is_there(request.context)) {
            return Err("a request has no context".to_owned());
        }
        let mut sample = Sample { prompt: self.contexts[place].text.clone(), ..Sample::default() };
        let asked = Asked {
            id: self.id,
            hash: self.hash,
            contexts: contexts(self.contexts, place),
            requests: self.requests.into_iter().map(ToldRequest::into_request).collect::<Result<_, _>>()?,
        };
        if asked.has_turns() {
            let turns = asked.contexts[place].turns.clone();
            // One turn is no conversation: it tells the scorer that the model would read it as one.
            sample.turns = Arc::new(if turns.is_empty() { vec![Turn::user(&sample.prompt)] } else { turns });
        }
        choices(&mut sample, &asked, place, delimiter);
        sample.gold = gold(&self.target, &sample.choices);
        sample.document = json!({ "doc": self.doc, "target": self.target, "python": asked });
        Ok((sample, asked))
    }
}

/// The contexts, where the one at `place` is the sample's prompt.
fn contexts(told: Vec<ToldContext>, place: usize) -> Vec<Context> {
    let context = |(index, context): (usize, ToldContext)| Context {
        text: (index != place).then_some(context.text),
        turns: context.turns,
        in_turns: context.in_turns,
    };
    told.into_iter().enumerate().map(context).collect()
}

impl ToldRequest {
    fn into_request(self) -> Result<Request, String> {
        let sampling = match self.kind {
            RequestKind::GenerateUntil => Some(sampling_of_request(&self.generation)?),
            _ => None,
        };
        let ToldRequest { kind, idx, repeats, context, continuation, .. } = self;
        Ok(Request { kind, idx, repeats: repeats.max(1), context, continuation, sampling })
    }
}

/// The choices of a sample: what is scored after its prompt.
fn choices(sample: &mut Sample, asked: &Asked, place: usize, delimiter: &str) {
    let scored = asked.requests.iter().filter(|request| request.context == place && request.sampling.is_none());
    let scored: Vec<&str> = scored.map(|request| request.continuation.as_str()).collect();
    let stripped: Option<Vec<&str>> = scored.iter().map(|text| text.strip_prefix(delimiter)).collect();
    let is_alone = asked.requests.first().is_some_and(|request| request.kind == RequestKind::LoglikelihoodRolling);
    let (delimiter, texts) = match stripped {
        Some(texts) if !is_alone => (delimiter, texts),
        _ => ("", scored),
    };
    sample.delimiter = delimiter.to_owned();
    sample.choices = texts.into_iter().map(str::to_owned).collect();
}

/// What is right, as far as it is known: only for people to read.
fn gold(target: &Json, choices: &[String]) -> Gold {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match target {
        Json::Null => Gold::None,
        Json::Number(number) if choices.len() > 1 => {
            match number.as_u64().and_then(|index| usize::try_from(index).ok()) {
                Some(index) if index < choices.len() => Gold::Choice(index),
                _ => Gold::None,
            }
        }
        Json::Array(targets) => Gold::Text(targets.iter().map(text).collect()),
        one => Gold::Text(vec![text(one)]),
    }
}
