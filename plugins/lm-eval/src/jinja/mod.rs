//! Templates as lm-evaluation-harness fills them: Jinja2 with undefined values that are errors, over the values of Python.
//!
//! A template can read its document and nothing else. Values are those of `examiner-python`, so that they print, compare and
//! have the methods that they have in Python. What is not implemented as Jinja2 has it is refused when a template is compiled, by name.

mod ast;
mod check;
mod eval;
mod expressions;
mod filters;
mod lexer;
mod operate;
mod parser;
mod scope;
mod tests_of_values;

use examiner_python::{Session, Value};
use std::fmt;
use std::sync::Arc;

/// Why a text is no template, or none that is supported: a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a template cannot be filled from a document: a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfilled(pub(crate) String);

impl fmt::Display for Unfilled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A template, ready to be filled.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    nodes: Arc<Vec<ast::Node>>,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// It is malformed, or says what is not supported.
    pub(crate) fn compile(source: &str) -> Result<Self, Malformed> {
        let nodes = parser::parse(source)?;
        check::nodes(&nodes)?;
        Ok(Template { nodes: Arc::new(nodes) })
    }

    /// The text for a document, a dictionary.
    ///
    /// # Errors
    /// A value is missing, or an operation fails as it does in Python, or is none that is supported.
    pub(crate) fn render(&self, session: &mut Session, document: &Value) -> Result<String, Unfilled> {
        if let [ast::Node::Text(text)] = self.nodes.as_slice() {
            return Ok(text.clone());
        }
        eval::render(session, &self.nodes, document)
    }
}

#[cfg(test)]
mod tests;
