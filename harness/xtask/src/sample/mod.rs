//! The bundled sample: word problems in GSM8K's format, questions with choices, and a made-up model's answers.
//!
//! Every sentence is a template of ours, filled by a seeded generator, so that the files can be made again bit by bit
//! and carry nobody's data.

mod choices;
mod distill;
mod problems;
mod random;
mod recorded;

pub(crate) use distill::files as world;

pub(crate) use random::Random;

use serde_json::Value;

/// Key of all random numbers of the sample. Another key makes other files.
const SEED: u64 = 20_240_229;
/// Questions that are asked.
const PROBLEMS: usize = 60;
/// Questions that few-shot examples are taken from.
const TRAIN: usize = 40;
/// Questions with choices.
const CHOICES: usize = 40;

/// The files of the sample: name and content.
pub fn files() -> Vec<(&'static str, String)> {
    let problems = problems::problems(&mut Random::new(SEED), PROBLEMS);
    let train = problems::problems(&mut Random::new(SEED + 1), TRAIN);
    let choices = choices::questions(&mut Random::new(SEED + 2), CHOICES);
    let recorded = recorded::answers(&problems);
    vec![
        ("problems.jsonl", lines(problems.iter().map(problems::Problem::row))),
        ("train.jsonl", lines(train.iter().map(problems::Problem::row))),
        ("choices.jsonl", lines(choices)),
        ("recorded.jsonl", lines(recorded)),
    ]
}

fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}
