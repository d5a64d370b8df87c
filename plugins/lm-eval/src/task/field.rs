//! What a task makes of a document: a column, a template, a fixed value, or a function.

use super::setting::Refused;
use crate::jinja::Template;
use crate::{FunctionName, Setting};

/// A text that is the name of a column or a template.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) template: Template,
}

impl Named {
    /// Compiles the text of a setting.
    pub(super) fn new(name: &str, text: &str) -> Result<Self, Refused> {
        let template = Template::compile(text).map_err(|malformed| format!("`{name}` as a template: {malformed}"))?;
        Ok(Named { text: text.to_owned(), template })
    }
}

/// `doc_to_text`, `doc_to_target` or `doc_to_choice`.
#[derive(Debug, Clone)]
pub(super) enum Field {
    /// A column or a template.
    Named(Named),
    /// A number, whatever the document.
    Int(i64),
    /// A list, whatever the document.
    List(Vec<Setting>),
    /// A mapping, whose values are the choices.
    Map(Vec<(String, Setting)>),
    /// A function of the document.
    Function(FunctionName),
}

impl Field {
    /// What a setting says.
    pub(super) fn read(name: &str, setting: &Setting) -> Result<Self, Refused> {
        Ok(match setting {
            Setting::Text(text) => Field::Named(Named::new(name, text)?),
            Setting::Int(number) => Field::Int(*number),
            Setting::List(items) => Field::List(items.clone()),
            Setting::Map(entries) => Field::Map(entries.clone()),
            Setting::Function(function) => Field::Function(function.clone()),
            other => return Err(format!("{} as `{name}`", other.kind())),
        })
    }

    /// The function, if it is one.
    pub(super) fn function(&self) -> Option<&FunctionName> {
        match self {
            Field::Function(function) => Some(function),
            _ => None,
        }
    }
}
