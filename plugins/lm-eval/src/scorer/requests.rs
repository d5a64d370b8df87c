//! What a task asks of a model for one question.

use crate::spec::{OutputType, TaskSpec};
use examiner_api::{Ask, PluginError, Question, Result, Sampling, Span, Speaker, Turn};
use serde_json::Value;
use std::sync::Arc;

/// The requests of a question, in the order in which they are judged.
pub(super) fn of(task: &TaskSpec, question: &Question, default: &Sampling) -> Result<Vec<Ask>> {
    let sample = &question.sample;
    let score = |context: &str, turns: &Arc<Vec<Turn>>, continuation: String, span| Ask::Score {
        context: context.to_owned(),
        turns: turns.clone(),
        continuation,
        span,
    };
    let first = || {
        sample.choices.first().cloned().ok_or_else(|| {
            PluginError::bad_input(format!("the sample `{}` has no text whose likelihood is asked for", sample.id))
        })
    };
    Ok(match task.output_type {
        OutputType::Loglikelihood => {
            vec![score(&question.context, &question.turns, first()?, Span::Continuation)]
        }
        OutputType::LoglikelihoodRolling => vec![score("", &Arc::default(), first()?, Span::Rolling)],
        OutputType::MultipleChoice => {
            let continued = |choice: &String| format!("{}{choice}", sample.delimiter);
            let mut asks = Vec::new();
            if task.multiple_inputs {
                let continuation = continued(&first()?);
                let (contexts, inputs) = (texts(&sample.document, "contexts"), texts(&sample.document, "inputs"));
                for (context, input) in contexts.iter().zip(&inputs) {
                    let turns = with_input(&question.turns, input);
                    asks.push(score(context, &turns, continuation.clone(), Span::Continuation));
                }
                if needs_alone(task) {
                    let alone = inputs.iter().map(continued);
                    asks.extend(alone.map(|text| score("", &Arc::default(), text, Span::Continuation)));
                }
                return Ok(asks);
            }
            let given = sample.choices.iter().map(continued);
            asks.extend(given.map(|text| score(&question.context, &question.turns, text, Span::Continuation)));
            if needs_alone(task) {
                let alone = sample.choices.iter().map(continued);
                asks.extend(alone.map(|text| score("", &Arc::default(), text, Span::Continuation)));
            }
            asks
        }
        OutputType::GenerateUntil => {
            let sampling = merged(&task.sampling, default, &question.sampling);
            // An answer that does not depend on chance is the same however often it is asked for.
            let count = if sampling.temperature > 0.0 { task.repeats } else { 1 };
            let ask = |repeat: u32| Ask::Generate {
                prompt: question.context.clone(),
                turns: question.turns.clone(),
                sampling: Sampling { seed: sampling.seed.wrapping_add(u64::from(repeat) << 32), ..sampling.clone() },
            };
            (0..count).map(ask).collect()
        }
    })
}

/// Whether the likelihood of each choice without the question is asked for.
pub(super) fn needs_alone(task: &TaskSpec) -> bool {
    task.metrics.iter().any(|metric| metric.name == "acc_mutual_info")
}

/// Texts that the dataset has put beside the document.
pub(super) fn texts(document: &Value, name: &str) -> Vec<String> {
    let items = document.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A conversation with another text as the user's last turn.
fn with_input(turns: &Arc<Vec<Turn>>, input: &str) -> Arc<Vec<Turn>> {
    let mut turns = turns.clone();
    if let Some(place) = turns.iter().rposition(|turn| turn.speaker == Speaker::User) {
        Arc::make_mut(&mut turns)[place].content = input.to_owned();
    }
    turns
}

/// What a task asks for, with what the suite says differently from the default.
pub(super) fn merged(task: &Sampling, default: &Sampling, asked: &Sampling) -> Sampling {
    let mut merged = task.clone();
    if asked.max_new_tokens != default.max_new_tokens {
        merged.max_new_tokens = asked.max_new_tokens;
    }
    if asked.temperature != default.temperature {
        merged.temperature = asked.temperature;
    }
    if asked.top_k != default.top_k {
        merged.top_k = asked.top_k;
    }
    if asked.top_p != default.top_p {
        merged.top_p = asked.top_p;
    }
    if asked.repetition_penalty != default.repetition_penalty {
        merged.repetition_penalty = asked.repetition_penalty;
    }
    if asked.stop != default.stop {
        merged.stop.clone_from(&asked.stop);
    }
    merged.seed = asked.seed;
    merged
}
