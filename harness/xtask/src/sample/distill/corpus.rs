//! What the model reads before it is taught: counting on, step by step, and stories retold by their numbers. No question
//! is answered in it, so that all it can learn is the words, where numbers stand, and what adds up to what.

use super::super::Random;
use super::totals::{ALL, add, added, step};
use serde_json::{Value, json};

/// Steps in a row.
const STEPS: usize = 6;

/// Rows for a trainer.
pub(super) fn rows(random: &mut Random, count: usize) -> Vec<Value> {
    let row = |place: usize| {
        let (prompt, completion) = if place.is_multiple_of(2) { facts(random) } else { retold(random) };
        json!({ "id": format!("corpus-{place}"), "prompt": prompt, "completion": completion })
    };
    (0..count).map(row).collect()
}

fn facts(random: &mut Random) -> (String, String) {
    let mut total = random.between(0, 9);
    let fact = |_| {
        let (before, digit) = (total, added(random));
        total = add(total, digit);
        step(before, digit, total)
    };
    let steps: Vec<String> = (0..STEPS).map(fact).collect();
    ("Let's think step by step.".to_owned(), format!("\n{}.", steps.join(", ")))
}

fn retold(random: &mut Random) -> (String, String) {
    let total = ALL[random.between(0, 3) as usize].draw(random);
    let digits: Vec<String> = total.digits.iter().map(i64::to_string).collect();
    (format!("Q: {}\nSo the numbers are", total.question), format!(" {}.", digits.join(", ")))
}
