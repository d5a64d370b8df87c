//! The part of Python that functions of tasks are written in, run without Python.
//!
//! Tasks of lm-evaluation-harness name functions of Python files: which rows count, how a prompt is worded, how an answer
//! is judged. This crate parses such a file and runs one function of it with the semantics of CPython 3.11. What is not
//! implemented with exactly these semantics is refused: [`Program::check`] finds it before anything runs, and whatever
//! only a run can find ends the call with [`Error::Unsupported`], which no `except` of the function can catch.
//!
//! Of a module only what a function reaches is evaluated: a module may import what is not implemented as long as the
//! function does not use it.
//!
//! What differs between runs of CPython cannot be the same here: the order of a set of strings (here, the order of insertion),
//! and random numbers without a seed (refused). `print` and `logging` do nothing.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod dataset;
mod error;
mod json;
mod literal;
mod modules;
mod natives;
mod program;
mod random;
mod run;
mod types;
mod unicode;
mod value;

pub use dataset::Dataset;
pub use error::{Error, Raised, Refusal};
pub use json::{from_json, to_json};
pub use literal::literal_eval;
pub use natives::{Arguments, Natives};
pub use program::{Library, Program};
pub use random::Random;
pub use run::{Function, Iterate, Limits, Operator, Relation, Session};
pub use value::{
    Dict, DictRef, ExceptionObject, List, Object, Partial, Scalar, Set, Str, Value, View, equal, repr_of, str_of, truth,
};
