//! `train.csv` and TensorBoard's event files: one line, and one event, for each step.
//!
//! Both only grow, in the order of steps, so that a training which goes on from a checkpoint cuts off what came after it
//! and adds to the rest.

use super::checkpoints::replace;
use super::events::{self, EventFile};
use examiner_api::{PluginError, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const HEADER: &str = "step,loss,validation_loss,learning_rate,gradient_norm,tokens_per_s\n";

/// A step as it stands in the files. What was not measured is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Point {
    /// Steps done.
    pub(super) step: u64,
    pub(super) loss: Option<f64>,
    pub(super) validation_loss: Option<f64>,
    pub(super) learning_rate: Option<f64>,
    pub(super) gradient_norm: Option<f64>,
    pub(super) tokens_per_s: Option<f64>,
}

impl Point {
    fn values(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("loss", self.loss),
            ("validation_loss", self.validation_loss),
            ("learning_rate", self.learning_rate),
            ("gradient_norm", self.gradient_norm),
            ("tokens_per_s", self.tokens_per_s),
        ]
    }

    fn line(&self) -> String {
        let values = self.values().map(|(_, value)| value.map_or_else(String::new, |value| value.to_string()));
        format!("{},{}\n", self.step, values.join(","))
    }
}

/// The open files.
pub(super) struct Curves {
    path: PathBuf,
    csv: File,
    events: Option<EventFile>,
}

impl Curves {
    /// Opens the files and cuts off what came after `step`; without a step, begins anew.
    pub(super) fn open(csv: &Path, events: Option<&Path>, step: Option<u64>) -> Result<Curves> {
        let kept = match step {
            Some(step) => kept(&std::fs::read_to_string(csv).unwrap_or_default(), step),
            None => String::new(),
        };
        let text = if kept.is_empty() { HEADER } else { kept.as_str() };
        replace(csv, text.as_bytes())?;
        let events = events.map(|directory| events::open(directory, step)).transpose()?;
        Ok(Curves { path: csv.to_owned(), csv: append(csv)?, events })
    }

    /// Whether the file holds every step up to this one, so that the curve of a resumed training has no gap.
    pub(super) fn reaches(csv: &Path, step: u64) -> bool {
        let text = std::fs::read_to_string(csv).unwrap_or_default();
        let steps: Vec<u64> = kept(&text, step).lines().skip(1).filter_map(step_of).collect();
        steps.last().copied().unwrap_or(0) == step && steps.windows(2).all(|pair| pair[1] == pair[0] + 1)
    }

    pub(super) fn add(&mut self, point: &Point) -> Result<()> {
        self.csv.write_all(point.line().as_bytes()).map_err(|error| PluginError::io("write", &self.path, &error))?;
        match &mut self.events {
            Some(events) => events.add(point.step, &point.values()),
            None => Ok(()),
        }
    }

    /// Waits until everything is on the disk: before a checkpoint that counts on it.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.csv.sync_data().map_err(|error| PluginError::io("write", &self.path, &error))?;
        self.events.as_mut().map_or(Ok(()), EventFile::sync)
    }
}

fn step_of(line: &str) -> Option<u64> {
    line.split(',').next()?.parse().ok()
}

/// The whole lines up to a step.
fn kept(text: &str, step: u64) -> String {
    let complete = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    match complete.strip_prefix(HEADER) {
        Some(rows) => {
            let rows = rows.split_inclusive('\n');
            let rows = rows.take_while(|line| step_of(line).is_some_and(|found| found <= step));
            std::iter::once(HEADER).chain(rows).collect()
        }
        None => String::new(),
    }
}

/// Opens a file to add to.
pub(super) fn append(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| PluginError::io("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_and_what_came_later_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("train.csv");
        let point = |step| Point { step, loss: Some(1.0 / 3.0), learning_rate: Some(5e-5), ..Point::default() };
        let mut curves = Curves::open(&path, None, None).unwrap();
        (0..4).for_each(|step| curves.add(&point(step)).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(2), Some("1,0.3333333333333333,,0.00005,,"));
        assert!(Curves::reaches(&path, 3) && !Curves::reaches(&path, 4));
        std::fs::write(&path, format!("{text}4,0.1")).unwrap();
        let mut curves = Curves::open(&path, None, Some(2)).unwrap();
        curves.add(&point(3)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert!(!Curves::reaches(&directory.path().join("none.csv"), 1));
    }
}
