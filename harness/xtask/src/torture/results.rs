//! The files of a disturbed run: results, finished samples, and the samples that workers were asked for.

use super::findings::Findings;
use super::workload::Attempt;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A sample: dataset, id, repetition, with tabs between them.
pub(super) type Sample = String;

/// The results of a run that must not depend on interruptions.
#[derive(Debug, PartialEq)]
pub(super) struct Results {
    /// `summary.csv` without the columns `run` and `seconds`.
    summary: Vec<Vec<String>>,
    /// Every file of `samples`, and the workload's products.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Results {
    pub(super) fn read(attempt: &Attempt<'_>, products: &[&str]) -> Result<Self> {
        let directory = &attempt.directory;
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(directory.join("summary.csv"))?;
        let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>()?;
        let names = rows.first().context("`summary.csv` is empty")?.clone();
        let kept = |row: &csv::StringRecord| {
            let cells = row.iter().zip(&names).filter(|(_, name)| *name != "run" && *name != "seconds");
            cells.map(|(cell, _)| cell.to_owned()).collect()
        };
        let mut files = BTreeMap::new();
        for path in files_below(&directory.join("samples"))? {
            files.insert(path.strip_prefix(directory)?.to_owned(), std::fs::read(&path)?);
        }
        for product in products {
            let path = directory.join(product);
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.insert(PathBuf::from(product), bytes);
        }
        Ok(Results { summary: rows.iter().map(kept).collect(), files })
    }

    /// Gives the suite another name: the first column of the rows.
    pub(super) fn rename_suite(&mut self, name: &str) {
        self.summary.iter_mut().skip(1).for_each(|row| name.clone_into(&mut row[0]));
    }

    /// Compares these results with those of an undisturbed run.
    pub(super) fn compare(&self, undisturbed: &Results, findings: &mut Findings) {
        if self.summary != undisturbed.summary {
            findings.wrong("`summary.csv` differs from the undisturbed run's".to_owned());
        }
        for (path, bytes) in &undisturbed.files {
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            let own = self.files.get(path).map(Vec::as_slice).unwrap_or_default();
            if own != bytes {
                findings.lost += lines(bytes).saturating_sub(lines(own));
                findings.wrong(format!("`{}` differs from the undisturbed run's", path.display()));
            }
        }
    }
}

/// The samples whose record is in a journal.
pub(super) fn finished(directory: &Path) -> Result<HashSet<Sample>> {
    let mut samples = HashSet::new();
    for path in files_below(&directory.join("journal"))? {
        let dataset = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path)?;
        // A torn last line is not finished.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in String::from_utf8_lossy(&bytes[..whole]).lines().skip(1) {
            let record: Value = serde_json::from_str(line.get(9..).unwrap_or_default())?;
            let is_error = |verdict: &Value| verdict["outcome"].is_object();
            if !record["verdicts"].as_array().is_some_and(|verdicts| verdicts.iter().any(is_error)) {
                samples.insert(format!(
                    "{dataset}\t{}\t{}",
                    record["id"].as_str().unwrap_or_default(),
                    record["repeat"]
                ));
            }
        }
    }
    Ok(samples)
}

/// The samples that workers were asked for.
#[derive(Default)]
pub(super) struct Trace {
    /// Bytes of the file that were read before.
    read: usize,
    /// The samples that were finished when it was last read: none of them may be asked again.
    finished: HashSet<Sample>,
}

impl Trace {
    /// From now on, samples that are finished now must not be asked again. The journal is read before the trace: samples that
    /// are asked in between were not finished.
    pub(super) fn mark(&mut self, attempt: &Attempt<'_>, findings: &mut Findings) -> Result<()> {
        self.check(attempt, findings)?;
        self.finished = finished(&attempt.directory)?;
        self.read = std::fs::metadata(attempt.trace()).map_or(0, |file| file.len() as usize);
        Ok(())
    }

    /// Counts the samples that were asked since the mark though they were finished.
    pub(super) fn check(&mut self, attempt: &Attempt<'_>, findings: &mut Findings) -> Result<()> {
        let text = std::fs::read(attempt.trace()).unwrap_or_default();
        let new = String::from_utf8_lossy(text.get(self.read..).unwrap_or_default()).into_owned();
        let again: HashSet<&str> = new.lines().filter(|line| self.finished.contains(*line)).collect();
        if !again.is_empty() {
            findings.lost += again.len() as u64;
            findings.notes.push(format!("{} finished samples were asked again", again.len()));
        }
        Ok(())
    }
}

/// Every file below a directory that a run may not change, by its path: all but its lock and its logs.
pub(super) fn contents(directory: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("logs") {
                files.extend(contents(&path)?);
            }
        } else if !path.ends_with("lock") && !path.ends_with(".lock") {
            let bytes = std::fs::read(&path)?;
            files.insert(path, bytes);
        }
    }
    Ok(files)
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(files) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
