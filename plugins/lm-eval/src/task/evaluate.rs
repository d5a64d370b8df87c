//! What a document says: its text, target and choices, as lm-evaluation-harness finds them.

use super::compile::Task;
use super::field::{Field, Named};
use crate::Setting;
use crate::functions::Functions;
use examiner_python::{Session, Value, from_json, literal_eval};

/// What reads documents of one task. It belongs to one thread.
pub(super) struct Reader<'t> {
    pub(super) task: &'t Task,
    pub(super) functions: Functions,
    session: Session,
    /// The columns of the documents that are examined.
    columns: Vec<String>,
}

type Read<T> = Result<T, String>;

impl<'t> Reader<'t> {
    pub(super) fn new(task: &'t Task, functions: Functions, columns: Vec<String>) -> Self {
        Reader { task, functions, session: Session::bare(), columns }
    }

    /// The text of a document: the question, or the right choice's index where choices stand in the context.
    pub(super) fn text(&mut self, document: &Value, over: Option<&Field>) -> Read<Value> {
        let field = over.unwrap_or(&self.task.text);
        match field {
            Field::Int(number) => Ok(Value::Int(*number)),
            Field::Named(named) => {
                let (value, is_column) = self.named("doc_to_text", named, document)?;
                if is_column { Ok(value) } else { self.number_or(value) }
            }
            Field::Function(function) => self.functions.call(function, vec![document.clone()]),
            Field::List(_) | Field::Map(_) => Err("a list or a mapping as `doc_to_text`".to_owned()),
        }
    }

    /// The target of a document: a text, the right choice's index, or a list of those.
    pub(super) fn target(&mut self, document: &Value, over: Option<&Field>) -> Read<Value> {
        let field = over.unwrap_or(&self.task.target);
        match field {
            Field::Int(number) => Ok(Value::Int(*number)),
            Field::List(items) => list(items),
            Field::Named(named) => {
                let (value, is_column) = self.named("doc_to_target", named, document)?;
                if is_column {
                    return Ok(value);
                }
                let value = self.number_or(value)?;
                match value.as_str() {
                    Some(text) if text.len() >= 2 && text.starts_with('[') && text.ends_with(']') => {
                        match literal_eval(text) {
                            Ok(list) => Ok(list),
                            // What is no list of Python is the text itself.
                            Err(error) if raises(&error, &["SyntaxError", "ValueError"]) => Ok(value),
                            Err(error) => {
                                Err(format!("`doc_to_target` makes `{text}`, of which no list can be read: {error}"))
                            }
                        }
                    }
                    _ => Ok(value),
                }
            }
            Field::Function(function) => self.functions.call(function, vec![document.clone()]),
            Field::Map(_) => Err("a mapping as `doc_to_target`".to_owned()),
        }
    }

    /// The choices of a document.
    pub(super) fn choices(&mut self, document: &Value, over: Option<&Field>) -> Read<Vec<Value>> {
        let Some(field) = over.or(self.task.choice.as_ref()) else { return Err("no `doc_to_choice`".to_owned()) };
        let value = match field {
            Field::List(items) => list(items)?,
            Field::Map(entries) => Value::list(entries.iter().map(|(_, value)| setting(value)).collect::<Read<_>>()?),
            Field::Named(named) => {
                let (value, is_column) = self.named("doc_to_choice", named, document)?;
                match value.as_str() {
                    Some(text) if !is_column => literal_eval(text).map_err(|error| {
                        format!("`doc_to_choice` makes `{text}`, of which no list can be read: {error}")
                    })?,
                    _ => value,
                }
            }
            Field::Function(function) => self.functions.call(function, vec![document.clone()])?,
            Field::Int(_) => return Err("a number as `doc_to_choice`".to_owned()),
        };
        match value {
            Value::List(items) => Ok(items.borrow().clone()),
            Value::Tuple(items) => Ok(items.to_vec()),
            other => Err(format!("`doc_to_choice` makes a `{}`, expected a list", other.type_name())),
        }
    }

    /// A column of this document, or a template. None where it is empty.
    pub(super) fn described(&mut self, name: &str, named: Option<&Named>, document: &Value) -> Read<Option<String>> {
        let Some(named) = named else { return Ok(None) };
        let column = match document {
            Value::Dict(fields) => fields.borrow().get_str(&named.text).cloned(),
            _ => None,
        };
        match column {
            None => self.render(name, named, document).map(Some),
            Some(Value::Str(text)) => Ok(Some(text.to_string())),
            Some(other) => {
                Err(format!("`{name}` is a `{}` in the column `{}`, expected a text", other.type_name(), named.text))
            }
        }
    }

    /// The prefix of an answer that is generated: a column of all documents, or a template.
    pub(super) fn prefix(&mut self, document: &Value) -> Read<Option<String>> {
        let task = self.task;
        let Some(named) = &task.gen_prefix else { return Ok(None) };
        match self.named("gen_prefix", named, document)? {
            (Value::Str(text), _) => Ok(Some(text.to_string())),
            (other, _) => Err(format!("`gen_prefix` is a `{}`, expected a text", other.type_name())),
        }
    }

    /// The value of a column, or the text of a template; and whether it is a column.
    fn named(&mut self, name: &str, named: &Named, document: &Value) -> Read<(Value, bool)> {
        if !self.columns.contains(&named.text) {
            return Ok((Value::str(&self.render(name, named, document)?), false));
        }
        let value = match document {
            Value::Dict(fields) => fields.borrow().get_str(&named.text).cloned(),
            _ => None,
        };
        let value =
            value.ok_or_else(|| format!("`{name}` is the column `{}`, which the document lacks", named.text))?;
        Ok((value, true))
    }

    fn render(&mut self, name: &str, named: &Named, document: &Value) -> Read<String> {
        named
            .template
            .render(&mut self.session, document)
            .map_err(|unfilled| format!("`{name}` cannot be filled: {unfilled}"))
    }

    /// A text of digits is a number where there are choices.
    fn number_or(&self, value: Value) -> Read<Value> {
        let is_number = |text: &str| !text.is_empty() && text.chars().all(is_python_digit);
        match value.as_str() {
            Some(text) if self.task.choice.is_some() && is_number(text) => {
                literal_eval(text).map_err(|error| format!("`{text}` is no number of Python: {error}"))
            }
            _ => Ok(value),
        }
    }
}

/// What `str.isdigit` of Python holds of a character, so far as a number can come of it: what is not of ASCII is no number to Python's
/// reader, and an error in both.
fn is_python_digit(character: char) -> bool {
    character.is_ascii_digit() || (!character.is_ascii() && character.is_numeric())
}

fn raises(error: &examiner_python::Error, names: &[&str]) -> bool {
    match error {
        examiner_python::Error::Exception(raised) => names.iter().any(|name| raised.exception.is_a(name)),
        _ => false,
    }
}

/// A setting as a value of Python.
pub(super) fn setting(setting: &Setting) -> Read<Value> {
    Ok(match setting {
        // JSON has no number that is infinite or none.
        Setting::Float(number) => Value::Float(*number),
        other => from_json(&other.to_json()?),
    })
}

fn list(items: &[Setting]) -> Read<Value> {
    Ok(Value::list(items.iter().map(setting).collect::<Read<_>>()?))
}
