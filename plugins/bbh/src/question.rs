//! One question: the row of the file, and the options in its text.

use examiner_api::rows::{self, Format, Row};
use examiner_api::{PluginError, Result};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A question of a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskQuestion {
    /// The task's name.
    pub(crate) task: Arc<str>,
    /// Its index in the task's file, from 0. With the task it is what tells questions apart: a few texts occur twice.
    pub(crate) index: u64,
    /// The text, options included.
    pub(crate) input: String,
    /// The right answer: `(B)`, `valid`, `24`.
    pub(crate) target: String,
    /// The id of the first question of this text, where there are several.
    pub(crate) cluster: Option<String>,
}

impl TaskQuestion {
    /// Unique within the benchmark.
    pub(crate) fn id(&self) -> String {
        id(&self.task, self.index)
    }

    /// The answers to choose from, as the target would be written: `(A)` of lettered options, the text of others. None
    /// where the question lists none.
    pub(crate) fn options(&self) -> Option<Vec<&str>> {
        let (_, listed) = self.input.rsplit_once("\nOptions:\n")?;
        listed.lines().map(option).collect()
    }
}

/// The questions of a task's file.
pub(crate) fn read(path: &Path, task: &str) -> Result<Vec<TaskQuestion>> {
    let task: Arc<str> = task.into();
    let mut questions = Vec::new();
    for row in rows::read_at(path, Some(Format::Json), Some("/examples"))? {
        let row = row?;
        let (input, target) = (text(&row, "input")?, text(&row, "target")?);
        questions.push(TaskQuestion { task: task.clone(), index: row.index, input, target, cluster: None });
    }
    if questions.is_empty() {
        return Err(PluginError::bad_input(format!("`{}` has no questions", path.display())));
    }
    cluster(&mut questions);
    Ok(questions)
}

fn id(task: &str, index: u64) -> String {
    format!("{task}-{index}")
}

/// `(A) text` is `(A)`, `- text` is `text`.
fn option(line: &str) -> Option<&str> {
    if let Some(text) = line.strip_prefix("- ") {
        return Some(text.trim());
    }
    let end = line.find(')')?;
    let letter = line.get(1..end)?;
    let is_letter = line.starts_with('(') && letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase());
    is_letter.then(|| &line[..=end])
}

/// Questions of one text are not independent, whatever their targets.
fn cluster(questions: &mut [TaskQuestion]) {
    let mut first: HashMap<String, (usize, u32)> = HashMap::new();
    for (index, question) in questions.iter().enumerate() {
        first.entry(question.input.clone()).or_insert((index, 0)).1 += 1;
    }
    for question in questions {
        if let Some((index, 2..)) = first.get(&question.input) {
            question.cluster = Some(id(&question.task, *index as u64));
        }
    }
}

fn text(row: &Row, field: &str) -> Result<String> {
    let found = match row.fields.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => return Ok(text.clone()),
        Some(Value::String(_)) => "an empty one".to_owned(),
        Some(other) => format!("`{other}`"),
        None => "none".to_owned(),
    };
    Err(PluginError::bad_input(format!("{}: expected a text in the field `{field}`, found {found}", row.place())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(input: &str) -> TaskQuestion {
        TaskQuestion {
            task: "navigate".into(),
            index: 0,
            input: input.to_owned(),
            target: String::new(),
            cluster: None,
        }
    }

    #[test]
    fn options_are_written_like_targets() {
        let options = |input| question(input).options().map(|options| options.join("|"));
        assert_eq!(options("Which?\nOptions:\n(A) one (1)\n(B) two").as_deref(), Some("(A)|(B)"));
        assert_eq!(options("Valid?\nOptions:\n- valid \n- invalid").as_deref(), Some("valid|invalid"));
        assert_eq!(options("2 + 2 ="), None);
        assert_eq!(options("Which?\nOptions:\n(A) one\ntwo"), None, "a line that is no option");
        assert_eq!(options("Which?\nOptions:\n(é) one"), None);
    }

    #[test]
    fn questions_of_one_text_are_one_cluster() {
        let mut questions: Vec<TaskQuestion> = ["a", "b", "a"]
            .into_iter()
            .zip(0..)
            .map(|(input, index)| TaskQuestion { index, ..question(input) })
            .collect();
        cluster(&mut questions);
        let clusters: Vec<Option<&str>> = questions.iter().map(|question| question.cluster.as_deref()).collect();
        assert_eq!(clusters, [Some("navigate-0"), None, Some("navigate-0")]);
    }
}
