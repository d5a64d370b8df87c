//! Modules and functions of Python that are implemented here.

mod builtins;
mod collections;
mod copy;
mod dataclasses;
mod files;
mod functools;
mod hashlib;
mod inert;
mod iteration;
mod itertools;
mod json;
mod math;
mod numpy;
mod order;
mod pathlib;
mod random;
mod re;
mod sklearn;
mod types;
mod words;

use crate::value::{Value, is_builtin_exception};

pub(crate) use itertools::from_iterable as chain_from_iterable;
pub(crate) use numpy::{binary as numpy_binary, compare as numpy_compare, invert as numpy_invert};
pub(crate) use pathlib::join as path_join;
pub(crate) use random::forget_seed;

/// How a name of Python's builtins stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltinState {
    Implemented,
    /// Python has it, and it is not implemented.
    Refused,
    /// Python does not have it either.
    Unknown,
}

/// Functions of Python that are not implemented.
const REFUSED: &[&str] = &[
    "aiter",
    "anext",
    "ascii",
    "breakpoint",
    "bytearray",
    "compile",
    "complex",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "globals",
    "help",
    "id",
    "input",
    "locals",
    "memoryview",
    "open",
    "quit",
    "vars",
    "__import__",
    "__build_class__",
    "__debug__",
    "__loader__",
    "__spec__",
    "__package__",
    "__builtins__",
    "NotImplemented",
    "hash",
    "bytes",
    "ExceptionGroup",
    "BaseExceptionGroup",
    "WindowsError",
    "GeneratorExit",
    "StopAsyncIteration",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "EncodingWarning",
    "ImportWarning",
    "InterruptedError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PendingDeprecationWarning",
    "ProcessLookupError",
    "ReferenceError",
    "ResourceWarning",
    "SyntaxWarning",
    "SystemError",
    "TabError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "copyright",
    "credits",
    "license",
    "__doc__",
];

/// What a name of Python's builtins is.
pub(crate) fn builtin(name: &str) -> Option<Value> {
    builtins::item(name).or_else(|| is_builtin_exception(name).map(Value::ExceptionType))
}

pub(crate) fn builtin_state(name: &str) -> BuiltinState {
    if builtin(name).is_some() || matches!(name, "__file__" | "__name__") {
        BuiltinState::Implemented
    } else if REFUSED.contains(&name) {
        BuiltinState::Refused
    } else {
        BuiltinState::Unknown
    }
}

/// A module's table of names.
type Items = fn(&str) -> Option<Value>;

const MODULES: &[(&str, Items)] = &[
    ("abc", types::abc),
    ("ast", words::ast),
    ("collections", collections::item),
    ("collections.abc", types::typing),
    ("copy", copy::item),
    ("dataclasses", dataclasses::item),
    ("datasets", crate::dataset::item),
    ("functools", functools::item),
    ("hashlib", hashlib::item),
    ("html", types::nothing),
    ("itertools", itertools::item),
    ("json", json::item),
    ("lm_eval.api.registry", inert::registry),
    ("logging", inert::logging),
    ("math", math::item),
    ("numpy", numpy::item),
    ("os", files::os),
    ("os.path", files::path),
    ("pathlib", pathlib::item),
    ("random", random::item),
    ("re", re::item),
    ("sklearn", types::nothing),
    ("sklearn.metrics", sklearn::item),
    ("statistics", types::nothing),
    ("string", words::string),
    ("sys", words::sys),
    ("transformers", types::nothing),
    ("transformers.data", types::nothing),
    ("transformers.data.metrics", types::nothing),
    ("transformers.data.metrics.squad_metrics", sklearn::squad),
    ("typing", types::typing),
    ("typing_extensions", types::typing),
    ("unicodedata", words::unicodedata),
    ("warnings", inert::warnings),
    ("tqdm", inert::tqdm),
];

/// Whether a module is implemented, in whatever part.
pub(crate) fn is_module(name: &str) -> bool {
    MODULES.iter().any(|(module, _)| *module == name)
}

/// Whether using a name of a module raises an `AttributeError`, as it does in Python.
pub(crate) fn is_removed(module: &str, name: &str) -> bool {
    module == "numpy" && numpy::REMOVED.contains(&name)
}

/// What a name of a module is.
pub(crate) fn item(module: &str, name: &str) -> Option<Value> {
    MODULES.iter().find(|(known, _)| *known == module).and_then(|(_, items)| items(name))
}

/// Whether some object of a module has an attribute or a method of this name.
pub(crate) fn is_object_attribute(name: &str) -> bool {
    [
        crate::dataset::METHODS,
        crate::dataset::ATTRIBUTES,
        re::ATTRIBUTES,
        random::ATTRIBUTES,
        numpy::ATTRIBUTES,
        inert::ATTRIBUTES,
        pathlib::ATTRIBUTES,
        hashlib::ATTRIBUTES,
        functools::ATTRIBUTES,
    ]
    .iter()
    .any(|list| list.contains(&name))
}
