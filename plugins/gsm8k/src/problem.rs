//! One row of the data: question, worked answer, and the number it ends in.

use examiner_api::rows::Row;
use examiner_api::{Metadata, PluginError, Result};
use serde_json::Value;

/// A word problem.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// Its index in the file, from 0.
    pub(crate) index: u64,
    /// The question.
    pub(crate) question: String,
    /// The worked answer as it stands in the data, `#### 1,234` at its end included.
    pub(crate) worked: String,
    /// The number after `####`, without thousands separators: `1234`.
    pub(crate) answer: String,
    /// The row itself.
    pub(crate) document: Metadata,
}

impl Problem {
    pub(crate) fn of(row: Row) -> Result<Self> {
        let question = text(&row, "question")?;
        let worked = text(&row, "answer")?;
        let (_, after) = worked.rsplit_once(MARK).ok_or_else(|| {
            wrong(&row, format!("expected an `answer` that ends in `{MARK}` and a number, found no `{MARK}`"))
        })?;
        let answer = after.trim().replace(',', "");
        if !is_number(&answer) {
            let found = after.trim();
            return Err(wrong(&row, format!("expected a number after the `{MARK}` of `answer`, found `{found}`")));
        }
        Ok(Problem { index: row.index, question, worked, answer, document: row.fields })
    }

    /// The worked answer without `####` and what follows.
    pub(crate) fn reasoning(&self) -> &str {
        self.worked.rsplit_once(MARK).map_or(&*self.worked, |(reasoning, _)| reasoning.trim_end())
    }
}

/// What stands before the number in which a worked answer ends.
const MARK: &str = "####";

fn text(row: &Row, field: &str) -> Result<String> {
    match row.fields.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(wrong(row, format!("the field `{field}` is empty"))),
        Some(other) => Err(wrong(row, format!("expected a string in the field `{field}`, found `{other}`"))),
        None => {
            let names: Vec<String> = row.fields.keys().map(|name| format!("`{name}`")).collect();
            Err(wrong(row, format!("expected the field `{field}`, found {}", names.join(", ")))
                .with_help("rows with other fields can be read by `plugin: table`"))
        }
    }
}

fn wrong(row: &Row, what: String) -> PluginError {
    PluginError::bad_input(format!("{}: {what}", row.place()))
}

/// Whether a text is a decimal number: an optional sign, digits, an optional fraction.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_digits_on_both_sides_of_the_point() {
        assert!(["18", "-3", "0.5"].into_iter().all(is_number));
        assert!(!["", "-", "1.", ".5", "1e3", "18 dollars", "$5", "1.2.3"].into_iter().any(is_number));
    }
}
