//! The bundled sample: word problems in GSM8K's format, questions with choices, and a made-up model's answers.
//!
//! Every sentence is a template of ours, filled by a seeded generator, so that the files are reproducible in every byte
//! and contain nobody else's data.

mod choices;
mod problems;
mod random;
mod recorded;
mod world;

pub(crate) use random::Random;
pub(crate) use world::files as world;

use crate::program::files::to_json_lines;

/// Seed of all random numbers of the sample. Another seed makes other files.
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
        ("problems.jsonl", to_json_lines(problems.iter().map(problems::Problem::row))),
        ("train.jsonl", to_json_lines(train.iter().map(problems::Problem::row))),
        ("choices.jsonl", to_json_lines(choices)),
        ("recorded.jsonl", to_json_lines(recorded)),
    ]
}
