//! The columns of a file of questions, and which of them is probably what.

use anyhow::{Result, anyhow};
use examiner_api::{nearest, rows};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;

/// What columns of questions and of right answers are mostly called, in lower case, the best first.
const QUESTIONS: [&str; 9] =
    ["question", "prompt", "input", "query", "problem", "instruction", "goal", "sentence", "text"];
const GOLDS: [&str; 9] =
    ["answer", "gold", "label", "target", "answerkey", "correct", "correct_answer", "solution", "output"];
const LISTS: [&str; 4] = ["choices", "options", "endings", "answers"];
/// Names of the columns of choices, of which one is for each letter, from `A`.
const LETTERS: [&str; 4] = ["", "option_", "choice_", "answer_"];

/// The first row of a file.
pub(super) struct Columns(Map<String, Value>);

impl Columns {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let row = rows::read(path, None)?.next();
        let row = row.ok_or_else(|| anyhow!("`{}` has no rows", path.display()))??;
        Ok(Columns(row.fields))
    }

    /// The column that a flag names.
    pub(super) fn known(&self, flag: &str, name: &str) -> Result<String> {
        if self.0.contains_key(name) {
            return Ok(name.to_owned());
        }
        let near = nearest(name, self.0.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Err(anyhow!("`{flag} {name}`: there is no such column; there are {self}{near}"))
    }

    pub(super) fn question(&self) -> Option<String> {
        self.first_of(&QUESTIONS)
    }

    pub(super) fn gold(&self) -> Option<String> {
        self.first_of(&GOLDS)
    }

    /// The columns of the choices; or the one that holds a list.
    pub(super) fn choices(&self) -> Vec<String> {
        for prefix in LETTERS {
            let letters = ('a'..='z').map_while(|letter| self.first_of(&[&format!("{prefix}{letter}")]));
            let columns: Vec<String> = letters.collect();
            if columns.len() >= 2 {
                return columns;
            }
        }
        self.first_of(&LISTS).filter(|name| self.holds_lists(name)).into_iter().collect()
    }

    pub(super) fn holds_lists(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Array(_)))
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.0.keys().find(|column| column.to_lowercase() == **name).cloned())
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.keys().map(|name| format!("`{name}`")).collect();
        formatter.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(row: Value) -> Columns {
        Columns(row.as_object().unwrap().clone())
    }

    #[test]
    fn choices_are_columns_by_letter_or_a_list() {
        let by_letter = columns(json!({ "Question": "q", "A": "1", "B": "2", "Answer": "A" }));
        assert_eq!(by_letter.choices(), ["A", "B"]);
        assert_eq!((by_letter.question(), by_letter.gold()), (Some("Question".into()), Some("Answer".into())));
        assert_eq!(columns(json!({ "option_a": "1", "option_b": "2" })).choices(), ["option_a", "option_b"]);
        assert_eq!(columns(json!({ "choices": ["1", "2"] })).choices(), ["choices"]);
        assert!(columns(json!({ "choices": "1, 2", "a": "1" })).choices().is_empty());
    }
}
