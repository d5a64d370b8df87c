//! What the check asks a model: texts of its own, and the first questions of a suite that examines it.

use crate::host::Shared;
use examiner_api::{Flow, GenerateRequest, Gold, Sample, SampleRef, Sampling, ScoreRequest, Span};
use parking_lot::Mutex;
use std::sync::Arc;

/// So many questions of a suite are asked.
const OF_SUITE: usize = 6;

/// A context, and a text that may go on from it.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    sample: SampleRef,
    pub(super) context: String,
    pub(super) continuation: String,
}

/// The check's own texts: short and long, with white space at the seam, in several scripts.
const TEXTS: [(&str, &str); 8] = [
    ("The sky is", " blue"),
    ("The sky is", " green and wide"),
    ("The sky is ", "blue"),
    ("One, two, three,", " four"),
    ("Question: What is 2 + 2?\nAnswer:", " 4"),
    ("Die Straße ist", " länger als der Weg"),
    ("x", " y"),
    ("Once upon a time there was a king who had a castle, and in the castle there was a", " cat"),
];

/// What is asked of a model. `name` is its name in the suite, if there is one.
pub(super) fn prompts(shared: &Arc<Shared>, name: Option<&str>) -> Vec<Prompt> {
    let of_suite = name.map(|name| questions(shared, name)).unwrap_or_default();
    // A model of recorded answers has none for other texts than those of its suite.
    match of_suite.is_empty() {
        true => own(),
        false => of_suite.into_iter().chain(own().into_iter().take(2)).collect(),
    }
}

fn own() -> Vec<Prompt> {
    let prompt = |(index, (context, continuation)): (usize, (&str, &str))| Prompt {
        sample: SampleRef { dataset: "check".to_owned(), id: format!("text-{index}"), ..SampleRef::default() },
        context: context.to_owned(),
        continuation: continuation.to_owned(),
    };
    TEXTS.into_iter().enumerate().map(prompt).collect()
}

/// The first questions of the first dataset on which the suite examines the model. None where it cannot be read: that is not the
/// model's.
fn questions(shared: &Arc<Shared>, model: &str) -> Vec<Prompt> {
    let suite = &shared.roles.suite;
    let of_model = suite.evaluate.iter().find(|entry| entry.models.iter().any(|name| name == model));
    let Some(name) = of_model.and_then(|entry| entry.datasets.first()) else { return Vec::new() };
    let found: Mutex<Vec<Sample>> = Mutex::default();
    let read = shared.roles.dataset(name, shared.host("check")).and_then(|mut dataset| {
        dataset.samples(&|sample: Sample| {
            let mut found = found.lock();
            found.push(sample);
            if found.len() < OF_SUITE { Flow::Continue } else { Flow::Stop }
        })
    });
    if read.is_err() {
        return Vec::new();
    }
    let mut found = found.into_inner();
    found.truncate(OF_SUITE);
    let prompt = |sample: Sample| {
        let answer = match &sample.gold {
            Gold::Choice(index) => sample.choices.get(*index).cloned(),
            Gold::Text(texts) => texts.first().cloned(),
            Gold::None => None,
        };
        let answer = answer.filter(|answer| !answer.is_empty()).unwrap_or_else(|| "yes".to_owned());
        let delimiter = if sample.delimiter.is_empty() { " " } else { &sample.delimiter };
        Prompt {
            continuation: format!("{delimiter}{answer}"),
            context: sample.prompt,
            sample: SampleRef { dataset: name.clone(), id: sample.id, repeat: 0, metadata: sample.metadata },
        }
    };
    found.into_iter().map(prompt).collect()
}

impl Prompt {
    /// Asks for the log-likelihood of its continuation.
    pub(super) fn score(&self) -> ScoreRequest {
        ScoreRequest {
            sample: self.sample.clone(),
            context: self.context.clone(),
            continuation: self.continuation.clone(),
            ..ScoreRequest::default()
        }
    }

    /// Asks for the log-likelihood of another continuation.
    pub(super) fn score_of(&self, continuation: &str) -> ScoreRequest {
        ScoreRequest { continuation: continuation.to_owned(), ..self.score() }
    }

    /// Asks for the log-likelihood of the whole text, cut after `context`.
    pub(super) fn whole(&self, context: &str, continuation: &str) -> ScoreRequest {
        let (context, continuation) = (context.to_owned(), continuation.to_owned());
        ScoreRequest { context, continuation, span: Span::All, ..self.score() }
    }

    /// Asks for an answer.
    pub(super) fn generate(&self, sampling: &Sampling) -> GenerateRequest {
        let (sample, prompt) = (self.sample.clone(), self.context.clone());
        GenerateRequest { sample, prompt, sampling: sampling.clone(), ..GenerateRequest::default() }
    }
}

/// Greedy, so many tokens.
pub(super) fn greedy(max_new_tokens: u32) -> Sampling {
    Sampling { max_new_tokens, ..Sampling::default() }
}
