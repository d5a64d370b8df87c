//! The runs of a directory: which there are, how they are renamed, and how those that are not wanted any more are removed.

use super::terminal::print;
use super::{RunsArguments, RunsCommand};
use anyhow::{Context, Result, bail};
use examiner_store::directory::{RunDirectory, point_latest};
use examiner_store::provenance::{self, Provenance};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A run that was found.
struct Found {
    path: PathBuf,
    provenance: Provenance,
}

pub(super) fn runs(arguments: &RunsArguments) -> Result<ExitCode> {
    let outputs = &arguments.outputs;
    match &arguments.command {
        None => print(&table(&found(outputs)?))?,
        Some(RunsCommand::DiskUse) => print(&disk_use(&found(outputs)?))?,
        Some(RunsCommand::Remove { runs }) => {
            let all = found(outputs)?;
            for name in runs {
                named(&all, outputs, name)?.remove()?;
            }
            point_latest(outputs, newest(outputs)?.as_deref())?;
        }
        Some(RunsCommand::Move { run, to }) => {
            let all = found(outputs)?;
            let run = named(&all, outputs, run)?;
            let to = if Path::new(to).components().count() > 1 { PathBuf::from(to) } else { outputs.join(to) };
            // It is pointed to again under its new name.
            let is_latest =
                std::fs::read_link(outputs.join("latest")).is_ok_and(|latest| latest == Path::new(&run.name()));
            run.rename(&to)?;
            let is_here = to.parent().is_some_and(|parent| parent.canonicalize().ok() == outputs.canonicalize().ok());
            let latest = match to.file_name().filter(|_| is_latest && is_here) {
                Some(name) => Some(name.to_string_lossy().into_owned()),
                None => newest(outputs)?,
            };
            point_latest(outputs, latest.as_deref())?;
            print(&format!("{}\n", to.display()))?;
        }
        Some(RunsCommand::Prune { keep, suite }) => {
            let mut left = std::collections::BTreeMap::new();
            // The newest come first.
            for run in found(outputs)?.iter().rev() {
                let kept: &mut usize = left.entry(run.provenance.suite.clone()).or_default();
                *kept += 1;
                let is_meant = suite.as_ref().is_none_or(|suite| *suite == run.provenance.suite);
                if is_meant && *kept > *keep {
                    run.remove()?;
                    print(&format!("removed {}\n", run.name()))?;
                }
            }
            point_latest(outputs, newest(outputs)?.as_deref())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs in a directory, the oldest first.
fn found(outputs: &Path) -> Result<Vec<Found>> {
    let runs = provenance::runs(outputs).with_context(|| format!("cannot read `{}`", outputs.display()))?;
    let mut found: Vec<Found> = runs.map(|(path, provenance)| Found { path, provenance }).collect();
    found.sort_by(|a, b| (&a.provenance.started, &a.path).cmp(&(&b.provenance.started, &b.path)));
    Ok(found)
}

/// The run of this name.
fn named<'a>(all: &'a [Found], outputs: &Path, name: &str) -> Result<&'a Found> {
    all.iter().find(|run| run.name() == name || run.path == Path::new(name)).with_context(|| {
        let names: Vec<String> = all.iter().map(|run| format!("`{}`", run.name())).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("`{}` has no run `{name}`; it has {names}", outputs.display())
    })
}

/// The name of the newest run.
fn newest(outputs: &Path) -> Result<Option<String>> {
    Ok(found(outputs)?.last().map(Found::name))
}

impl Found {
    fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Moves the run, unless somebody writes in it, or something lies there already.
    fn rename(&self, to: &Path) -> Result<()> {
        if to.symlink_metadata().is_ok() {
            bail!("`{}` is there already; choose another name", to.display());
        }
        let held = RunDirectory::open(&self.path, &self.provenance.suite)?;
        if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make the directory `{}`", parent.display()))?;
        }
        std::fs::rename(&self.path, to).with_context(|| {
            format!(
                "cannot move `{}` to `{}`; on another disk, copy it and remove it here",
                self.path.display(),
                to.display()
            )
        })?;
        drop(held);
        Ok(())
    }

    /// Removes the run, unless somebody writes in it.
    fn remove(&self) -> Result<()> {
        let held = RunDirectory::open(&self.path, &self.provenance.suite)?;
        std::fs::remove_dir_all(&self.path).with_context(|| format!("cannot remove `{}`", self.path.display()))?;
        drop(held);
        Ok(())
    }
}

fn table(runs: &[Found]) -> String {
    let head = ["run", "suite", "status", "began (UTC)", "took", "size"].map(str::to_owned);
    let mut rows = vec![head];
    for run in runs {
        let Provenance { suite, status, started, seconds, .. } = &run.provenance;
        let began = started.get(..16).unwrap_or(started).replace('T', " ");
        let (took, size) = (format!("{seconds:.0} s"), format!("{:.1} MB", size(&run.path) as f64 / 1e6));
        rows.push([run.name(), suite.clone(), status.word().to_owned(), began, took, size]);
    }
    aligned(&rows)
}

/// The parts of a run that can be large. All else is counted together.
const PARTS: [&str; 5] = ["journal", "samples", "train", "export", "logs"];

/// A line for each run, the largest first, and one for all.
fn disk_use(runs: &[Found]) -> String {
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let mut sized: Vec<(u64, &Found)> = runs.iter().map(|run| (size(&run.path), run)).collect();
    sized.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut rows = vec![["run", "MB", "journal", "samples", "train", "export", "logs", "other"].map(str::to_owned)];
    let mut all = [0; 7];
    let row = |name: String, sizes: [u64; 7]| {
        let mut cells = std::iter::once(name).chain(sizes.map(megabytes));
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    };
    for (whole, run) in sized {
        let parts = PARTS.map(|part| size(&run.path.join(part)));
        let other = whole.saturating_sub(parts.iter().sum());
        let sizes = [whole, parts[0], parts[1], parts[2], parts[3], parts[4], other];
        all.iter_mut().zip(sizes).for_each(|(all, size)| *all += size);
        rows.push(row(run.name(), sizes));
    }
    rows.push(row("all".to_owned(), all));
    aligned(&rows)
}

/// Rows with their cells below each other.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The bytes of all files in a directory; links count for nothing.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) if data.is_file() => data.len(),
        _ => 0,
    };
    entries.map(of).sum()
}
