//! The quickstart's data: running totals, for teaching, training and examining.
//!
//! A running total of which only the last digit counts is out of a small model's reach as long as it must say it at once,
//! and easy step by step: so a teacher's reasoning makes a difference that a few minutes can show. Three tasks
//! are worded in the manner of BIG-Bench-Hard, and taught; word problems in the manner of GSM8K are worded otherwise,
//! and no training row is made of them. The teacher's answers are recorded, mistakes among them.

mod corpus;
mod teacher;
mod totals;

use super::random::Random;
use crate::program::files::to_json_lines;
use serde_json::json;
use totals::{TAUGHT, Total, Wording};

/// Questions of each task that are taught.
const TAUGHT_QUESTIONS: usize = 800;
/// Questions of each task that are examined.
const HELD_OUT_QUESTIONS: usize = 60;
/// Word problems that are examined.
const WORD_PROBLEMS: usize = 200;
/// Rows that the model learns from before it is taught.
const CORPUS: usize = 6000;

/// The files of the quickstart's data, by their paths: some megabytes, so they are generated and not under version control.
pub(crate) fn files(seed: u64) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut recorded = Vec::new();
    for (index, wording) in TAUGHT.into_iter().enumerate() {
        let mut random = Random::new(seed.wrapping_mul(1000).wrapping_add(index as u64));
        let name = wording.task();
        let examples: Vec<Total> = (0..3).map(|_| wording.draw(&mut random)).collect();
        let questions: Vec<Total> = (0..TAUGHT_QUESTIONS).map(|_| wording.draw(&mut random)).collect();
        let held_out = distinct(&mut random, wording, HELD_OUT_QUESTIONS, &questions);
        recorded.extend(teacher::answers(&mut random, name, &questions));
        files.push((format!("bbh/{name}.json"), task(&questions)));
        files.push((format!("cot-prompts/{name}.txt"), teacher::prompt(wording, &examples)));
        files.push((format!("held-out/{name}.json"), task(&held_out)));
    }
    let mut random = Random::new(seed.wrapping_mul(1000).wrapping_add(500));
    let problems = distinct(&mut random, Wording::Eggs, WORD_PROBLEMS, &[]);
    let row = |total: &Total| json!({ "question": total.question, "answer": total.worked() });
    files.push(("teacher.jsonl".to_owned(), to_json_lines(recorded)));
    files.push(("word-problems.jsonl".to_owned(), to_json_lines(problems.iter().map(row))));
    files.push(("corpus.jsonl".to_owned(), to_json_lines(corpus::rows(&mut random, CORPUS))));
    files
}

/// Questions of which none is asked twice, nor stands among those that are `taken`.
fn distinct(random: &mut Random, wording: Wording, count: usize, taken: &[Total]) -> Vec<Total> {
    let mut asked: std::collections::HashSet<String> = taken.iter().map(|total| total.question.clone()).collect();
    let drawn = std::iter::repeat_with(|| wording.draw(random));
    drawn.filter(|total| asked.insert(total.question.clone())).take(count).collect()
}

/// A task's file, as BIG-Bench-Hard writes them.
fn task(questions: &[Total]) -> String {
    let example = |total: &Total| json!({ "input": total.question, "target": total.answer().to_string() });
    format!("{}\n", json!({ "examples": questions.iter().map(example).collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn questions(files: &[(String, String)], part: &str) -> HashSet<String> {
        let tasks = files.iter().filter(|(path, _)| path.starts_with(part));
        tasks
            .flat_map(|(_, text)| {
                let task: serde_json::Value = serde_json::from_str(text).unwrap();
                let inputs = task["examples"].as_array().unwrap().clone();
                inputs.into_iter().map(|example| example["input"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    #[test]
    fn nothing_that_is_examined_is_taught() {
        let files = files(1);
        let (taught, held_out) = (questions(&files, "bbh/"), questions(&files, "held-out/"));
        assert_eq!(held_out.len(), 3 * HELD_OUT_QUESTIONS);
        assert!(taught.is_disjoint(&held_out));
        let problems = &files.iter().find(|(path, _)| path == "word-problems.jsonl").unwrap().1;
        assert!(problems.lines().all(|line| taught.iter().all(|question| !line.contains(question.as_str()))));
        let corpus = &files.iter().find(|(path, _)| path == "corpus.jsonl").unwrap().1;
        assert!(!corpus.contains("answer"), "the corpus has no answers");
        let asked: Vec<&str> = problems.lines().filter_map(|line| line.split('"').nth(3)).collect();
        assert_eq!(asked.len(), WORD_PROBLEMS);
        assert!(
            asked
                .iter()
                .chain(held_out.iter().map(String::as_str).collect::<Vec<_>>().iter())
                .all(|question| !corpus.contains(question)),
            "nothing that is examined stands in the corpus"
        );
    }

    #[test]
    fn another_seed_makes_another_world() {
        assert_eq!(files(1), files(1));
        assert!(files(1).iter().zip(files(2)).all(|(one, two)| one.1 != two.1));
    }
}
