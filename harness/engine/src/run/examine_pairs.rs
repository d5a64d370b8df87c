//! Examines models one after the other, each on all of its datasets, and keeps the report up to date.

use super::Run;
use crate::evaluate::{self, EvaluateError, Events, Examined, Prepared, metric_failure};
use crate::graph::Pair;
use crate::plan::{Action, Execution, ModelStages, Obstacle, PairStage, Planner};
use examiner_api::{ErrorCode, Metadata, Model, PluginError, Result};
use examiner_store::provenance::{StageRecord, Status};
use examiner_store::storage;
use examiner_store::summary::{self, SummaryRow};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::time::Instant;

/// The rows of every pair, in the order of the suite.
pub(super) struct Report {
    path: PathBuf,
    /// By the name of the pair's stage.
    rows: Mutex<Vec<(String, Vec<SummaryRow>)>>,
}

impl Report {
    pub(super) fn new(path: PathBuf, rows: Vec<(String, Vec<SummaryRow>)>) -> Self {
        Report { path, rows: Mutex::new(rows) }
    }

    fn publish(&self, pair: &Pair, rows: Vec<SummaryRow>) -> Result<()> {
        self.set(pair, rows);
        self.write()
    }

    /// Replaces the rows of a pair. They are written with the next ones.
    fn set(&self, pair: &Pair, rows: Vec<SummaryRow>) {
        let stage = pair.stage();
        if let Some((_, of_pair)) = self.rows.lock().iter_mut().find(|(name, _)| *name == stage) {
            *of_pair = rows;
        }
    }

    /// Writes `summary.csv`, as a whole or not at all, unless it holds the same already.
    pub(super) fn write(&self) -> Result<()> {
        summary::write(&self.path, &self.rows()).map_err(|error| storage::failure("write", &self.path, &error))
    }

    pub(super) fn rows(&self) -> Vec<SummaryRow> {
        self.rows.lock().iter().flat_map(|(_, rows)| rows).cloned().collect()
    }
}

impl Run {
    /// Examines a model on its datasets, one after the other.
    pub(super) fn examine(&mut self, planner: &Planner, mut stages: ModelStages) {
        if let Ok((_, info)) = &stages.model {
            self.provenance.models.insert(stages.name.clone(), info.clone());
        }
        while !self.is_over()
            && let Some(stage) = planner.next_pair(&mut stages)
        {
            self.begin_stage(&stage.pair.stage(), &stage.action);
            let model = stages.model.as_mut().ok().map(|(model, _)| model);
            self.examine_pair(stage, model);
        }
    }

    /// Does what was decided for a pair.
    fn examine_pair(&mut self, stage: PairStage, model: Option<&mut Box<dyn Model>>) {
        let PairStage { pair, action, mut record, execution, .. } = stage;
        let began = Instant::now();
        let mut details = Metadata::new();
        let examined = match (execution, model, action) {
            (Execution::Complete(complete), _, _) => complete.conclude(&self.directory),
            (Execution::Ask(prepared), Some(model), _) => {
                let examined = self.ask(&pair, &record, *prepared, &mut **model);
                // Results do not depend on it.
                details = model.usage().unwrap_or_default();
                examined
            }
            (_, _, Action::Blocked(Obstacle::Storage(error))) => return self.break_off(&pair, record, error),
            (_, _, Action::Blocked(Obstacle::Error(error))) => return self.fail(&pair, record, &error),
            (_, _, action) => Err(PluginError::not_found(format!("the stage cannot run: {action}")).into()),
        };
        record.seconds = began.elapsed().as_secs_f64();
        record.details = match &examined {
            Ok(examined) if !examined.asked => self.earlier_details(&pair.stage(), &record),
            _ => details,
        };
        match examined {
            Ok(examined) => self.conclude(&pair, record, examined),
            Err(EvaluateError::Role(error)) => self.fail(&pair, record, &error),
            Err(error) => match error.storage() {
                Some(storage) => self.break_off(&pair, record, storage),
                None => self.fail(&pair, record, &PluginError::new(ErrorCode::Io, error.to_string())),
            },
        }
    }

    /// What an earlier try with the same inputs says of its work.
    fn earlier_details(&self, stage: &str, record: &StageRecord) -> Metadata {
        let earlier = self.earlier.stages.get(stage).filter(|earlier| earlier.identity == record.identity);
        earlier.map(|earlier| earlier.details.clone()).unwrap_or_default()
    }

    fn ask(
        &mut self,
        pair: &Pair,
        record: &StageRecord,
        prepared: Prepared,
        model: &mut dyn Model,
    ) -> Result<Examined, EvaluateError> {
        let (shared, directory, report) = (self.shared.clone(), &self.directory, &self.report);
        let (provenance, seconds_before, run_began) = (&mut self.provenance, self.seconds_before, self.began);
        // Written before anything is asked: should this try be killed, its answers can still be assigned to it.
        let mut begin = || {
            provenance.stages.insert(pair.stage(), record.clone());
            provenance.hub.extend(shared.commits());
            provenance.seconds = seconds_before + run_began.elapsed().as_secs_f64();
            provenance.write(&directory.path)?;
            report.write()
        };
        // On the way it is a convenience, which is tried again; at the end it counts.
        let among_runs = self.among_runs;
        let publish = |rows: Vec<SummaryRow>| {
            if among_runs && rows.iter().any(|row| row.n > row.n_error) {
                drop(directory.mark_latest());
            }
            drop(report.publish(pair, rows));
        };
        evaluate::examine(&shared, model, prepared, directory, Events { begin: &mut begin, publish: &publish })
    }

    /// Records how a pair ended.
    fn conclude(&mut self, pair: &Pair, mut record: StageRecord, examined: Examined) {
        let stage = pair.stage();
        record.questions = examined.questions;
        record.errors = examined.errors;
        record.reused = examined.reused;
        record.seconds = examined.seconds;
        record.warnings = examined.warnings;
        let mut rows = examined.rows;
        let too_many = self.shared.roles.suite.fail_on_error.is_exceeded(examined.errors, examined.questions);
        record.status = if let Some(failure) = &examined.failure {
            let message = self.with_log(&[&stage, &pair.model_stage()], &failure.to_string());
            self.failures.push(format!("{stage}: {message}"));
            if rows.is_empty() {
                rows.push(self.failed_row(pair, &message));
            }
            rows.iter_mut().for_each(|row| row.fail(&message));
            record.message = Some(message);
            Status::Failed
        } else if examined.interrupted {
            let message = format!("interrupted after {} questions; run again to go on", examined.questions);
            rows.iter_mut().for_each(|row| row.unfinished(&message));
            Status::Interrupted
        } else if let Some(what) = shortcomings(&examined.error_examples, &record, &rows) {
            let message = self.with_log(&[&stage, &pair.model_stage()], &what);
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
            return self.report.set(pair, rows);
        }
        if let Err(error) = self.report.publish(pair, rows) {
            self.stop(error);
        }
        self.note(stage, record);
    }

    /// Ends the run in the midst of a pair, because its files cannot be written.
    fn break_off(&mut self, pair: &Pair, mut record: StageRecord, storage: PluginError) {
        let message = storage.to_string();
        self.stop(storage);
        let row = self.failed_row(pair, &message);
        // As long as this fails too, the file keeps its content.
        let _ = self.report.publish(pair, vec![row]);
        record.status = Status::Failed;
        record.message = Some(message);
        self.note(pair.stage(), record);
    }

    fn fail(&mut self, pair: &Pair, mut record: StageRecord, error: &PluginError) {
        let stage = pair.stage();
        if error.code == ErrorCode::Cancelled {
            record.status = Status::Interrupted;
            return self.note(stage, record);
        }
        let message = self.with_log(&[&stage, &pair.model_stage()], &error.to_string());
        self.failures.push(format!("{stage}: {message}"));
        let row = self.failed_row(pair, &message);
        if let Err(error) = self.report.publish(pair, vec![row]) {
            self.stop(error);
        }
        record.status = Status::Failed;
        record.message = Some(message);
        self.note(stage, record);
    }

    fn failed_row(&self, pair: &Pair, message: &str) -> SummaryRow {
        SummaryRow::failed(&self.directory.suite, &self.directory.name(), &pair.model, &pair.dataset, message)
    }
}

/// What a pair that was asked to its end lacks: samples without an answer, and metrics without a value.
fn shortcomings(error_examples: &[String], record: &StageRecord, rows: &[SummaryRow]) -> Option<String> {
    let errors = (record.errors > 0).then(|| {
        let first = error_examples.first().map_or("", String::as_str);
        format!("{} of {} samples are errors, the first: {first}", record.errors, record.questions)
    });
    let lacking: Vec<String> = errors.into_iter().chain(metric_failure(rows)).collect();
    (!lacking.is_empty()).then(|| lacking.join("; "))
}
