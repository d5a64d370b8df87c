//! Examines models one after the other, each on all of its datasets, and keeps the report up to date.

use super::Run;
use super::evaluate::{self, EvaluateError, Examined, Prepared, Told};
use crate::parallel;
use examiner_api::{ErrorCode, Model, ModelInfo, PluginError, Result};
use examiner_store::provenance::{StageRecord, Status, identity};
use examiner_store::storage;
use examiner_store::summary::{self, SummaryRow};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The rows of every pair, in the order of the suite.
pub(super) struct Report {
    pub(super) path: PathBuf,
    pub(super) rows: Mutex<Vec<Vec<SummaryRow>>>,
}

impl Report {
    pub(super) fn publish(&self, pair: usize, rows: Vec<SummaryRow>) -> Result<()> {
        self.set(pair, rows);
        self.write()
    }

    /// Takes the rows of a pair, which are written with the next ones.
    fn set(&self, pair: usize, rows: Vec<SummaryRow>) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)[pair] = rows;
    }

    /// Writes `summary.csv`, as a whole or not at all, unless it says the same already.
    pub(super) fn write(&self) -> Result<()> {
        summary::write(&self.path, &self.rows()).map_err(|error| storage::failure("write", &self.path, &error))
    }

    pub(super) fn rows(&self) -> Vec<SummaryRow> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().cloned().collect()
    }
}

impl Run {
    pub(super) fn examine(&mut self) {
        let mut next = 0;
        while next < self.pairs.len() && !self.is_over() {
            // One model is resident at a time: all of its datasets in a row.
            let name = self.pairs[next].model.clone();
            let count = self.pairs[next..].iter().take_while(|pair| pair.model == name).count();
            self.examine_model(&name, next..next + count);
            next += count;
        }
    }

    fn examine_model(&mut self, name: &str, places: std::ops::Range<usize>) {
        let host = self.shared.host(&self.pairs[places.start].model_stage());
        let opened = self.shared.roles.model_with_info(name, host);
        match opened {
            Ok((mut model, info)) => {
                self.provenance.models.insert(name.to_owned(), info.clone());
                let mut counted = self.recount(places.clone(), &info).into_iter();
                for place in places {
                    if self.is_over() {
                        return;
                    }
                    match counted.next().flatten() {
                        Some((record, examined)) => self.conclude(place, record, examined),
                        None => self.examine_pair(place, &mut *model, &info),
                    }
                }
            }
            Err(error) => {
                for place in places {
                    if self.storage.is_some() {
                        return;
                    }
                    self.fail(place, StageRecord::default(), &error);
                }
            }
        }
    }

    /// What an earlier try has finished of a model's pairs, where nothing that they depend on has changed since.
    fn recount(&self, places: std::ops::Range<usize>, info: &ModelInfo) -> Vec<Option<(StageRecord, Examined)>> {
        parallel::map(&self.pairs[places], |pair| {
            let earlier = self.earlier.stages.get(&pair.stage());
            let earlier =
                earlier.filter(|earlier| earlier.status == Status::Complete && !self.shared.is_cancelled())?;
            let prepared = evaluate::prepare(&self.shared, pair, info, self.limit).ok()?;
            let record = begun(&prepared);
            let same = (&record.inputs, &record.version) == (&earlier.inputs, &earlier.version);
            let examined = same.then(|| evaluate::recount(&self.shared, pair, prepared, &self.directory)).flatten()?;
            Some((record, examined))
        })
    }

    fn examine_pair(&mut self, place: usize, model: &mut dyn Model, info: &ModelInfo) {
        let pair = self.pairs[place].clone();
        let began = Instant::now();
        let mut record = StageRecord::default();
        let prepared = match evaluate::prepare(&self.shared, &pair, info, self.limit) {
            Ok(prepared) => prepared,
            Err(error) => return self.fail(place, record, &error),
        };
        record = begun(&prepared);
        let (provenance, report, directory) = (&mut self.provenance, &self.report, &self.directory);
        let seconds_before = self.seconds_before;
        let run_began = self.began;
        // Written before anything is asked: should this try be killed, its answers can still be told apart.
        let mut begin = || {
            provenance.stages.insert(pair.stage(), record.clone());
            provenance.seconds = seconds_before + run_began.elapsed().as_secs_f64();
            provenance.write(&directory.path)?;
            report.write()
        };
        // On the way it is a convenience, which is tried again; at the end it counts.
        let publish = |rows| drop(report.publish(place, rows));
        let told = Told { begin: &mut begin, publish: &publish };
        let examined = evaluate::examine(&self.shared, &pair, model, prepared, directory, told);
        record.seconds = began.elapsed().as_secs_f64();
        match examined {
            Ok(examined) => self.conclude(place, record, examined),
            Err(EvaluateError::Role(error)) => self.fail(place, record, &error),
            Err(error) => match error.storage() {
                Some(storage) => self.break_off(place, record, storage),
                None => self.fail(place, record, &PluginError::new(ErrorCode::Io, error.to_string())),
            },
        }
    }

    /// Takes note of how a pair ended.
    fn conclude(&mut self, place: usize, mut record: StageRecord, examined: Examined) {
        let stage = self.pairs[place].stage();
        record.questions = examined.questions;
        record.errors = examined.errors;
        record.reused = examined.reused;
        record.seconds = examined.seconds;
        let mut rows = examined.rows;
        let too_many = self.shared.roles.suite.fail_on_error.is_exceeded(examined.errors, examined.questions);
        record.status = if let Some(failure) = &examined.failure {
            let message = self.with_log(&[&stage, &self.pairs[place].model_stage()], &failure.to_string());
            self.failures.push(format!("{stage}: {message}"));
            if rows.is_empty() {
                rows.push(self.failed_row(place, &message));
            }
            rows.iter_mut().for_each(|row| row.fail(&message));
            record.message = Some(message);
            Status::Failed
        } else if examined.interrupted {
            let message = format!("interrupted after {} questions; run again to go on", examined.questions);
            rows.iter_mut().for_each(|row| row.unfinished(&message));
            Status::Interrupted
        } else if examined.errors > 0 {
            let first = examined.error_examples.first().cloned().unwrap_or_default();
            let what = format!("{} of {} samples are errors, the first: {first}", examined.errors, examined.questions);
            let message = self.with_log(&[&stage, &self.pairs[place].model_stage()], &what);
            self.failures.push(format!("{stage}: {message}"));
            if too_many {
                rows.iter_mut().for_each(|row| row.fail(&message));
            }
            record.message = Some(message);
            if too_many { Status::Failed } else { Status::Partial }
        } else {
            Status::Complete
        };
        if !examined.asked
            && let Some(earlier) = self.earlier.stages.get(&stage)
            && earlier.is_the_work_of(&record)
        {
            // Nothing has come of this try: it is the earlier one that took its time.
            rows.iter_mut().filter_map(|row| row.seconds.as_mut()).for_each(|seconds| *seconds = earlier.seconds);
            return self.report.set(place, rows);
        }
        if let Err(error) = self.report.publish(place, rows) {
            self.stop(error);
        }
        self.note(stage, record);
    }

    /// Ends the run in the midst of a pair, because its files cannot be written.
    fn break_off(&mut self, place: usize, mut record: StageRecord, storage: PluginError) {
        let message = storage.to_string();
        self.stop(storage);
        let row = self.failed_row(place, &message);
        // As long as this fails too, the file says what it said before.
        let _ = self.report.publish(place, vec![row]);
        record.status = Status::Failed;
        record.message = Some(message);
        self.note(self.pairs[place].stage(), record);
    }

    fn fail(&mut self, place: usize, mut record: StageRecord, error: &PluginError) {
        let stage = self.pairs[place].stage();
        if error.code == ErrorCode::Cancelled {
            record.status = Status::Interrupted;
            return self.note(stage, record);
        }
        let message = self.with_log(&[&stage, &self.pairs[place].model_stage()], &error.to_string());
        self.failures.push(format!("{stage}: {message}"));
        let row = self.failed_row(place, &message);
        if let Err(error) = self.report.publish(place, vec![row]) {
            self.stop(error);
        }
        record.status = Status::Failed;
        record.message = Some(message);
        self.note(stage, record);
    }

    fn failed_row(&self, place: usize, message: &str) -> SummaryRow {
        let pair = &self.pairs[place];
        SummaryRow::failed(&self.directory.suite, &self.directory.name(), &pair.model, &pair.dataset, message)
    }
}

/// The record of a pair of which it is known what it depends on.
fn begun(prepared: &Prepared) -> StageRecord {
    let inputs = prepared.inputs.clone();
    StageRecord { identity: identity(&inputs), inputs, version: prepared.version.clone(), ..StageRecord::default() }
}
