//! Which answers become rows, and what the rows say.

use super::{AnsweredQuestion, JudgedAnswer, Keep, TeacherData, TeacherQuestion, TrainingForm};
use crate::TrainingRow;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// What all rows have in common.
pub(super) struct Origin<'a> {
    /// The teacher's name.
    pub(super) teacher: &'a str,
    pub(super) sampling: &'a Value,
}

/// The rows, in the order of the questions.
///
/// No row is written twice: of one question's rows with the same completion the first stays. And no two rows contradict each
/// other: benchmarks hold a few texts twice, with opposite answers even, and of those only the first question with a kept
/// row has any.
pub(super) fn rows(questions: &[AnsweredQuestion], recipe: &TeacherData<'_>, origin: &Origin<'_>) -> Vec<TrainingRow> {
    let mut rows = Vec::new();
    let mut owners: HashMap<(&str, &str), &str> = HashMap::new();
    for AnsweredQuestion { question, answers } in questions {
        let mut completions = HashSet::new();
        let candidates = ranked(answers, recipe.options.keep).into_iter();
        let candidates = candidates.filter_map(|(repeat, answer)| row(question, repeat, answer, recipe, origin));
        let mut kept: Vec<TrainingRow> = candidates.filter(|row| completions.insert(row.completion.clone())).collect();
        if let Keep::KBest(count) = recipe.options.keep {
            kept.truncate(count.get() as usize);
        }
        let id = &*question.sample.id;
        if !kept.is_empty() && *owners.entry((&question.task, &question.text)).or_insert(id) == id {
            rows.append(&mut kept);
        }
    }
    rows
}

/// The answers that may be kept, with their repetitions: by length where only a number of them is kept, else in the order of
/// asking.
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
    question: &TeacherQuestion,
    repeat: usize,
    answer: &JudgedAnswer,
    recipe: &TeacherData<'_>,
    origin: &Origin<'_>,
) -> Option<TrainingRow> {
    let bare = if answer.right { Some(&question.answer) } else { answer.extracted.as_ref() };
    let completion = match recipe.options.form {
        TrainingForm::Reasoning if answer.text.is_empty() => return None,
        TrainingForm::Reasoning => format!("{}{}", recipe.before_reasoning, answer.text),
        TrainingForm::Answers => format!("{}{}", recipe.before_answer, bare?),
    };
    let id = &question.sample.id;
    let metadata: [(&str, Value); 7] = [
        ("sample", json!(id)),
        ("task", json!(question.task)),
        ("question", json!(question.text)),
        ("reasoning", json!(answer.text)),
        ("answer", json!(bare)),
        ("teacher", json!(origin.teacher)),
        ("sampling", origin.sampling.clone()),
    ];
    Some(TrainingRow {
        id: format!("{id}-{repeat}"),
        prompt: question.row_prompt.clone(),
        completion,
        metadata: metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;
    use crate::{Metadata, Sample, teacher_data::TeacherOptions};
    use std::num::NonZeroU32;

    fn question(index: u64, text: &str, answer: &str, answers: Vec<Option<JudgedAnswer>>) -> AnsweredQuestion {
        let question = TeacherQuestion {
            sample: Sample { id: format!("navigate-{index}"), ..Sample::default() },
            prompt: String::new(),
            task: "navigate".to_owned(),
            text: text.to_owned(),
            answer: answer.to_owned(),
            row_prompt: format!("Q: {text}\nA:"),
        };
        AnsweredQuestion { question, answers }
    }

    fn answer(text: &str, right: bool) -> Option<JudgedAnswer> {
        Some(JudgedAnswer { text: text.to_owned(), extracted: Some("Yes".to_owned()), right })
    }

    fn rows_of(questions: &[AnsweredQuestion], keep: Keep, form: TrainingForm) -> Vec<TrainingRow> {
        let recipe = TeacherData {
            host: &FakeHost::new().host(),
            options: TeacherOptions {
                name: "bbh".to_owned(),
                shots: 0,
                samples: NonZeroU32::MIN,
                temperature: None,
                max_new_tokens: 1,
                stop: Vec::new(),
                keep,
                form,
                allow_errors: 0.0,
            },
            scorer: ("answer-extraction", Metadata::new()),
            inputs: Metadata::new(),
            before_reasoning: " Let's think step by step.\n".to_owned(),
            before_answer: " ".to_owned(),
        };
        rows(questions, &recipe, &Origin { teacher: "t", sampling: &Value::Null })
    }

    fn ids(questions: &[AnsweredQuestion], keep: Keep, form: TrainingForm) -> Vec<String> {
        rows_of(questions, keep, form).into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn right_ones_all_or_the_shortest() {
        let answers =
            vec![answer("long and right", true), answer("wrong", false), None, answer("right", true), answer("", true)];
        let questions = [question(0, "Back?", "Yes", answers)];
        let of = |keep| ids(&questions, keep, TrainingForm::Reasoning);
        assert_eq!(of(Keep::Correct), ["navigate-0-0", "navigate-0-3"], "an empty text teaches nothing");
        assert_eq!(of(Keep::All), ["navigate-0-0", "navigate-0-1", "navigate-0-3"]);
        assert_eq!(of(Keep::KBest(NonZeroU32::MIN)), ["navigate-0-3"]);
    }

    #[test]
    fn no_row_is_written_twice() {
        let answers = vec![answer("one", true), answer("one", true), answer("two", true)];
        let questions = [question(0, "Back?", "Yes", answers)];
        assert_eq!(ids(&questions, Keep::Correct, TrainingForm::Reasoning), ["navigate-0-0", "navigate-0-2"]);
        assert_eq!(ids(&questions, Keep::Correct, TrainingForm::Answers), ["navigate-0-0"]);
    }

    #[test]
    fn no_two_rows_contradict_each_other() {
        let of = |first_right| {
            let questions = [
                question(3, "Back?", "No", vec![answer("a", first_right)]),
                question(7, "Back?", "Yes", vec![answer("b", true)]),
            ];
            ids(&questions, Keep::Correct, TrainingForm::Reasoning)
        };
        assert_eq!(of(true), ["navigate-3-0"]);
        assert_eq!(of(false), ["navigate-7-0"], "the first that is kept stays");
    }

    #[test]
    fn both_forms_have_one_prompt() {
        let row = |form| {
            let answers = vec![answer("So the answer is Yes.", true)];
            rows_of(&[question(0, "Back?", "Yes", answers)], Keep::Correct, form).remove(0)
        };
        let (reasoning, bare) = (row(TrainingForm::Reasoning), row(TrainingForm::Answers));
        assert_eq!(reasoning.completion, " Let's think step by step.\nSo the answer is Yes.");
        assert_eq!((&*bare.prompt, &*bare.completion), ("Q: Back?\nA:", " Yes"));
        assert_eq!(reasoning.prompt, bare.prompt);
    }
}
