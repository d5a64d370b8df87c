//! The counts of each task, and the questions that were never solved.

use super::select::JudgedQuestion;
use crate::question::TaskQuestion;
use examiner_api::{Metadata, TaskYield, TrainingRow};
use serde_json::{Value, json};

/// Counts answers and rows, task by task.
pub(super) fn yields(questions: &[JudgedQuestion<'_>], rows: &[TrainingRow]) -> Vec<TaskYield> {
    let mut yields: Vec<TaskYield> = Vec::new();
    for answered in questions {
        let JudgedQuestion { question, answers } = answered;
        if yields.last().is_none_or(|last| last.task != *question.task) {
            yields.push(TaskYield { task: question.task.to_string(), ..TaskYield::default() });
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
pub(super) fn unsolved(questions: &[JudgedQuestion<'_>]) -> Vec<Metadata> {
    let unsolved = questions.iter().filter(|answered| answered.is_unsolved());
    let line = |answered: &JudgedQuestion<'_>| {
        let TaskQuestion { task, input, target, .. } = answered.question;
        let fields: [(&str, Value); 4] = [
            ("sample", json!(answered.question.id())),
            ("task", json!(task)),
            ("question", json!(input)),
            ("target", json!(target)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    unsolved.map(line).collect()
}
