//! Counts of tokens, held against those of results.

use super::scoring::shown;
use super::{First, Session, TOKENS};
use crate::conformance::asking::good;
use crate::conformance::prompts::{Prompt, greedy};
use crate::conformance::report::Held;
use examiner_api::{Answer, Ask, ErrorCode, GenerateRequest, Result, ScoreRequest, TokenCount};

pub(super) fn check(session: &mut Session, first: &First) -> Result<Held> {
    let score = |prompt: &Prompt| {
        let ScoreRequest { context, turns, continuation, span, .. } = prompt.score();
        Ask::Score { context, turns, continuation, span }
    };
    let generate = |prompt: &Prompt| {
        let GenerateRequest { prompt, turns, sampling, .. } = prompt.generate(&greedy(TOKENS));
        Ask::Generate { prompt, turns, sampling }
    };
    let asks: Vec<Ask> = session.prompts.iter().map(score).chain(session.prompts.iter().map(generate)).collect();
    let counts = match session.model.count_tokens(&asks) {
        Err(error) if error.code == ErrorCode::Unsupported => {
            return Ok(Held::Skipped("it counts no tokens".to_owned()));
        }
        counts => counts?,
    };
    if counts.len() != asks.len() {
        return Ok(Held::No(format!("expected {} counts, found {}", asks.len(), counts.len())));
    }
    let (of_scores, of_answers) = counts.split_at(session.prompts.len());
    let scores = good(&first.scores).map(|(place, score)| (place, of_scores[place], Answer::Score(score.clone()), 0));
    let answers = good(&first.answers)
        .map(|(place, answer)| (place, of_answers[place], Answer::Generate(answer.clone()), answer.tokens_out));
    let mut compared = 0;
    for (place, TokenCount { read, written }, answer, tokens_out) in scores.chain(answers) {
        let context = || shown(&session.prompts[place].context);
        if read != u64::from(answer.tokens_read()) {
            return Ok(Held::No(format!(
                "expected a count of {} tokens, which were read of {:?}, found {read}",
                answer.tokens_read(),
                context()
            )));
        }
        if u64::from(tokens_out) > written {
            return Ok(Held::No(format!(
                "expected no more than the counted {written} tokens after {:?}, found an answer of {tokens_out}",
                context()
            )));
        }
        compared += 1;
    }
    Ok(Held::Yes(format!("{compared} counts are those of the results")))
}
