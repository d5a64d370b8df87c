//! One model on one dataset, judged once more.

use super::Scoring;
use super::judging::{Counts, Earlier, RescoredPair, rescore_pair};
use crate::evaluate::{EvaluateError, metric_failure};
use crate::graph::{Pair, pairs};
use examiner_api::{PluginError, Result};
use examiner_store::directory::{journal_path, samples_path};
use examiner_store::provenance::{StageRecord, Status, identity};
use examiner_store::summary::SummaryRow;

impl Scoring {
    /// Judges a pair of the suite by what the run has of it.
    pub(super) fn judge_pair(&self, pair: &Pair) -> Result<RescoredPair, EvaluateError> {
        let stage = pair.stage();
        let earlier = self.of.stages.get(&stage);
        let inputs = earlier.map(|earlier| &earlier.inputs).filter(|inputs| !inputs.is_empty());
        let journal = journal_path(&self.run, &pair.model, &pair.dataset);
        let before = pairs(&self.before.roles.suite).into_iter().find(|before| before.stage() == stage);
        let (Some(inputs), Some(before), true) = (inputs, before, journal.exists()) else {
            let why = earlier.and_then(|earlier| earlier.message.as_ref()).map(|why| format!(": {why}"));
            let message = format!("the run has no answers to judge{}", why.unwrap_or_default());
            return Err(PluginError::not_found(message).with_help("`examiner run` the suite").into());
        };
        let path = samples_path(&self.directory, &pair.model, &pair.dataset);
        let parent = path.parent().unwrap_or(&self.directory);
        std::fs::create_dir_all(parent).map_err(|error| PluginError::io("make the directory", parent, &error))?;
        let limit = self.of.request.limit;
        let earlier = Earlier { shared: &self.before, pair: &before, inputs, journal: &journal, limit };
        rescore_pair(&self.now, pair, &earlier, (&self.provenance.suite, &self.provenance.run), &path)
    }

    /// The rows of a pair that was judged, and what is noted of it.
    pub(super) fn conclude(&mut self, pair: &Pair, judged: RescoredPair) -> (Vec<SummaryRow>, StageRecord) {
        let RescoredPair { mut rows, inputs, version, counts, warnings } = judged;
        let stage = pair.stage();
        let judged = counts.questions - counts.missing;
        if judged == 0 && counts.missing > 0 && !self.now.is_cancelled() {
            let message = format!(
                "the run has no answer to any of {} questions (help: `examiner run` the suite)",
                counts.questions
            );
            return self.fail(pair, &message);
        }
        let mut record = StageRecord {
            identity: identity(&inputs),
            inputs,
            version,
            questions: judged,
            errors: counts.errors,
            warnings,
            ..StageRecord::default()
        };
        let too_many = self.now.roles.suite.fail_on_error.is_exceeded(counts.errors, judged);
        let message = self.shortcomings(&stage, &counts, &rows);
        record.status = if self.now.is_cancelled() {
            rows.iter_mut().for_each(|row| row.unfinished(&format!("interrupted after {judged} questions")));
            Status::Interrupted
        } else if message.is_empty() {
            Status::Complete
        } else {
            self.failures.push(format!("{stage}: {message}"));
            if counts.missing > 0 {
                rows.iter_mut().for_each(|row| row.unfinished(&message));
            }
            if too_many {
                rows.iter_mut().for_each(|row| row.fail(&message));
            }
            record.message = Some(message);
            if too_many { Status::Failed } else { Status::Partial }
        };
        (rows, record)
    }

    /// What the pair lacks for a complete score; empty for a complete one.
    fn shortcomings(&self, stage: &str, counts: &Counts, rows: &[SummaryRow]) -> String {
        let mut shortcomings = Vec::new();
        let Counts { questions, missing, errors, error_examples } = counts;
        if *errors > 0 {
            let first = error_examples.first().map_or("", String::as_str);
            shortcomings.push(format!("{errors} of {} samples are errors, the first: {first}", questions - missing));
        }
        if *missing > 0 {
            let why = self.of.stages.get(stage).and_then(|of| of.message.as_ref()).map(|why| format!(" ({why})"));
            let why = why.unwrap_or_default();
            shortcomings.push(format!(
                "the run has no answers to {missing} of {questions} questions{why}; `examiner run` goes on with it"
            ));
        }
        shortcomings.extend(metric_failure(rows));
        shortcomings.join("; ")
    }

    /// The row of a pair that could not be judged, and what is noted of it.
    pub(super) fn fail(&mut self, pair: &Pair, message: &str) -> (Vec<SummaryRow>, StageRecord) {
        let message = match self.now.log_path(&pair.stage()).filter(|path| path.exists()) {
            Some(log) => format!("{message} (log: `{}`)", log.display()),
            None => message.to_owned(),
        };
        self.failures.push(format!("{}: {message}", pair.stage()));
        let (suite, run) = (&self.provenance.suite, &self.provenance.run);
        let row = SummaryRow::failed(suite, run, &pair.model, &pair.dataset, &message);
        (vec![row], StageRecord { status: Status::Failed, message: Some(message), ..StageRecord::default() })
    }
}
