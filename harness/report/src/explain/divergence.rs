//! Where a sample first differs: prompt, choices, log-likelihoods, answer, extraction, judgement.

use super::logged::{Logged, Response};
use super::text::{diff, shortened};
use examiner_api::Answer;
use examiner_store::record::Record;
use serde_json::Value;
use std::fmt;

/// Metrics that differ by no more are equal.
const METRIC: f64 = 1e-6;

/// Where a sample of a run and the logged one first differ.
#[derive(Debug, Clone, PartialEq)]
pub enum Divergence {
    /// The prompts: what is equal, what is ours and what is theirs, line by line.
    Prompt(String),
    /// What is scored after the prompt, or how many such texts there are.
    Continuation {
        /// Which request, from 0.
        request: usize,
        /// Ours; none where there is no such choice.
        ours: Option<String>,
        /// Theirs; likewise.
        theirs: Option<String>,
    },
    /// A request of ours has no answer.
    Error(String),
    /// A log-likelihood.
    LogLikelihood {
        /// Which request, from 0.
        request: usize,
        /// In nats.
        ours: f64,
        /// In nats.
        theirs: f64,
        /// Tokens that our model scored, read and did not read.
        tokens: (u32, u32, u32),
    },
    /// The generated text.
    Answer(String),
    /// What was found in the answer.
    Extraction {
        /// Ours.
        ours: Option<String>,
        /// Theirs.
        theirs: Option<String>,
    },
    /// A metric of the sample.
    Metric {
        /// Its name.
        name: String,
        /// Ours; none where the verdict does not have it.
        ours: Option<f64>,
        /// Theirs.
        theirs: f64,
    },
}

/// What is counted over all samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) samples: usize,
    pub(super) prompts: usize,
    pub(super) scores: usize,
    pub(super) far_scores: usize,
    pub(super) largest: f64,
    pub(super) generated: usize,
    pub(super) answers: usize,
    pub(super) extractions: usize,
    pub(super) judgements: usize,
}

/// Where they first differ. All that differs is counted, what does not depend on the filter only where `is_first` says that the
/// document comes for the first time.
pub(super) fn first(
    record: &Record,
    logged: &Logged,
    tolerance: f64,
    is_first: bool,
    counts: &mut Counts,
) -> Option<Divergence> {
    let mut found = None;
    let mut keep = |divergence: Option<Divergence>| found = found.take().or(divergence);
    let prompt = prompt(record, logged);
    if is_first {
        counts.samples += 1;
        counts.prompts += usize::from(prompt.is_none());
        keep(prompt);
        keep(continuation(record, logged));
        keep(record.failed.values().next().map(|error| Divergence::Error(error.to_string())));
        for (request, response) in logged.responses.iter().enumerate() {
            keep(answer(record, logged, request, response, tolerance, counts));
        }
    }
    if matches!(record.answers.first(), Some(Answer::Generate(_))) {
        let extraction = extraction(record, logged);
        counts.extractions += usize::from(extraction.is_some());
        keep(extraction);
    }
    let metric = metric(record, logged);
    counts.judgements += usize::from(metric.is_some());
    keep(metric);
    found
}

/// The text before a continuation, as the model read it.
fn read(record: &Record, request: usize) -> &str {
    match record.rendered.as_slice() {
        [] => &record.context,
        [one] => one,
        several => several.get(request).map_or(record.context.as_str(), String::as_str),
    }
}

fn prompt(record: &Record, logged: &Logged) -> Option<Divergence> {
    logged.requests.iter().enumerate().find_map(|(request, texts)| {
        let theirs = texts.first()?;
        let ours = read(record, request);
        // Without a prompt the continuation alone is scored; with several inputs each choice ends a prompt of its own.
        let whole = record.choices.get(request).map(|choice| format!("{ours}{choice}"));
        let is_equal = theirs == ours || theirs.is_empty() || whole.as_ref() == Some(theirs);
        (!is_equal).then(|| Divergence::Prompt(diff(ours, theirs)))
    })
}

fn continuation(record: &Record, logged: &Logged) -> Option<Divergence> {
    let is_scored = matches!(record.answers.first(), Some(Answer::Score(_)));
    if !is_scored || record.choices.is_empty() {
        return None;
    }
    let theirs: Vec<&String> = logged.requests.iter().filter_map(|texts| texts.get(1)).collect();
    let is_same = |ours: &str, theirs: &str| ours.trim() == theirs.trim() || theirs.ends_with(ours);
    // A whole text is its own prompt.
    if logged.requests.iter().any(|texts| texts.len() < 2) {
        return None;
    }
    let has_inputs = logged.requests.iter().any(|texts| texts.first() != logged.requests[0].first());
    if has_inputs {
        return None;
    }
    let count = record.choices.len().max(theirs.len().min(record.choices.len() + 1));
    (0..count).find_map(|request| {
        let (ours, theirs) = (record.choices.get(request), theirs.get(request).copied());
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if is_same(ours, theirs) => None,
            // With mutual information all choices are scored once more without the prompt.
            (None, Some(theirs)) if record.choices.first().is_some_and(|choice| is_same(choice, theirs)) => None,
            (ours, theirs) => Some(Divergence::Continuation { request, ours: ours.cloned(), theirs: theirs.cloned() }),
        }
    })
}

/// The index of our answer to a request: equal requests are asked once.
fn place(logged: &Logged, request: usize) -> usize {
    let before = &logged.requests[..request.min(logged.requests.len())];
    let same = logged.requests.get(request).and_then(|texts| before.iter().position(|earlier| earlier == texts));
    match same {
        Some(earlier) => place(logged, earlier),
        None => (0..before.len()).filter(|index| !before[..*index].contains(&before[*index])).count(),
    }
}

fn answer(
    record: &Record,
    logged: &Logged,
    request: usize,
    response: &Response,
    tolerance: f64,
    counts: &mut Counts,
) -> Option<Divergence> {
    let ours = record.answers.get(place(logged, request));
    match (ours?, response) {
        (Answer::Score(score), theirs) => {
            let theirs = match theirs {
                Response::Score(theirs) => *theirs,
                Response::Text(text) => text.parse().ok()?,
            };
            let difference = (score.sum - theirs).abs();
            counts.scores += 1;
            counts.largest =
                if difference > counts.largest || difference.is_nan() { difference } else { counts.largest };
            if difference <= tolerance {
                return None;
            }
            counts.far_scores += 1;
            let tokens = (score.scored_tokens, score.total_tokens - score.truncated_tokens, score.truncated_tokens);
            Some(Divergence::LogLikelihood { request, ours: score.sum, theirs, tokens })
        }
        (Answer::Generate(generated), Response::Text(theirs)) => {
            counts.generated += 1;
            if generated.text == *theirs {
                return None;
            }
            counts.answers += 1;
            Some(Divergence::Answer(diff(&generated.text, theirs)))
        }
        (Answer::Generate(_), Response::Score(_)) => None,
    }
}

fn extraction(record: &Record, logged: &Logged) -> Option<Divergence> {
    let theirs = logged.filtered.clone()?;
    let extracted = |verdict: &examiner_store::record::ScorerVerdict| {
        let by_filter = verdict.verdict.details.get(&format!("filtered,{}", logged.filter)).and_then(Value::as_str);
        by_filter.map(str::to_owned).or_else(|| verdict.verdict.extracted.clone())
    };
    let ours: Vec<Option<String>> = record.verdicts.iter().map(extracted).collect();
    let is_same = |ours: &Option<String>| match ours {
        Some(ours) => ours.trim() == theirs.trim(),
        None => theirs.trim().is_empty() || theirs == "[invalid]",
    };
    (!ours.iter().any(is_same))
        .then(|| Divergence::Extraction { ours: ours.into_iter().flatten().next(), theirs: Some(theirs) })
}

fn metric(record: &Record, logged: &Logged) -> Option<Divergence> {
    logged.metrics.iter().find_map(|(name, theirs)| {
        let with_filter = format!("{name},{}", logged.filter);
        let values = record.verdicts.iter().map(|verdict| &verdict.verdict.metrics);
        let ours = values.filter_map(|values| values.get(&with_filter).or_else(|| values.get(name))).next().copied();
        // A metric of the whole task has no number of a sample here.
        let is_known = record.verdicts.iter().any(|verdict| verdict.verdict.statistics.contains_key(name));
        let is_same = match ours {
            Some(ours) => (ours - theirs).abs() <= METRIC,
            None => is_known,
        };
        (!is_same).then(|| Divergence::Metric { name: name.clone(), ours, theirs: *theirs })
    })
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            |text: &Option<String>| text.as_ref().map_or("nothing".to_owned(), |text| format!("`{}`", shortened(text)));
        match self {
            Divergence::Prompt(diff) => write!(f, "the prompt:\n{diff}"),
            Divergence::Continuation { request, ours, theirs } => {
                write!(f, "what is scored, number {}: ours {}, theirs {}", request + 1, text(ours), text(theirs))
            }
            Divergence::Error(error) => write!(f, "no answer: {error}"),
            Divergence::LogLikelihood { request, ours, theirs, tokens: (scored, read, cut) } => {
                let difference = (ours - theirs).abs();
                write!(f, "the log-likelihood of request {}: ours {ours:.5}, theirs {theirs:.5}, ", request + 1)?;
                write!(f, "{difference:.1e} nats apart; {scored} tokens of {read} scored, {cut} cut off on the left")
            }
            Divergence::Answer(diff) => write!(f, "the answer:\n{diff}"),
            Divergence::Extraction { ours, theirs } => {
                write!(f, "what was extracted: ours {}, theirs {}", text(ours), text(theirs))
            }
            Divergence::Metric { name, ours, theirs } => match ours {
                Some(ours) => write!(f, "the judgement `{name}`: ours {ours}, theirs {theirs}"),
                None => write!(f, "the judgement `{name}`: theirs {theirs}, ours has no such metric"),
            },
        }
    }
}
