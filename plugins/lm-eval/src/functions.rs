//! Functions of Python files, called.

use crate::FunctionName;
use examiner_python::{Arguments, Error, Library, Natives, Session, Value};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// All Python files that this process has read.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::new(Natives::new()))
}

/// Interpreters of the files that functions stand in, one for each file. They belong to one thread.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    sessions: HashMap<PathBuf, Session>,
}

impl Functions {
    /// Calls a function.
    ///
    /// # Errors
    /// The file is refused, or the call fails, as a phrase.
    pub(crate) fn call(&mut self, name: &FunctionName, values: Vec<Value>) -> Result<Value, String> {
        self.call_named(name, values, Vec::new()).map_err(|error| failed(name, &error))
    }

    /// Calls a function with named arguments, too.
    ///
    /// # Errors
    /// As [`Functions::call`].
    pub(crate) fn call_named(
        &mut self,
        name: &FunctionName,
        values: Vec<Value>,
        named: Vec<(String, Value)>,
    ) -> Result<Value, Error> {
        self.session(name)?.call(&name.name, values, named)
    }

    /// Calls a method of a value that a function of the same file gave.
    ///
    /// # Errors
    /// As [`Functions::call_named`].
    pub(crate) fn method(
        &mut self,
        name: &FunctionName,
        value: &Value,
        method: &str,
        values: Vec<Value>,
    ) -> Result<Value, Error> {
        let session = self.session(name)?;
        let method = session.attribute_of(value, method)?;
        session.call_value(&method, Arguments::of(values))
    }

    /// All that iterating over a value gives that a function of the same file gave.
    ///
    /// # Errors
    /// As [`Functions::call_named`].
    pub(crate) fn collect(&mut self, name: &FunctionName, value: &Value) -> Result<Vec<Value>, Error> {
        self.session(name)?.collect(value)
    }

    /// The interpreter of the file that a function stands in.
    ///
    /// # Errors
    /// The file cannot be read, or is no Python.
    pub(crate) fn session(&mut self, name: &FunctionName) -> Result<&mut Session, Error> {
        if !self.sessions.contains_key(&name.file) {
            let program = library().load(&name.file)?;
            self.sessions.insert(name.file.clone(), Session::new(&program));
        }
        match self.sessions.get_mut(&name.file) {
            Some(session) => Ok(session),
            None => Err(Error::unsupported(format!("`{}`", name.file.display()))),
        }
    }
}

/// A failure of a function in words.
pub(crate) fn failed(name: &FunctionName, error: &Error) -> String {
    format!("the function `{}` of `{}` fails: {error}", name.name, name.file.display())
}

/// Whether all that a function needs is implemented.
///
/// # Errors
/// What is not, as a phrase.
pub(crate) fn check(name: &FunctionName) -> Result<(), String> {
    let refused = |refusal| format!("the function `{}`, which needs {refusal}", name.name);
    library().load(&name.file).map_err(refused)?.check(&name.name).map_err(refused)
}

/// The text of a function and of all that it uses.
pub(crate) fn source(name: &FunctionName) -> String {
    let program = library().load(&name.file).ok();
    let text = program.and_then(|program| program.source_of(&name.name)).unwrap_or_default();
    format!("{}\0{text}", name.name)
}
