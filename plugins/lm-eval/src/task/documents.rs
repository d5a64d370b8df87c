//! The documents of a task: rows of its dataset, as its functions make them.

use super::compile::{RowsOf, Task};
use crate::FunctionName;
use crate::functions::{Functions, source};
use examiner_api::{PluginError, Result, rows};
use examiner_python::{Dataset, Value, from_json};
use serde_json::Value as Json;
use std::path::PathBuf;
use std::sync::Arc;

/// Finds the file with the rows of one split.
pub type Locate = Arc<dyn Fn(&RowsOf, &str) -> Result<PathBuf> + Send + Sync>;

/// Documents in order, with the names of their columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Documents {
    pub(super) all: Vec<Value>,
    pub(super) columns: Vec<String>,
}

/// Refuses a task with a function that may ask for a column that the rows lack. A template that does fails by itself; a function may
/// ask whether the column is there.
fn refuse_left_out(task: &Task, info: Option<&rows::SplitInfo>) -> Result<()> {
    let Some(left_out) = info.map(|info| &info.left_out).filter(|left_out| !left_out.is_empty()) else { return Ok(()) };
    for function in task.functions() {
        let source = source(function);
        let reads_all = [".items()", ".keys()", ".values()"].iter().any(|all| source.contains(all));
        if let Some((column, why)) = left_out.iter().find(|(column, _)| reads_all || source.contains(column.as_str())) {
            let what =
                format!("the function `{}` may read the column `{column}`, which is left out: {why}", function.name);
            return Err(bad(task, what));
        }
    }
    Ok(())
}

/// The documents of a split, after the function that makes them of its rows.
pub(super) fn read(
    task: &Task,
    split: &str,
    process: Option<&FunctionName>,
    locate: &Locate,
    functions: &mut Functions,
) -> Result<Documents> {
    let path = locate(&task.source, split)?;
    refuse_left_out(task, rows::SplitInfo::beside(&path)?.as_ref())?;
    let rows = rows::read(&path, None)?.map(|row| row.map(|row| row.fields));
    let Some(process) = process else {
        let mut documents = Documents::default();
        for row in rows {
            let row = row?;
            if documents.all.is_empty() {
                documents.columns = row.keys().cloned().collect();
            }
            documents.all.push(from_json(&Json::Object(row)));
        }
        return Ok(documents);
    };
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let dataset = Dataset::from_json(&rows).into_value();
    drop(rows);
    let processed = functions.call(process, vec![dataset]).map_err(|what| bad(task, what))?;
    match Dataset::of(&processed) {
        Some(dataset) => {
            let columns = dataset.columns().iter().map(ToString::to_string).collect();
            Ok(Documents { all: (0..dataset.len()).filter_map(|index| dataset.row(index)).collect(), columns })
        }
        None => {
            let what =
                format!("the function `{}` gives a `{}`, expected a dataset", process.name, processed.type_name());
            Err(bad(task, what))
        }
    }
}

/// An error of a task's data.
pub(super) fn bad(task: &Task, what: impl std::fmt::Display) -> PluginError {
    PluginError::bad_input(format!("task `{}`: {what}", task.name))
}
