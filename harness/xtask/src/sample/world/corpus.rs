//! What the model reads before it is taught: counting on, step by step, and stories retold by their numbers. No question
//! is answered in it, so that all it can learn is the words, where numbers stand, and what becomes of what.

use super::totals::{ALL, Move, step};
use crate::sample::random::Random;
use serde_json::{Value, json};

/// Steps in a row.
const STEPS: usize = 6;

/// Rows for a trainer.
pub(super) fn rows(random: &mut Random, count: usize) -> Vec<Value> {
    let row = |index: usize| {
        let (prompt, completion) = if index.is_multiple_of(2) { retold(random) } else { counted(random) };
        json!({ "id": format!("corpus-{index}"), "prompt": prompt, "completion": completion })
    };
    (0..count).map(row).collect()
}

fn counted(random: &mut Random) -> (String, String) {
    let mut total = random.between(0, 9);
    let one = |_| {
        let (before, by) = (total, Move::draw(random));
        total = by.of(before);
        step(before, by, total)
    };
    let steps: Vec<String> = (0..STEPS).map(one).collect();
    ("Let's think step by step.".to_owned(), format!("\n{}.", steps.join(", ")))
}

fn retold(random: &mut Random) -> (String, String) {
    let total = ALL[random.between(0, 3) as usize].draw(random);
    let moves: Vec<String> = total.moves.iter().map(|by| by.sign()).collect();
    (format!("Q: {}\nSo the numbers are", total.question), format!(" {}, {}.", total.first, moves.join(", ")))
}
