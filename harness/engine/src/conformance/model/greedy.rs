//! `is_greedy`, held against greedy generation.

use super::Session;
use super::scoring::shown;
use crate::conformance::asking::{self, good};
use crate::conformance::prompts::{Prompt, greedy};
use crate::conformance::report::Held;
use examiner_api::Result;

/// Tokens of the answers that are scored.
const TOKENS: u32 = 5;

pub(super) fn check(session: &mut Session) -> Result<Held> {
    // White space at the end of a context is scored with the continuation, and would be generated otherwise.
    let is_plain = |prompt: &&Prompt| prompt.context.trim_end() == prompt.context && !prompt.context.is_empty();
    let prompts: Vec<Prompt> = session.prompts.iter().filter(is_plain).cloned().collect();
    let (mut told, mut compared) = (0, 0);
    let answers =
        asking::generate(&mut *session.model, prompts.iter().map(|prompt| prompt.generate(&greedy(TOKENS))).collect())?;
    for (place, answer) in good(&answers) {
        let prompt = &prompts[place];
        if answer.text.trim().is_empty() || answer.rendered.is_some() {
            continue;
        }
        let score = asking::score(&mut *session.model, vec![prompt.score_of(&answer.text)])?.remove(0);
        let Ok(score) = score else { continue };
        // The text may be cut into other tokens when it is read than when it was written.
        let is_same_tokens = !score.tokens.is_empty() && answer.tokens.starts_with(&score.tokens);
        if is_same_tokens {
            compared += 1;
            if !score.is_greedy {
                return Ok(Held::No(format!(
                    "expected `is_greedy` for {:?} after {:?}, which greedy generation gives, found that it is false",
                    shown(&answer.text),
                    shown(&prompt.context)
                )));
            }
        }
    }
    // The other way round: what is said to be greedy is what is generated.
    let others = [" blue", " the", " a", ".", ",", " and", " 4", "\n", " not greedy at all"];
    for prompt in prompts.iter().take(4) {
        let texts: Vec<&str> = others.into_iter().chain([prompt.continuation.as_str()]).collect();
        let requests = texts.iter().map(|text| prompt.score_of(text)).collect();
        let scores = asking::score(&mut *session.model, requests)?;
        for (place, score) in good(&scores).filter(|(_, score)| score.is_greedy && score.rendered.is_none()) {
            told += 1;
            let request = prompt.generate(&greedy(score.scored_tokens));
            let answer = asking::generate(&mut *session.model, vec![request])?.remove(0);
            let Ok(answer) = answer else { continue };
            let is_same = match (score.tokens.is_empty(), answer.tokens.is_empty()) {
                (false, false) => answer.tokens == score.tokens,
                _ => answer.text == texts[place],
            };
            if !is_same {
                return Ok(Held::No(format!(
                    "expected greedy generation of {} tokens after {:?} to give {:?}, of which `is_greedy` is true, found {:?}",
                    score.scored_tokens,
                    shown(&prompt.context),
                    texts[place],
                    shown(&answer.text)
                )));
            }
        }
    }
    Ok(match (compared, told) {
        (0, 0) => {
            Held::Skipped("no greedy continuation could be recognized: the model tells no ids of tokens".to_owned())
        }
        _ => Held::Yes(format!("{compared} generated texts are greedy, and {told} that are said to be are generated")),
    })
}
