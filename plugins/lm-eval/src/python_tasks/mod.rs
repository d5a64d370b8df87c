//! Tasks that lm-evaluation-harness's own Python code runs: those with functions or classes that need more of Python, or other packages, than
//! `examiner_python`, the interpreter of this plugin, does.
//!
//! The key decision is that the models are asked by this program all the same: a `Session` is a Python of the user's, in which
//! `worker.py` opens tasks by lm-evaluation-harness and says what each document asks, what the answers are worth, and what all
//! of that comes to. The dataset and its scorer have one each, because they live in different processes; a hash of each document
//! travels with its sample, so that an answer is judged by the document that it was given to.

mod document;
mod identity;
mod options;
mod program;
mod session;
mod task;
mod value;

pub use options::UsePython;

pub(crate) use document::{Asked, Request, RequestKind};
pub(crate) use options::{Interpreter, heartbeat_s, python_program};
pub(crate) use session::{Answers, Judged, Session, TaskCall};
pub(crate) use task::{Made, PythonTask};
pub(crate) use value::decoded;

#[cfg(test)]
mod tests;
