//! Clauses of generated answers.

use super::scoring::shown;
use super::{Session, TOKENS};
use crate::conformance::asking::{self, Results, good};
use crate::conformance::clause::*;
use crate::conformance::prompts::{Prompt, greedy};
use crate::conformance::report::{Findings, Held};
use examiner_api::{BatchInvariance, FinishReason, GenerateResult, Result, Sampling};

pub(super) fn check(session: &mut Session, first: &Results<GenerateResult>, findings: &mut Findings<'_>) {
    let held = stop_strings(session, first);
    findings.add_result(&MODEL_STOP_STRINGS, held);
    let held = max_new_tokens(session, first);
    findings.add_result(&MODEL_MAX_NEW_TOKENS, held);
    let held = seed(session, first);
    findings.add_result(&MODEL_SEED, held);
    let held = batch(session, first);
    findings.add_result(&MODEL_GENERATE_BATCH, held);
}

/// Two characters from the middle of a text, which then is to end before them.
fn middle(text: &str) -> Option<&str> {
    let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
    let middle = starts.len().checked_sub(2)? / 2;
    let stop = text.get(starts[middle]..*starts.get(middle + 2)?)?;
    // What is no whole character may become another one.
    (!stop.contains(char::REPLACEMENT_CHARACTER)).then_some(stop)
}

fn stop_strings(session: &mut Session, first: &Results<GenerateResult>) -> Result<Held> {
    let mut tried = 0;
    for (place, whole) in good(first).take(4) {
        let Some(stop) = middle(&whole.text) else { continue };
        let kept = whole.text.find(stop).map_or("", |end| &whole.text[..end]);
        let prompt = session.prompts[place].clone();
        let sampling = Sampling { stop: vec![stop.to_owned()], ..greedy(TOKENS) };
        let Ok(answer) = asking::generate(&mut *session.model, vec![prompt.generate(&sampling)])?.remove(0) else {
            continue;
        };
        tried += 1;
        let found = |what: &str| {
            Held::No(format!(
                "expected the answer {:?} to {:?} to end before the stop string {stop:?}, with `finish: stop-string`, found {what}",
                shown(&whole.text),
                shown(&prompt.context)
            ))
        };
        if answer.text.contains(stop) {
            return Ok(found(&format!("{:?}", shown(&answer.text))));
        }
        if session.info.batch_invariance == BatchInvariance::Exact {
            if answer.text != kept {
                return Ok(found(&format!("{:?}", shown(&answer.text))));
            }
            if answer.finish != FinishReason::StopString {
                return Ok(found(&format!("the right text with `finish: {:?}`", answer.finish)));
            }
        }
    }
    Ok(match tried {
        0 => Held::Skipped("no answer is long enough to be stopped in the middle".to_owned()),
        _ => Held::Yes(format!("{tried} answers end before a stop string")),
    })
}

fn max_new_tokens(session: &mut Session, first: &Results<GenerateResult>) -> Result<Held> {
    let mut counted = 0;
    for most in [1, 3] {
        let requests = session.prompts.iter().map(|prompt| prompt.generate(&greedy(most))).collect();
        let answers = asking::generate(&mut *session.model, requests)?;
        for (place, answer) in good(&answers) {
            let longer = first.get(place).and_then(|result| result.as_ref().ok());
            counted += u32::from(answer.tokens_out > 0 || !answer.tokens.is_empty());
            if let Some(found) = fault(answer, most).or_else(|| cut_short(answer, longer?, most)) {
                return Ok(Held::No(found));
            }
        }
    }
    for (_, answer) in good(first) {
        if let Some(found) = fault(answer, TOKENS) {
            return Ok(Held::No(found));
        }
    }
    Ok(match counted {
        0 => Held::Skipped("the model counts no generated tokens (`tokens_out`)".to_owned()),
        _ => {
            Held::Yes(format!("{counted} answers of at most 1 and 3 tokens have no more, and say where they were cut"))
        }
    })
}

/// What is wrong with the counts of an answer that may have `most` tokens.
fn fault(answer: &GenerateResult, most: u32) -> Option<String> {
    let GenerateResult { tokens, tokens_out, finish, text, .. } = answer;
    if !tokens.is_empty() && tokens.len() != *tokens_out as usize {
        return Some(format!("expected `tokens_out` to count the {} ids of tokens, found {tokens_out}", tokens.len()));
    }
    if *tokens_out > most {
        return Some(format!("expected at most {most} tokens, found {tokens_out}: {:?}", shown(text)));
    }
    (*finish == FinishReason::Length && *tokens_out > 0 && *tokens_out < most).then(|| {
        format!(
            "expected `finish: length` of an answer of {most} tokens alone, found it of one of {tokens_out}: {:?}",
            shown(text)
        )
    })
}

/// An answer of all its tokens that says that it has ended, where more tokens give a longer one.
fn cut_short(answer: &GenerateResult, longer: &GenerateResult, most: u32) -> Option<String> {
    let is_cut = answer.tokens_out == most && longer.tokens_out > most && longer.text.starts_with(&answer.text);
    (is_cut && answer.finish == FinishReason::EndOfText).then(|| {
        format!(
            "expected `finish: length` of the answer {:?}, which was cut after {most} tokens and goes on as {:?}, found \
             `end-of-text`",
            shown(&answer.text),
            shown(&longer.text)
        )
    })
}

/// The texts of the answers, or nothing for errors.
fn texts(results: &Results<GenerateResult>) -> Vec<Option<&str>> {
    results.iter().map(|result| result.as_ref().ok().map(|answer| answer.text.as_str())).collect()
}

/// The prompt whose answers differ, with both.
fn difference(session: &Session, one: &Results<GenerateResult>, other: &Results<GenerateResult>) -> Option<String> {
    let mut pairs = texts(one).into_iter().zip(texts(other)).zip(&session.prompts);
    pairs.find(|((one, other), _)| one != other).map(|((one, other), prompt)| {
        let said = |text: Option<&str>| text.map_or("an error".to_owned(), |text| format!("{:?}", shown(text)));
        format!("{} and {} after {:?}", said(one), said(other), shown(&prompt.context))
    })
}

const NOT_EXACT: &str = "the model declares that it is not exact (`batch_invariance`)";

fn seed(session: &mut Session, first: &Results<GenerateResult>) -> Result<Held> {
    if session.info.batch_invariance != BatchInvariance::Exact {
        return Ok(Held::Skipped(NOT_EXACT.to_owned()));
    }
    let with = |session: &mut Session, sampling: &Sampling| {
        let requests = session.prompts.iter().map(|prompt| prompt.generate(sampling)).collect();
        asking::generate(&mut *session.model, requests)
    };
    let other_seed = with(session, &Sampling { seed: 7, ..greedy(TOKENS) })?;
    if let Some(difference) = difference(session, first, &other_seed) {
        return Ok(Held::No(format!(
            "expected the same answer with seed 0 and 7 at temperature 0, found {difference}"
        )));
    }
    let random = Sampling { seed: 7, temperature: 1.0, ..greedy(TOKENS) };
    let (one, other) = (with(session, &random)?, with(session, &random)?);
    Ok(match difference(session, &one, &other) {
        Some(difference) => {
            Held::No(format!("expected the same answer with the same seed at temperature 1, found {difference}"))
        }
        None => {
            Held::Yes("the same seed gives the same answers, and at temperature 0 another one does, too".to_owned())
        }
    })
}

fn batch(session: &mut Session, first: &Results<GenerateResult>) -> Result<Held> {
    if session.info.batch_invariance != BatchInvariance::Exact {
        return Ok(Held::Skipped(NOT_EXACT.to_owned()));
    }
    let requests: Vec<_> = session.prompts.iter().map(|prompt| prompt.generate(&greedy(TOKENS))).collect();
    let mut alone = Vec::new();
    for request in &requests {
        alone.extend(asking::generate(&mut *session.model, vec![request.clone()])?);
    }
    let mut backwards = asking::generate(&mut *session.model, requests.iter().rev().cloned().collect())?;
    backwards.reverse();
    let neighbour = |prompt: &Prompt| prompt.generate(&greedy(2 * TOKENS));
    let doubled = requests.iter().flat_map(|request| [neighbour(&session.prompts[0]), request.clone()]).collect();
    let doubled = asking::generate(&mut *session.model, doubled)?;
    let beside: Vec<_> = doubled.into_iter().skip(1).step_by(2).collect();
    for (how, others) in [("alone", &alone), ("in the opposite order", &backwards), ("beside other requests", &beside)]
    {
        if let Some(difference) = difference(session, first, others) {
            return Ok(Held::No(format!(
                "expected the same greedy answer in a batch and {how}, found {difference}; a model that cannot promise it \
                 declares `batch_invariance`"
            )));
        }
    }
    Ok(Held::Yes(format!(
        "{} prompts have the same answer together, alone, backwards and beside others",
        requests.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_string_is_taken_from_the_middle() {
        assert_eq!(middle("abcdef"), Some("cd"));
        assert_eq!(middle("äöü"), Some("öü"));
        assert_eq!((middle("a"), middle("")), (None, None));
    }

    #[test]
    fn counts_of_tokens_fit_their_limit_and_their_finish() {
        let of =
            |tokens_out, finish| GenerateResult { text: "t".into(), tokens_out, finish, ..GenerateResult::default() };
        assert_eq!(fault(&of(3, FinishReason::Length), 3), None);
        assert_eq!(fault(&of(2, FinishReason::EndOfText), 3), None);
        assert!(fault(&of(4, FinishReason::Length), 3).unwrap().contains("at most 3"));
        assert!(fault(&of(2, FinishReason::Length), 3).unwrap().contains("one of 2"));
        let ids = GenerateResult { tokens: vec![1, 2], ..of(3, FinishReason::Length) };
        assert!(fault(&ids, 3).unwrap().contains("found 3"));
    }
}
