//! Questions with four choices.

use super::random::Random;
use serde_json::{Value, json};

/// `count` questions: `question`, `choices`, and `answer`, the index of the right choice.
pub(crate) fn questions(random: &mut Random, count: usize) -> Vec<Value> {
    let kinds: [fn(&mut Random) -> Question; 3] = [most, tool, opposite];
    let rows = (0..count).map(|index| {
        let (question, choices) = kinds[index % kinds.len()](random);
        let right = choices[0].clone();
        let mut choices = choices.to_vec();
        random.shuffle(&mut choices);
        let answer = choices.iter().position(|choice| *choice == right);
        json!({ "question": question, "choices": choices, "answer": answer })
    });
    rows.collect()
}

/// A question, and its choices with the right one first.
type Question = (String, [String; 4]);

fn most(random: &mut Random) -> Question {
    let mut colours = ["red", "blue", "green", "yellow", "white", "orange"];
    random.shuffle(&mut colours);
    let fewer: Vec<i64> = (0..3).map(|_| random.between(2, 20)).collect();
    let most = random.between(21, 40);
    let question = format!(
        "A jar holds {} {} beads, {} {} beads, {most} {} beads and {} {} beads. Of which colour are there most?",
        fewer[0], colours[1], fewer[1], colours[2], colours[0], fewer[2], colours[3]
    );
    (question, [colours[0], colours[1], colours[2], colours[3]].map(str::to_owned))
}

/// Things, and where one would use them.
const USES: [(&str, &str); 8] = [
    ("an umbrella", "to stay dry in the rain"),
    ("a ladder", "to reach a high shelf"),
    ("a kettle", "to boil water"),
    ("a saw", "to cut a plank"),
    ("a torch", "to see in the dark"),
    ("a needle", "to sew on a button"),
    ("a broom", "to sweep the floor"),
    ("an oar", "to row a boat"),
];

fn tool(random: &mut Random) -> Question {
    let mut uses = USES;
    random.shuffle(&mut uses);
    let question = format!("What would you take {}?", uses[0].1);
    (question, [uses[0].0, uses[1].0, uses[2].0, uses[3].0].map(str::to_owned))
}

const OPPOSITES: [(&str, &str); 8] = [
    ("hot", "cold"),
    ("early", "late"),
    ("heavy", "light"),
    ("full", "empty"),
    ("loud", "quiet"),
    ("rough", "smooth"),
    ("wide", "narrow"),
    ("sharp", "blunt"),
];

fn opposite(random: &mut Random) -> Question {
    let mut pairs = OPPOSITES;
    random.shuffle(&mut pairs);
    let question = format!("Which word is the opposite of {}?", pairs[0].0);
    (question, [pairs[0].1, pairs[1].1, pairs[2].1, pairs[3].1].map(str::to_owned))
}
