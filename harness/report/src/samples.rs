//! The samples of a run, read from `samples/<model>/<dataset>.jsonl`.

use examiner_api::{PluginError, Result};
use examiner_store::record::Record;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Model, dataset and file of all samples.
pub(crate) fn files(run: &Path) -> Result<Vec<(String, String, PathBuf)>> {
    let unreadable = |path: &Path, error: &std::io::Error| PluginError::io("read", path, error);
    let entries = |path: &Path| -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()).map_err(|error| unreadable(path, &error)));
        let mut paths = entries.collect::<Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    let name = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut files = Vec::new();
    for model in entries(&run.join("samples"))?.into_iter().filter(|path| path.is_dir()) {
        let whole = model.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let samples = entries(&model)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
        files.extend(samples.map(|path| (whole.clone(), name(&path), path)));
    }
    Ok(files)
}

/// The records of a file. Where only some ids are wanted, lines in which none of them occurs are not read as JSON, which takes most of
/// the time.
pub(crate) fn lines<'a>(
    path: &'a Path,
    ids: &[String],
) -> Result<impl Iterator<Item = Result<(String, Record)>> + use<'a>> {
    let file = File::open(path).map_err(|error| PluginError::io("read", path, &error))?;
    let ids: Vec<String> = ids.iter().map(|id| serde_json::Value::from(id.as_str()).to_string()).collect();
    let may_be_wanted = move |line: &std::io::Result<String>| {
        ids.is_empty() || line.as_ref().map_or(true, |line| ids.iter().any(|id| line.contains(id.as_str())))
    };
    let lines = BufReader::new(file).lines().enumerate().filter(move |(_, line)| may_be_wanted(line));
    Ok(lines.map(move |(index, line)| {
        let line = line.map_err(|error| PluginError::io("read", path, &error))?;
        let record = serde_json::from_str(&line).map_err(|error| {
            PluginError::bad_input(format!("line {} of `{}` is no sample", index + 1, path.display()))
                .with_cause(&error)
        })?;
        Ok((line, record))
    }))
}
