//! Rows of recipes as plain files, for [`super::FakeHost`].

use super::FakeHost;
use crate::{HostApi, Level, PluginError, RecipeReport, Result, RowsContent, RowsFile, TaskYield};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct Written {
    inputs: Value,
    rows: String,
    errors: u64,
    report: RecipeReport,
}

pub(super) fn find(file: &RowsFile) -> Option<RecipeReport> {
    let written: Written = serde_json::from_slice(&std::fs::read(file.identity()).ok()?).ok()?;
    let rows = std::fs::read_to_string(file.rows()).ok()?;
    (written.inputs == file.inputs && written.rows == rows && written.errors == 0).then_some(written.report)
}

pub(super) fn write(file: &RowsFile, content: RowsContent, host: &FakeHost) -> Result<RecipeReport> {
    let RowsContent { rows, unsolved, errors, mut report } = content;
    let rows = lines(&rows)?;
    if std::fs::read_to_string(file.rows()).is_ok_and(|found| found != rows) {
        let mut count = 1;
        let aside = |count: u32| RowsFile { stem: format!("{}.{count}", file.stem), ..file.clone() };
        while aside(count).rows().exists() {
            count += 1;
        }
        let (from, to) = (file.rows(), aside(count).rows());
        std::fs::rename(&from, &to).map_err(|error| PluginError::io("move aside", &from, &error))?;
        let _ = std::fs::rename(file.identity(), aside(count).identity());
        host.log(
            Level::Warn,
            &format!("`{}` was made of something else; it is now `{}`", from.display(), to.display()),
        );
    }
    report.rows = file.rows();
    put(&file.rows(), &rows)?;
    put(&file.unsolved(), &lines(&unsolved)?)?;
    put(&file.yields(), &TaskYield::csv(&report.yields))?;
    let written = Written { inputs: file.inputs.clone(), rows, errors, report: report.clone() };
    put(&file.identity(), &serde_json::json!(written).to_string())?;
    Ok(report)
}

fn lines<T: Serialize>(rows: &[T]) -> Result<String> {
    let line = |row| serde_json::to_string(row).map(|line| line + "\n");
    let lines: Result<String, _> = rows.iter().map(line).collect();
    lines.map_err(|error| PluginError::bad_input("a row cannot be written as JSON").with_cause(&error))
}

fn put(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| PluginError::io("write", path, &error))
}
