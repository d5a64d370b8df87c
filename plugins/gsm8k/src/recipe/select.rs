//! Which answers become rows, and what the rows say.

use super::Question;
use super::options::{Keep, Options, TrainingForm};
use super::teacher::JudgedAnswer;
use crate::dataset::DELIMITER;
use examiner_api::TrainingRow;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// What all rows have in common.
pub(super) struct Origin<'a> {
    pub(super) teacher: &'a str,
    pub(super) sampling: &'a Value,
}

/// The rows, in the order of the questions.
///
/// Of one question's rows with the same completion the first stays; of questions with the same text, the first with a kept row.
pub(super) fn rows(
    questions: &[Question],
    answers: &[Vec<Option<JudgedAnswer>>],
    options: &Options,
    origin: &Origin<'_>,
) -> Vec<TrainingRow> {
    let mut rows = Vec::new();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (question, answers) in questions.iter().zip(answers) {
        let mut completions = HashSet::new();
        let made = ranked(answers, options.keep).into_iter();
        let made = made.filter_map(|(repeat, answer)| row(question, repeat, answer, options, origin));
        let mut kept: Vec<TrainingRow> = made.filter(|row| completions.insert(row.completion.clone())).collect();
        if let Keep::KBest(count) = options.keep {
            kept.truncate(count.get() as usize);
        }
        if !kept.is_empty() && *owners.entry(&question.text).or_insert(&question.sample.id) == question.sample.id {
            rows.append(&mut kept);
        }
    }
    rows
}

/// The answers that may be kept, with their repetitions: by length where only so many are kept, else in the order of asking.
fn ranked(answers: &[Option<JudgedAnswer>], keep: Keep) -> Vec<(usize, &JudgedAnswer)> {
    let given = answers.iter().enumerate().filter_map(|(repeat, answer)| Some((repeat, answer.as_ref()?)));
    let mut ranked: Vec<(usize, &JudgedAnswer)> =
        given.filter(|(_, answer)| answer.right || keep == Keep::All).collect();
    if matches!(keep, Keep::KBest(_)) {
        ranked.sort_by_key(|(_, answer)| answer.text.chars().count());
    }
    ranked
}

/// A row; none where the answer holds nothing to teach.
fn row(
    question: &Question,
    repeat: usize,
    answer: &JudgedAnswer,
    options: &Options,
    origin: &Origin<'_>,
) -> Option<TrainingRow> {
    let bare = if answer.right { Some(&question.answer) } else { answer.extracted.as_ref() };
    let completion = match options.form {
        TrainingForm::Reasoning if answer.text.is_empty() => return None,
        TrainingForm::Reasoning => format!("{DELIMITER}{}", answer.text),
        TrainingForm::Answers => format!("{DELIMITER}{}", bare?),
    };
    let id = &question.sample.id;
    let metadata: [(&str, Value); 7] = [
        ("sample", json!(id)),
        ("task", json!(options.name)),
        ("question", json!(question.text)),
        ("reasoning", json!(answer.text)),
        ("answer", json!(bare)),
        ("teacher", json!(origin.teacher)),
        ("sampling", origin.sampling.clone()),
    ];
    Some(TrainingRow {
        id: format!("{id}-{repeat}"),
        prompt: options.prompt.question(&question.text),
        completion,
        metadata: metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}
