//! Whether a task can be run, told without its data.

use super::address::address;
use super::compile::Task;
use super::setting::Refused;
use crate::{TaskConfig, functions, scorer};

/// A task, with all that it needs implemented: what its settings say, and the functions that they name.
///
/// # Errors
/// The first thing that is not supported, as a phrase that goes on from "it has".
pub fn runnable(config: &TaskConfig) -> Result<Task, Refused> {
    let task = Task::compile(config)?;
    address(&task.source, task.examined_split()?, None).map_err(|error| error.message)?;
    let judging = scorer::functions(&task.spec);
    for function in task.functions().into_iter().chain(&judging) {
        functions::check(function)?;
    }
    Ok(task)
}
