//! Which answers become rows, and what the rows say.

use super::judge::Judged;
use super::options::{Keep, TrainingForm};
use crate::official::OPENING;
use crate::question::TaskQuestion;
use crate::wording::{DELIMITER, Form};
use examiner_api::TrainingRow;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// A question with the teacher's answers to it, repetition by repetition; none where there is no answer.
pub(super) struct JudgedQuestion<'a> {
    pub(super) question: &'a TaskQuestion,
    pub(super) answers: Vec<Option<Judged>>,
}

impl JudgedQuestion<'_> {
    /// Whether it was answered, but never right.
    pub(super) fn is_unsolved(&self) -> bool {
        let mut answers = self.answers.iter().flatten().peekable();
        answers.peek().is_some() && answers.all(|answer| !answer.right)
    }
}

/// What all rows have in common.
pub(super) struct Origin<'a> {
    pub(super) teacher: &'a str,
    pub(super) sampling: &'a Value,
}

/// The rows, in the order of the questions.
///
/// Nothing is taught twice: of one question's rows with the same completion the first stays. And nothing is taught against
/// itself: a few texts occur twice, with opposite targets even, and of those only the first question with a kept row stays.
pub(super) fn rows(
    questions: &[JudgedQuestion<'_>],
    keep: Keep,
    form: TrainingForm,
    origin: &Origin<'_>,
) -> Vec<TrainingRow> {
    let mut rows = Vec::new();
    let mut owners: HashMap<(&str, &str), u64> = HashMap::new();
    for JudgedQuestion { question, answers } in questions {
        let mut kept = Vec::new();
        let mut taught = HashSet::new();
        for (repeat, answer) in ranked(answers, keep) {
            if let Some(row) = row(question, repeat, answer, form, origin)
                && taught.insert(row.completion.clone())
            {
                kept.push(row);
            }
        }
        if let Keep::KBest(count) = keep {
            kept.truncate(count.get() as usize);
        }
        if kept.is_empty() {
            continue;
        }
        let owner = *owners.entry((&question.task, &question.input)).or_insert(question.index);
        if owner == question.index {
            rows.append(&mut kept);
        }
    }
    rows
}

/// The answers that may be kept, with their repetitions, the best first: by length where only so many are kept, else in
/// the order of asking.
fn ranked(answers: &[Option<Judged>], keep: Keep) -> Vec<(usize, &Judged)> {
    let there = answers.iter().enumerate().filter_map(|(repeat, answer)| Some((repeat, answer.as_ref()?)));
    let mut ranked: Vec<(usize, &Judged)> = there.filter(|(_, answer)| answer.right || keep == Keep::All).collect();
    if matches!(keep, Keep::KBest(_)) {
        ranked.sort_by_key(|(_, answer)| answer.text.chars().count());
    }
    ranked
}

/// A row; none where the answer holds nothing to teach.
fn row(
    question: &TaskQuestion,
    repeat: usize,
    answer: &Judged,
    form: TrainingForm,
    origin: &Origin<'_>,
) -> Option<TrainingRow> {
    let bare = if answer.right { Some(&question.target) } else { answer.extracted.as_ref() };
    let completion = match form {
        TrainingForm::Reasoning if answer.text.is_empty() => return None,
        TrainingForm::Reasoning => format!("{DELIMITER}{OPENING}\n{}", answer.text),
        TrainingForm::Answers => format!("{DELIMITER}{}", bare?),
    };
    let id = question.id();
    let metadata: [(&str, Value); 7] = [
        ("sample", json!(id)),
        ("task", json!(&*question.task)),
        ("question", json!(question.input)),
        ("reasoning", json!(answer.text)),
        ("answer", json!(bare)),
        ("teacher", json!(origin.teacher)),
        ("sampling", origin.sampling.clone()),
    ];
    Some(TrainingRow {
        id: format!("{id}-{repeat}"),
        prompt: Form::Answers.question(&question.input),
        completion,
        metadata: metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn question(index: u64, input: &str, target: &str) -> TaskQuestion {
        TaskQuestion {
            task: "navigate".into(),
            index,
            input: input.to_owned(),
            target: target.to_owned(),
            cluster: None,
        }
    }

    fn answer(text: &str, right: bool) -> Option<Judged> {
        Some(Judged { text: text.to_owned(), extracted: Some("Yes".to_owned()), right })
    }

    fn ids(questions: &[(&TaskQuestion, Vec<Option<Judged>>)], keep: Keep, form: TrainingForm) -> Vec<String> {
        let origin = Origin { teacher: "t", sampling: &Value::Null };
        let questions: Vec<JudgedQuestion<'_>> =
            questions.iter().map(|(question, answers)| JudgedQuestion { question, answers: answers.clone() }).collect();
        rows(&questions, keep, form, &origin).into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn right_ones_all_or_the_shortest() {
        let question = question(0, "Back?", "Yes");
        let answers =
            vec![answer("long and right", true), answer("wrong", false), None, answer("right", true), answer("", true)];
        let of = |keep| ids(&[(&question, answers.clone())], keep, TrainingForm::Reasoning);
        assert_eq!(of(Keep::Correct), ["navigate-0-0", "navigate-0-3"], "nothing can be learned from an empty text");
        assert_eq!(of(Keep::All), ["navigate-0-0", "navigate-0-1", "navigate-0-3"]);
        assert_eq!(of(Keep::KBest(NonZeroU32::MIN)), ["navigate-0-3"]);
    }

    #[test]
    fn nothing_is_taught_twice() {
        let question = question(0, "Back?", "Yes");
        let answers = vec![answer("one", true), answer("one", true), answer("two", true)];
        assert_eq!(
            ids(&[(&question, answers.clone())], Keep::Correct, TrainingForm::Reasoning),
            ["navigate-0-0", "navigate-0-2"]
        );
        assert_eq!(ids(&[(&question, answers)], Keep::Correct, TrainingForm::Answers), ["navigate-0-0"]);
    }

    #[test]
    fn nothing_is_taught_against_itself() {
        let (first, again) = (question(3, "Back?", "No"), question(7, "Back?", "Yes"));
        let of = |first_right| {
            let questions = [(&first, vec![answer("a", first_right)]), (&again, vec![answer("b", true)])];
            ids(&questions, Keep::Correct, TrainingForm::Reasoning)
        };
        assert_eq!(of(true), ["navigate-3-0"]);
        assert_eq!(of(false), ["navigate-7-0"], "the first that is kept stays");
    }

    #[test]
    fn the_prompt_is_that_of_bare_answers() {
        let origin = Origin { teacher: "t", sampling: &Value::Null };
        let question = question(0, "Back?", "Yes");
        let answered = [JudgedQuestion { question: &question, answers: vec![answer("So the answer is Yes.", true)] }];
        let row = |form| rows(&answered, Keep::Correct, form, &origin).remove(0);
        let reasoning = row(TrainingForm::Reasoning);
        assert_eq!(reasoning.prompt, "Q: Back?\nA:");
        assert_eq!(reasoning.completion, " Let's think step by step.\nSo the answer is Yes.");
        let bare = row(TrainingForm::Answers);
        assert_eq!((bare.prompt, &*bare.completion), (reasoning.prompt, " Yes"));
    }
}
