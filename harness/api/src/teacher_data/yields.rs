//! The counts of each task, and the questions that were never solved.

use super::AnsweredQuestion;
use crate::{Metadata, TaskYield, TrainingRow};
use serde_json::{Value, json};

impl AnsweredQuestion {
    /// Whether it was answered, but never right.
    fn is_unsolved(&self) -> bool {
        let mut answers = self.answers.iter().flatten().peekable();
        answers.peek().is_some() && answers.all(|answer| !answer.right)
    }
}

/// Counts answers and rows, task by task; the questions of a task stand side by side.
pub(super) fn yields(questions: &[AnsweredQuestion], rows: &[TrainingRow]) -> Vec<TaskYield> {
    let mut yields: Vec<TaskYield> = Vec::new();
    for answered in questions {
        let AnsweredQuestion { question, answers } = answered;
        if yields.last().is_none_or(|last| last.task != question.task) {
            yields.push(TaskYield { task: question.task.clone(), ..TaskYield::default() });
        }
        let Some(counts) = yields.last_mut() else { continue };
        counts.questions += 1;
        counts.asked += answers.len() as u64;
        counts.answered += answers.iter().flatten().filter(|answer| answer.extracted.is_some()).count() as u64;
        counts.right += answers.iter().flatten().filter(|answer| answer.right).count() as u64;
        counts.unsolved += u64::from(answered.is_unsolved());
    }
    for counts in &mut yields {
        let of_task = |row: &&TrainingRow| row.metadata.get("task").and_then(Value::as_str) == Some(&counts.task);
        counts.kept = rows.iter().filter(of_task).count() as u64;
    }
    yields
}

/// The questions that were answered, but never right.
pub(super) fn unsolved(questions: &[AnsweredQuestion]) -> Vec<Metadata> {
    let unsolved = questions.iter().filter(|answered| answered.is_unsolved());
    let line = |AnsweredQuestion { question, .. }: &AnsweredQuestion| {
        let fields: [(&str, Value); 4] = [
            ("sample", json!(question.sample.id)),
            ("task", json!(question.task)),
            ("question", json!(question.text)),
            ("target", json!(question.answer)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    unsolved.map(line).collect()
}
