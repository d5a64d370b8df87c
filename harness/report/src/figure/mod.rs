//! Pictures of a run: its results, its training curves, and what its teachers yielded; each as SVG and, with the feature `png`, as PNG.
//!
//! A picture is a function of the files that it is drawn from: the same files give the same bytes.

mod axis;
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
use palette::Palette;
use std::path::{Path, PathBuf};

/// What was drawn, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// The files.
    pub files: Vec<PathBuf>,
    /// One line for each picture that could not be drawn or written.
    pub failures: Vec<String>,
}

/// Draws the run in `directory`, whose `summary.csv` has these rows. `out` is the name of the picture of the results,
/// with or without `.svg`; the others have `-training` and `-yield` behind it, and stand beside it if there is
/// something to draw. `metrics` are those to show, as [`chosen`] reads them.
///
/// # Errors
/// A metric that no row has. All other failures stand in [`Drawn::failures`], beside what could be drawn.
pub fn draw(directory: &Path, rows: &[SummaryRow], metrics: &[String], out: &Path) -> Result<Drawn, UnknownMetric> {
    let metrics = chosen(rows, metrics)?;
    let palette = Palette::new(rows.iter().map(|row| row.model.as_str()));
    let mut drawn = Drawn::default();
    let mut pictures = Vec::new();
    if !rows.is_empty() {
        pictures.push(("", results::draw(rows, &metrics, &palette)));
    }
    match training::read(directory) {
        Ok(curves) if curves.is_empty() => {}
        Ok(curves) => pictures.push(("-training", training::draw(&curves, &palette))),
        Err(failure) => drawn.failures.push(failure),
    }
    match yields::read(directory) {
        Ok(yields) if yields.is_empty() => {}
        Ok(yields) => pictures.push(("-yield", yields::draw(&yields))),
        Err(failure) => drawn.failures.push(failure),
    }
    if pictures.is_empty() && drawn.failures.is_empty() {
        drawn.failures.push(format!("`{}` holds nothing to draw", directory.display()));
    }
    for (suffix, picture) in pictures {
        let text = picture.finish();
        save(&named(out, suffix, "svg"), Ok(text.clone().into_bytes()), &mut drawn);
        #[cfg(feature = "png")]
        save(&named(out, suffix, "png"), png::render(&text), &mut drawn);
    }
    Ok(drawn)
}

/// `figs/result.svg`, `-training` and `png` make `figs/result-training.png`. Only the endings that are ours are taken
/// off: `gpt-1.5` is a name.
fn named(out: &Path, suffix: &str, ending: &str) -> PathBuf {
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
