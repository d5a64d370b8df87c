//! Exceptions and their classes.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Dict, Value, repr_of, str_of};
use crate::run::class::Class;

/// The classes of exceptions that are built in, each with the one above it.
const CLASSES: &[(&str, &str)] = &[
    ("BaseException", ""),
    ("KeyboardInterrupt", "BaseException"),
    ("SystemExit", "BaseException"),
    ("Exception", "BaseException"),
    ("ArithmeticError", "Exception"),
    ("ZeroDivisionError", "ArithmeticError"),
    ("OverflowError", "ArithmeticError"),
    ("FloatingPointError", "ArithmeticError"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("EOFError", "Exception"),
    ("ImportError", "Exception"),
    ("ModuleNotFoundError", "ImportError"),
    ("LookupError", "Exception"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("MemoryError", "Exception"),
    ("NameError", "Exception"),
    ("UnboundLocalError", "NameError"),
    ("OSError", "Exception"),
    ("FileNotFoundError", "OSError"),
    ("FileExistsError", "OSError"),
    ("PermissionError", "OSError"),
    ("TimeoutError", "OSError"),
    ("ConnectionError", "OSError"),
    ("RuntimeError", "Exception"),
    ("NotImplementedError", "RuntimeError"),
    ("RecursionError", "RuntimeError"),
    ("StopIteration", "Exception"),
    ("SyntaxError", "Exception"),
    ("IndentationError", "SyntaxError"),
    ("TypeError", "Exception"),
    ("ValueError", "Exception"),
    ("UnicodeError", "ValueError"),
    ("UnicodeDecodeError", "UnicodeError"),
    ("UnicodeEncodeError", "UnicodeError"),
    ("JSONDecodeError", "ValueError"),
    ("re.error", "Exception"),
    ("Warning", "Exception"),
    ("UserWarning", "Warning"),
    ("DeprecationWarning", "Warning"),
    ("FutureWarning", "Warning"),
    ("RuntimeWarning", "Warning"),
];

/// Names of classes that are the same class.
const ALIASES: &[(&str, &str)] = &[("IOError", "OSError"), ("EnvironmentError", "OSError")];

/// The class of exceptions with a name, if the name of a builtin is one.
pub(crate) fn is_builtin_exception(name: &str) -> Option<&'static str> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, class)| class);
    let hidden = name == "JSONDecodeError" || name == "re.error";
    CLASSES.iter().find(|(class, _)| *class == name && !hidden).map(|(class, _)| *class)
}

/// Whether one class that is built in is another or below it.
pub(crate) fn is_subclass_name(name: &str, above: &str) -> bool {
    let mut current = name;
    loop {
        if current == above {
            return true;
        }
        match CLASSES.iter().find(|(class, _)| *class == current) {
            Some((_, parent)) if !parent.is_empty() => current = parent,
            _ => return false,
        }
    }
}

/// The class of an exception.
#[derive(Debug, Clone)]
pub(crate) enum ExceptionClass {
    Builtin(&'static str),
    User(Rc<Class>),
}

/// An exception.
#[derive(Debug)]
pub struct ExceptionObject {
    pub(crate) class: ExceptionClass,
    pub(crate) args: RefCell<Vec<Value>>,
    pub(crate) attributes: RefCell<Dict>,
    /// Whether its text is that of CPython to the letter.
    pub(crate) exact: bool,
}

impl ExceptionObject {
    pub(crate) fn builtin(class: &'static str, args: Vec<Value>, exact: bool) -> Self {
        let attributes = RefCell::new(Dict::new());
        ExceptionObject { class: ExceptionClass::Builtin(class), args: RefCell::new(args), attributes, exact }
    }

    /// The name of its class.
    pub fn class_name(&self) -> &str {
        match &self.class {
            ExceptionClass::Builtin("re.error") => "error",
            ExceptionClass::Builtin(name) => name,
            ExceptionClass::User(class) => class.name(),
        }
    }

    /// Its text, as `str(exception)`.
    pub fn message(&self) -> String {
        let args = self.args.borrow();
        match args.as_slice() {
            [] => String::new(),
            [one] if self.is_a("KeyError") => repr_of(one),
            [one] => str_of(one),
            _ => repr_of(&Value::tuple(args.clone())),
        }
    }

    /// Its class and text.
    pub fn describe(&self) -> String {
        let message = self.message();
        if message.is_empty() { self.class_name().to_owned() } else { format!("{}: {message}", self.class_name()) }
    }

    /// Whether it is of a class that is built in, or of one below it.
    pub fn is_a(&self, name: &str) -> bool {
        match &self.class {
            ExceptionClass::Builtin(class) => is_subclass_name(class, name),
            ExceptionClass::User(class) => class.exception_base().is_some_and(|base| is_subclass_name(base, name)),
        }
    }
}
