//! Figures of a run: its results, its training curves, and the yield of its teachers. Each is written as SVG and, with the
//! feature `png`, as PNG.
//!
//! A figure depends only on the files that it is drawn from: the same files give the same bytes.

mod axis;
mod format;
mod palette;
#[cfg(feature = "png")]
mod png;
mod results;
mod svg;
mod text;
mod training;
mod yields;

use super::metrics::{UnknownMetric, chosen};
use examiner_store::atomic;
use examiner_store::summary::SummaryRow;
pub use format::{UnknownFormat, check_format};
use palette::Palette;
use std::path::{Path, PathBuf};

/// Why nothing is drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DrawError {
    /// A metric that no row has.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// A format that no figure is written in.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
}

/// The figures that were drawn, and the failures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// The files.
    pub files: Vec<PathBuf>,
    /// One line for each figure that could not be drawn or written.
    pub failures: Vec<String>,
}

/// The formats in which figures are written, by the ending of the file.
pub const FORMATS: &[&str] = if cfg!(feature = "png") { &["svg", "png"] } else { &["svg"] };

/// Draws the run in `directory`, whose `summary.csv` has these rows. `out` is the path of the figure of the results, with or
/// without `.svg`. The other figures are written to the same directory if there is something to draw, with `-training` and
/// `-yield` after the name. Each figure is a file in every one of [`FORMATS`]. `metrics` are the metrics to show, as [`chosen`]
/// reads them.
///
/// # Errors
/// A metric that no row has, or a format that no figure is written in. All other failures are in [`Drawn::failures`], and the remaining
/// figures are drawn.
pub fn draw(directory: &Path, rows: &[SummaryRow], metrics: &[String], out: &Path) -> Result<Drawn, DrawError> {
    check_format(out)?;
    let metrics = chosen(rows, metrics)?;
    let palette = Palette::new(rows.iter().map(|row| row.model.as_str()));
    let mut drawn = Drawn::default();
    let mut figures = Vec::new();
    if !rows.is_empty() {
        figures.push(("", results::draw(rows, &metrics, &palette)));
    }
    match training::read(directory) {
        Ok(curves) if curves.is_empty() => {}
        Ok(curves) => figures.push(("-training", training::draw(&curves, &palette))),
        Err(failure) => drawn.failures.push(failure),
    }
    match yields::read(directory) {
        Ok(yields) if yields.is_empty() => {}
        Ok(yields) => figures.push(("-yield", yields::draw(&yields))),
        Err(failure) => drawn.failures.push(failure),
    }
    if figures.is_empty() && drawn.failures.is_empty() {
        drawn.failures.push(format!("`{}` contains nothing to draw", directory.display()));
    }
    for (suffix, figure) in figures {
        let text = figure.finish();
        save(&path_of(out, suffix, "svg"), Ok(text.clone().into_bytes()), &mut drawn);
        #[cfg(feature = "png")]
        save(&path_of(out, suffix, "png"), png::render(&text), &mut drawn);
    }
    Ok(drawn)
}

/// `figs/result.svg`, `-training` and `png` make `figs/result-training.png`. Only the endings `.svg` and `.png` are removed:
/// `gpt-1.5` is a name.
fn path_of(out: &Path, suffix: &str, ending: &str) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".svg").or_else(|| name.strip_suffix(".png")).unwrap_or(&name);
    out.with_file_name(format!("{stem}{suffix}.{ending}"))
}

fn save(path: &Path, content: Result<Vec<u8>, String>, drawn: &mut Drawn) {
    let written = content.and_then(|content| {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        directory
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| atomic::update(path, |file| file.write_all(&content)))
            .map_err(|error| error.to_string())
    });
    match written {
        Ok(()) => drawn.files.push(path.to_owned()),
        Err(reason) => drawn.failures.push(format!("cannot draw `{}`: {reason}", path.display())),
    }
}

#[cfg(test)]
mod tests;
