//! Clauses of log-likelihoods.

use super::Session;
use crate::conformance::asking::{self, Results, good};
use crate::conformance::clause::*;
use crate::conformance::prompts::Prompt;
use crate::conformance::report::{Findings, Held, is_breach};
use examiner_api::{ErrorCode, Result, ScoreResult};
use std::collections::HashMap;

/// How far two computations of one whole text may differ: the sum is rounded once for each token.
const WHOLE_TOLERANCE: f64 = 1e-4;
/// How far probabilities may add up to above 1.
const ROUNDING: f64 = 1e-3;

pub(super) fn check(session: &mut Session, first: &Results<ScoreResult>, findings: &mut Findings<'_>) {
    let (numbers, counts) = values(&session.prompts, first);
    findings.add(&MODEL_SCORE_NUMBERS, numbers);
    findings.add(&MODEL_SCORE_COUNTS, counts);
    let held = batch(session, first);
    findings.add_result(&MODEL_SCORE_BATCH, held);
    let held = whole_text(session);
    findings.add_result(&MODEL_WHOLE_TEXT, held);
    let held = choice_probabilities(session);
    findings.add_result(&MODEL_CHOICE_PROBABILITIES, held);
    findings.add(&MODEL_EMPTY_CONTEXT, empty_context(session));
}

/// The check that a run makes of every score, of which one part is about numbers, the other about counts.
fn values(prompts: &[Prompt], first: &Results<ScoreResult>) -> (Held, Held) {
    let (mut numbers, mut counts) = (None, None);
    let mut checked = 0;
    for (place, score) in good(first) {
        checked += 1;
        match score.check(&prompts[place].continuation) {
            Err(error) if error.code == ErrorCode::Numeric => numbers = numbers.or(Some(error.message)),
            Err(error) => counts = counts.or(Some(error.message)),
            Ok(()) => {}
        }
    }
    let held = |fault: Option<String>, what: &str| match fault {
        Some(fault) => Held::No(fault),
        None => Held::Yes(format!("{checked} log-likelihoods have {what}")),
    };
    (held(numbers, "possible numbers"), held(counts, "counts that fit together"))
}

/// What differs between two scores of one request.
fn difference(one: &Result<ScoreResult>, other: &Result<ScoreResult>, tolerance: f64) -> Option<String> {
    match (one, other) {
        (Ok(one), Ok(other)) if tolerance == 0.0 => {
            let same = one.sum.to_bits() == other.sum.to_bits() && one.token_logprobs == other.token_logprobs;
            (!same || one.is_greedy != other.is_greedy).then(|| {
                format!(
                    "{} nats (`is_greedy` {}) and {} nats (`is_greedy` {})",
                    one.sum, one.is_greedy, other.sum, other.is_greedy
                )
            })
        }
        (Ok(one), Ok(other)) => {
            ((one.sum - other.sum).abs() > tolerance).then(|| format!("{} and {} nats", one.sum, other.sum))
        }
        (Err(_), Err(_)) => None,
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => Some(format!("a result and the error: {error}")),
    }
}

/// The same requests alone, backwards, and beside copies of others.
fn batch(session: &mut Session, first: &Results<ScoreResult>) -> Result<Held> {
    let Some(tolerance) = session.tolerance() else {
        return Ok(Held::Skipped("the model declares `batch_invariance: not-promised`".to_owned()));
    };
    let requests: Vec<_> = session.prompts.iter().map(Prompt::score).collect();
    let mut alone = Vec::new();
    for request in &requests {
        alone.extend(asking::score(&mut *session.model, vec![request.clone()])?);
    }
    let mut backwards = asking::score(&mut *session.model, requests.iter().rev().cloned().collect())?;
    backwards.reverse();
    let doubled = requests.iter().flat_map(|request| [session.prompts[0].score_of(" and so on"), request.clone()]);
    let doubled = asking::score(&mut *session.model, doubled.collect())?;
    let beside: Vec<_> = doubled.into_iter().skip(1).step_by(2).collect();
    for (how, others) in [("alone", &alone), ("in the opposite order", &backwards), ("beside other requests", &beside)]
    {
        for ((prompt, one), other) in session.prompts.iter().zip(first).zip(others) {
            if let Some(difference) = difference(one, other, tolerance) {
                return Ok(Held::No(format!(
                    "expected the same log-likelihood of {:?} after {:?} in a batch and {how}, within {tolerance} nats, found \
                     {difference}; a model that cannot promise it declares `batch_invariance`",
                    prompt.continuation,
                    shown(&prompt.context)
                )));
            }
        }
    }
    let how = if tolerance == 0.0 { "in every bit".to_owned() } else { format!("within {tolerance} nats") };
    Ok(Held::Yes(format!(
        "{} texts score the same {how}, together, alone, backwards and beside others",
        requests.len()
    )))
}

fn whole_text(session: &mut Session) -> Result<Held> {
    let prompts: Vec<Prompt> = session.prompts.iter().take(4).cloned().collect();
    let mut compared = 0;
    for prompt in prompts {
        let text = format!("{}{}", prompt.context, prompt.continuation);
        let requests = vec![prompt.whole(&prompt.context, &prompt.continuation), prompt.whole("", &text)];
        let results = asking::score(&mut *session.model, requests)?;
        let [Ok(cut), Ok(whole)] = &results[..] else { continue };
        // A chat template writes another text around each.
        if cut.rendered.is_some() || whole.rendered.is_some() {
            continue;
        }
        compared += 1;
        let tolerance = WHOLE_TOLERANCE * whole.sum.abs().max(1.0) + session.tolerance().unwrap_or(0.1);
        if cut.scored_tokens != whole.scored_tokens || (cut.sum - whole.sum).abs() > tolerance {
            return Ok(Held::No(format!(
                "expected the same log-likelihood of the whole text {:?} with and without a context, found {} nats for {} tokens \
                 and {} nats for {}",
                shown(&text),
                cut.sum,
                cut.scored_tokens,
                whole.sum,
                whole.scored_tokens
            )));
        }
    }
    Ok(match compared {
        0 => Held::Skipped("no whole text got two results without a chat template".to_owned()),
        _ => Held::Yes(format!("{compared} whole texts have one log-likelihood each")),
    })
}

/// Many short texts after one context, of which those count that are one token each.
fn choice_probabilities(session: &mut Session) -> Result<Held> {
    let prompt = session.prompts[0].clone();
    let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['.', ',', '!', '?', ':', ';', '-']);
    let texts: Vec<String> = letters.flat_map(|letter| [format!(" {letter}"), letter.to_string()]).collect();
    let words = [" the", " a", " of", " is", " not", " in", " blue", " red", "\n", " "];
    let texts: Vec<String> = texts.into_iter().chain(words.map(str::to_owned)).collect();
    let requests = texts.iter().map(|text| prompt.score_of(text)).collect();
    let scores = asking::score(&mut *session.model, requests)?;
    let mut probabilities: HashMap<u32, f64> = HashMap::new();
    for (_, score) in good(&scores) {
        // Without its id a token cannot be told from another.
        if let ([token], 1) = (&score.tokens[..], score.scored_tokens) {
            probabilities.insert(*token, score.sum.exp());
        }
    }
    let total: f64 = probabilities.values().sum();
    Ok(match probabilities.len() {
        0 | 1 => Held::Skipped("fewer than two continuations of one token whose id is told".to_owned()),
        count if total > 1.0 + ROUNDING => Held::No(format!(
            "expected probabilities of {count} different tokens after {:?} that add up to at most 1, found {total}",
            shown(&prompt.context)
        )),
        count => Held::Yes(format!("the probabilities of {count} different tokens add up to {total:.4}")),
    })
}

fn empty_context(session: &mut Session) -> Held {
    let prompt = session.prompts[0].clone();
    let request = prompt.score_of(" blue");
    let request = examiner_api::ScoreRequest { context: String::new(), ..request };
    match asking::score(&mut *session.model, vec![request]).map(|mut results| results.remove(0)) {
        Ok(Ok(score)) => match score.check(" blue") {
            Ok(()) => Held::Yes(format!("it gets a result: {} nats", score.sum)),
            Err(error) => Held::No(error.message),
        },
        Ok(Err(error)) if is_breach(&error) => {
            Held::No(format!("expected a result or an error of its own, found: {error}"))
        }
        Ok(Err(error)) if error.help.is_none() && error.message.trim().is_empty() => {
            Held::No("expected an error that says what to do, found one without a word".to_owned())
        }
        Ok(Err(error)) => Held::Yes(format!("it is refused: {error}")),
        Err(error) => {
            Held::No(format!("expected a result or an error of the request, found that the call failed: {error}"))
        }
    }
}

/// The beginning of a text.
pub(super) fn shown(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}
