//! What can go wrong: an exception of Python, something that is not implemented, a limit.

use std::fmt;

use crate::value::{ExceptionObject, Value};
use std::rc::Rc;

/// Something of Python that is not implemented here, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the file.
    pub file: Option<String>,
    /// The line, counted from one.
    pub line: Option<u32>,
    /// What is not implemented.
    pub what: String,
}

impl Refusal {
    /// A refusal whose place is not known yet.
    pub fn new(what: impl Into<String>) -> Self {
        Refusal { file: None, line: None, what: what.into() }
    }

    /// The same, at a place, unless it has one.
    pub(crate) fn at(mut self, file: &str, line: u32) -> Self {
        if self.file.is_none() {
            self.file = Some(file.to_owned());
            self.line = Some(line);
        }
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(to, "`{file}`, line {line}: {}", self.what),
            (Some(file), None) => write!(to, "`{file}`: {}", self.what),
            _ => to.write_str(&self.what),
        }
    }
}

impl std::error::Error for Refusal {}

/// Why a call has no result.
#[derive(Debug, Clone)]
pub enum Error {
    /// An exception that the function raised, as it would in Python.
    Exception(Box<Raised>),
    /// The function needs something that is not implemented. No `except` of the function sees it.
    Unsupported(Box<Refusal>),
    /// The function needs more steps, memory or depth than it may have. No `except` of the function sees it.
    Limit(Box<Refusal>),
}

/// An exception on its way.
#[derive(Debug, Clone)]
pub struct Raised {
    /// The exception itself.
    pub exception: Rc<ExceptionObject>,
    /// Where it was raised: file and line.
    pub place: Option<(String, u32)>,
}

impl Error {
    /// Something that is not implemented.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Error::Unsupported(Box::new(Refusal::new(what)))
    }

    /// A limit that was reached.
    pub fn limit(what: impl Into<String>) -> Self {
        Error::Limit(Box::new(Refusal::new(what)))
    }

    /// An exception whose text is that of CPython.
    pub fn raise(class: &'static str, message: impl AsRef<str>) -> Self {
        Error::raise_value(class, vec![Value::str(message.as_ref())])
    }

    /// An exception with any arguments.
    pub fn raise_value(class: &'static str, args: Vec<Value>) -> Self {
        Error::from_exception(Rc::new(ExceptionObject::builtin(class, args, true)))
    }

    /// An exception of CPython's class whose text may differ from CPython's; a function cannot read the text.
    pub fn raise_inexact(class: &'static str, message: impl AsRef<str>) -> Self {
        Error::from_exception(Rc::new(ExceptionObject::builtin(class, vec![Value::str(message.as_ref())], false)))
    }

    /// A `TypeError` whose text a function cannot read.
    pub fn type_error(message: impl AsRef<str>) -> Self {
        Error::raise_inexact("TypeError", message)
    }

    /// A `ValueError` whose text a function cannot read.
    pub fn value_error(message: impl AsRef<str>) -> Self {
        Error::raise_inexact("ValueError", message)
    }

    pub(crate) fn from_exception(exception: Rc<ExceptionObject>) -> Self {
        Error::Exception(Box::new(Raised { exception, place: None }))
    }

    /// The same error at a place, unless it has one.
    pub(crate) fn at(self, file: &str, line: u32) -> Self {
        match self {
            Error::Exception(mut raised) => {
                raised.place.get_or_insert_with(|| (file.to_owned(), line));
                Error::Exception(raised)
            }
            Error::Unsupported(refusal) => Error::Unsupported(Box::new(refusal.at(file, line))),
            Error::Limit(refusal) => Error::Limit(Box::new(refusal.at(file, line))),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Exception(raised) => {
                if let Some((file, line)) = &raised.place {
                    write!(to, "`{file}`, line {line}: ")?;
                }
                to.write_str(&raised.exception.describe())
            }
            Error::Unsupported(refusal) => write!(to, "{refusal} is not implemented"),
            Error::Limit(refusal) => refusal.fmt(to),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Unsupported(Box::new(refusal))
    }
}

/// What nearly every function here returns.
pub(crate) type Outcome<T> = Result<T, Error>;
