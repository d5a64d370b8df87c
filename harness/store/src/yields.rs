//! What a recipe yielded, task by task: a CSV file beside its rows.

use crate::atomic;
use examiner_api::TaskYield;
use std::io;
use std::path::{Path, PathBuf};

/// Where the counts lie: `F.yield.csv` beside `F.jsonl`.
pub fn path(rows: &Path) -> PathBuf {
    rows.with_extension("yield.csv")
}

/// Writes the counts beside the rows, unless they stand there already.
///
/// # Errors
/// Writing fails.
pub fn write(rows: &Path, yields: &[TaskYield]) -> io::Result<()> {
    let text = TaskYield::csv(yields);
    atomic::update(&path(rows), |file| file.write_all(text.as_bytes()))
}

/// Reads the counts, without the last line, which adds them up.
///
/// # Errors
/// The file cannot be read, or a line of it.
pub fn read(path: &Path) -> csv::Result<Vec<TaskYield>> {
    let mut tasks: Vec<TaskYield> = csv::Reader::from_path(path)?.deserialize().collect::<csv::Result<_>>()?;
    if tasks.len() > 1 && tasks.last().is_some_and(|last| last.task == "total") {
        tasks.pop();
    }
    Ok(tasks)
}
