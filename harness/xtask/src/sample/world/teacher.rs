//! The recorded teacher: reasons step by step, and is not always right.

use super::totals::{MOVES, Total, Wording};
use crate::sample::random::Random;
use serde_json::{Value, json};

/// How many answers of a hundred have a mistake in one step.
const SLIPS: i64 = 15;
/// How many end before the answer.
const BROKEN_OFF: i64 = 3;

/// One answer to each question, found by `task` and `index`.
pub(super) fn answers(random: &mut Random, task: &str, questions: &[Total]) -> Vec<Value> {
    let answer = |(index, total): (usize, &Total)| {
        let chance = random.between(0, 99);
        let slip = (random.between(0, MOVES as i64 - 1) as usize, random.between(1, 9));
        let (steps, found) = total.steps((chance < SLIPS).then_some(slip));
        let completion = match chance {
            chance if chance >= 100 - BROKEN_OFF => format!("{steps} and then"),
            _ => format!("{steps}. So the answer is {found}."),
        };
        json!({ "task": task, "index": index, "question": total.question, "completion": completion })
    };
    questions.iter().enumerate().map(answer).collect()
}

/// The file of a task's few-shot prompt, as BIG-Bench-Hard writes them.
pub(super) fn prompt(wording: Wording, examples: &[Total]) -> String {
    let examples = examples.iter().map(|total| {
        let (steps, found) = total.steps(None);
        format!("Q: {}\nA: Let's think step by step.\n{steps}. So the answer is {found}.", total.question)
    });
    let examples = examples.collect::<Vec<_>>().join("\n\n");
    format!("Made by a generator; nobody's benchmark.\n-----\n{}\n\n{examples}", wording.description())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_answer_in_six_is_wrong_and_a_few_are_none() {
        let mut random = Random::new(5);
        let questions: Vec<Total> = (0..2000).map(|_| Wording::Dial.draw(&mut random)).collect();
        let answers = answers(&mut random, "t", &questions);
        let right = |(answer, total): (&Value, &Total)| {
            answer["completion"].as_str().unwrap().ends_with(&format!("answer is {}.", total.answer()))
        };
        let right = answers.iter().zip(&questions).filter(|pair| right(*pair)).count();
        assert!((1600..1700).contains(&right), "{right} of 2000 are right");
        let none = answers.iter().filter(|answer| !answer["completion"].as_str().unwrap().contains("answer")).count();
        assert!((30..100).contains(&none), "{none} of 2000 have no answer");
    }
}
