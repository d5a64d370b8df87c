//! Records the events of a training: `train.csv` and TensorBoard's event files, one line and one event for each step.
//!
//! Both only grow, in the order of steps. A training that goes on from a checkpoint sends the steps after it once more: what
//! was recorded of them is dropped first, so that the files are those of a training that was never interrupted.

mod tensorboard;

use examiner_api::{Flow, Result, TrainEvent};
use examiner_store::storage::failure;
use examiner_store::training::{HEADER, TrainRow, csv_path};
use parking_lot::{Mutex, MutexGuard};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use tensorboard::EventFile;

/// The files of one training.
pub(crate) struct TrainingLog {
    csv: PathBuf,
    events: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// The recorded steps, ascending, with the offset at which each line ends.
    lines: Vec<(u64, u64)>,
    /// Opened at the first event.
    files: Option<Files>,
    /// Whether an event has been recorded since the log was opened.
    has_begun: bool,
    /// Why no more is recorded.
    failure: Option<examiner_api::PluginError>,
}

struct Files {
    csv: File,
    events: EventFile,
}

impl TrainingLog {
    /// Reads what an earlier attempt has recorded; `events` is TensorBoard's directory. Nothing is written yet.
    pub(crate) fn open(training: &Path, events: &Path) -> Self {
        let csv = csv_path(training);
        let lines = recorded_lines(&std::fs::read_to_string(&csv).unwrap_or_default());
        let state = State { lines, files: None, has_begun: false, failure: None };
        TrainingLog { csv, events: events.to_owned(), state: Mutex::new(state) }
    }

    /// The last step that is recorded; 0 where none is.
    pub(crate) fn last_step(&self) -> u64 {
        self.lock().lines.last().map_or(0, |(step, _)| *step)
    }

    /// Records an event. After a failure no more is wanted; [`TrainingLog::flush`] says why.
    pub(crate) fn record(&self, event: &TrainEvent) -> Flow {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.failure = state.record(event, &self.csv, &self.events).err();
        }
        if state.failure.is_some() { Flow::Stop } else { Flow::Continue }
    }

    /// Waits until everything recorded is on disk.
    ///
    /// # Errors
    /// An event could not be recorded, or the files cannot be synced.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut state = self.lock();
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        let Some(files) = &mut state.files else { return Ok(()) };
        files.csv.sync_data().map_err(|error| failure("write", &self.csv, &error))?;
        files.events.sync()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn record(&mut self, event: &TrainEvent, csv: &Path, events: &Path) -> Result<()> {
        let row = TrainRow::of(event);
        let has_values = row.values().iter().any(|(_, value)| value.is_some());
        if !has_values && event.resumed_after.is_none() {
            return Ok(());
        }
        let starts_over = !self.has_begun && event.resumed_after.is_none() && event.step <= 1;
        self.has_begun = true;
        let is_dropped = |step: u64| {
            starts_over || has_values && step >= event.step || event.resumed_after.is_some_and(|last| step > last)
        };
        self.keep_before(csv, events, &is_dropped)?;
        let Some(files) = self.files.as_mut().filter(|_| has_values) else { return Ok(()) };
        let line = row.line();
        files.csv.write_all(line.as_bytes()).map_err(|error| failure("write", csv, &error))?;
        let end = self.lines.last().map_or(HEADER.len() as u64, |(_, end)| *end);
        self.lines.push((row.step, end + line.len() as u64));
        files.events.add(row.step, &row.values())
    }

    /// Opens the files where they are not open yet, and drops lines and events from the first on of which `is_dropped` says so.
    fn keep_before(&mut self, csv: &Path, events: &Path, is_dropped: &dyn Fn(u64) -> bool) -> Result<()> {
        let kept = self.lines.iter().position(|(step, _)| is_dropped(*step)).unwrap_or(self.lines.len());
        if self.files.is_some() && kept == self.lines.len() {
            return Ok(());
        }
        self.lines.truncate(kept);
        let files = match &mut self.files {
            Some(files) => files,
            None => self.files.insert(Files { csv: open_csv(csv, &self.lines)?, events: EventFile::open(events)? }),
        };
        let Some((_, end)) = self.lines.last() else {
            files.csv.set_len(HEADER.len() as u64).map_err(|error| failure("write", csv, &error))?;
            return files.events.restart();
        };
        files.csv.set_len(*end).map_err(|error| failure("write", csv, &error))?;
        files.events.truncate(is_dropped)
    }
}

/// Opens the file to add to. One without any line to keep is begun, as a whole or not at all.
fn open_csv(path: &Path, lines: &[(u64, u64)]) -> Result<File> {
    if lines.is_empty() {
        examiner_store::atomic::write(path, |file| file.write_all(HEADER.as_bytes()))
            .map_err(|error| failure("write", path, &error))?;
    }
    OpenOptions::new().append(true).open(path).map_err(|error| failure("write", path, &error))
}

/// The steps of all whole lines in order, each with the offset at which it ends; none of a file of another kind.
fn recorded_lines(text: &str) -> Vec<(u64, u64)> {
    let Some(rows) = text.strip_prefix(HEADER) else { return Vec::new() };
    let mut lines: Vec<(u64, u64)> = Vec::new();
    let mut end = HEADER.len() as u64;
    for line in rows.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let step = line.split(',').next().and_then(|step| step.parse().ok());
        let Some(step) = step.filter(|step| lines.last().is_none_or(|(last, _)| last < step)) else { break };
        end += line.len() as u64;
        lines.push((step, end));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: u64) -> TrainEvent {
        let (loss, learning_rate) = (Some(1.0 / 3.0 + step as f64), Some(5e-5));
        TrainEvent { step, steps: 9, loss, learning_rate, ..TrainEvent::default() }
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Folder(tempfile::tempdir().unwrap())
        }

        fn log(&self) -> TrainingLog {
            TrainingLog::open(self.0.path(), &self.0.path().join("events"))
        }

        fn text(&self) -> String {
            std::fs::read_to_string(csv_path(self.0.path())).unwrap()
        }

        fn steps(&self) -> Vec<u64> {
            let rows = examiner_store::training::read(&csv_path(self.0.path())).unwrap();
            rows.into_iter().map(|row| row.step).collect()
        }

        fn record(&self, events: impl IntoIterator<Item = TrainEvent>) {
            let log = self.log();
            for event in events {
                assert_eq!(log.record(&event), Flow::Continue);
            }
            log.flush().unwrap();
        }
    }

    #[test]
    fn numbers_come_back_as_they_were_and_a_torn_line_is_dropped() {
        let folder = Folder::new();
        folder.record((0..4).map(event));
        let text = folder.text();
        assert_eq!(text.lines().nth(1), Some("0,0.3333333333333333,,0.00005,,"));
        std::fs::write(csv_path(folder.0.path()), format!("{text}4,0.1")).unwrap();
        assert_eq!(folder.log().last_step(), 3);
        folder.record([TrainEvent { resumed_after: Some(2), ..event(3) }]);
        assert_eq!(folder.text(), text);
    }

    #[test]
    fn interrupted_anywhere_it_ends_as_undisturbed() {
        let undisturbed = Folder::new();
        undisturbed.record((1..10).map(event));
        for killed in 1..9 {
            for checkpoint in 0..=killed {
                for says_so in [true, false] {
                    let folder = Folder::new();
                    folder.record((1..=killed).map(event));
                    let resumed_after = (says_so && checkpoint > 0).then_some(checkpoint);
                    let first = TrainEvent { resumed_after, ..event(checkpoint + 1) };
                    folder.record(std::iter::once(first).chain((checkpoint + 2..10).map(event)));
                    assert_eq!(folder.text(), undisturbed.text(), "killed at {killed}, from {checkpoint}, {says_so}");
                }
            }
        }
    }

    #[test]
    fn another_process_of_the_same_attempt_takes_over() {
        let folder = Folder::new();
        folder.record([1, 2, 3, 2, 3, 4].map(event));
        assert_eq!(folder.steps(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_first_step_begins_a_new_record() {
        let folder = Folder::new();
        folder.record((0..5).map(event));
        folder.record([event(1)]);
        assert_eq!(folder.steps(), [1], "the step 0 was another training's");
        folder.record((0..5).map(event));
        folder.record([TrainEvent { resumed_after: Some(0), ..event(1) }]);
        assert_eq!(folder.steps(), [0, 1]);
    }

    #[test]
    fn an_event_without_values_is_not_recorded() {
        let folder = Folder::new();
        let log = folder.log();
        assert_eq!(log.record(&TrainEvent { step: 3, steps: 9, ..TrainEvent::default() }), Flow::Continue);
        log.flush().unwrap();
        assert!(!csv_path(folder.0.path()).exists());
    }
}
