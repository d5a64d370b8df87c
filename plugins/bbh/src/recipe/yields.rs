//! What came of asking, task by task.

use super::select::Answered;
use crate::question::Question;
use examiner_api::TrainingRow;
use serde_json::json;

/// Counts of one task, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Questions of the task.
    pub(super) questions: u64,
    /// Answers asked for: one for each question and repetition.
    pub(super) asked: u64,
    /// Answers in which one was found.
    pub(super) answered: u64,
    /// Answers that are right.
    pub(super) right: u64,
    /// Rows.
    pub(super) kept: u64,
    /// Questions that were answered, but never right.
    pub(super) unsolved: u64,
}

/// The counts of all tasks, and the questions that were never solved.
pub(super) struct Yield<'a> {
    pub(super) tasks: Vec<(&'a str, Counts)>,
    pub(super) unsolved: Vec<&'a Question>,
}

impl<'a> Yield<'a> {
    pub(super) fn of(questions: &[Answered<'a>], rows: &[TrainingRow]) -> Self {
        let mut found = Yield { tasks: Vec::new(), unsolved: Vec::new() };
        for Answered { question, answers } in questions {
            if found.tasks.last().is_none_or(|(task, _)| *task != &*question.task) {
                found.tasks.push((&question.task, Counts::default()));
            }
            let Some((_, counts)) = found.tasks.last_mut() else { continue };
            let there = || answers.iter().flatten();
            let right = there().filter(|answer| answer.right).count() as u64;
            counts.questions += 1;
            counts.asked += answers.len() as u64;
            counts.answered += there().filter(|answer| answer.extracted.is_some()).count() as u64;
            counts.right += right;
            if right == 0 && there().next().is_some() {
                counts.unsolved += 1;
                found.unsolved.push(question);
            }
        }
        for (task, counts) in &mut found.tasks {
            counts.kept = rows.iter().filter(|row| row.metadata.get("task") == Some(&json!(task))).count() as u64;
        }
        found
    }

    pub(super) fn total(&self) -> Counts {
        let sum = |of: fn(&Counts) -> u64| self.tasks.iter().map(|(_, counts)| of(counts)).sum();
        Counts {
            questions: sum(|counts| counts.questions),
            asked: sum(|counts| counts.asked),
            answered: sum(|counts| counts.answered),
            right: sum(|counts| counts.right),
            kept: sum(|counts| counts.kept),
            unsolved: sum(|counts| counts.unsolved),
        }
    }

    /// A line for each task, and one for all.
    pub(super) fn csv(&self) -> String {
        let total = self.total();
        let lines = self.tasks.iter().map(|(task, counts)| (*task, counts)).chain([("total", &total)]);
        let line = |(task, counts): (&str, &Counts)| {
            let Counts { questions, asked, answered, right, kept, unsolved } = counts;
            format!("{task},{questions},{asked},{answered},{right},{kept},{unsolved}\n")
        };
        std::iter::once("task,questions,asked,answered,right,kept,unsolved\n".to_owned())
            .chain(lines.map(line))
            .collect()
    }

    /// The questions that were never solved, one a line.
    pub(super) fn unsolved_lines(&self) -> String {
        let line = |question: &&Question| {
            let Question { task, input, target, .. } = question;
            let row = json!({ "sample": question.id(), "task": task, "question": input, "target": target });
            format!("{row}\n")
        };
        self.unsolved.iter().map(line).collect()
    }
}
