//! What is kept of each sample: a row of numbers, no text.

use examiner_api::random::key_of;
use examiner_api::{Aggregation, MetricInfo, Outcome, ScorerInfo};
use examiner_store::record::{Record, ScorerVerdict};
use examiner_store::summary::one_line;

/// What stands for the subset of a sample that belongs to none.
pub(super) const NO_SUBSET: u32 = u32::MAX;

const INDEX: usize = 0;
const CLUSTER: usize = 1;
const TOKENS_IN: usize = 2;
const TOKENS_OUT: usize = 3;
/// Twice the subset's number, and 1 more where the model did not read all.
const SUBSET: usize = 4;
/// One for each scorer, then one for each metric of each scorer.
const STATES: usize = 5;

/// Whether a sample was scored, for one scorer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ScoreState {
    Scored,
    Unanswered,
    /// The number of its message.
    Error(u32),
}

/// How many scorers and metrics there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    scorers: usize,
    metrics: usize,
}

impl Layout {
    pub(super) fn of(scorers: &[(String, ScorerInfo)]) -> Self {
        let metrics = scorers.iter().map(|(_, info)| info.metrics.len()).sum();
        Layout { scorers: scorers.len(), metrics }
    }

    /// The numbers of a row.
    pub(super) fn width(self) -> usize {
        STATES + self.scorers + self.metrics
    }
}

/// A sample's row. Of a verdict that cannot be counted, `number_of` gives its message a number; `subset` is the number of the subset's name.
pub(super) fn row_of(
    record: &Record,
    subset: Option<u32>,
    scorers: &[(String, ScorerInfo)],
    mut number_of: impl FnMut(&str) -> u32,
) -> Vec<u64> {
    let is_truncated = record.answers.iter().any(|answer| answer.truncated_tokens() > 0);
    let subset = u64::from(subset.unwrap_or(NO_SUBSET)) << 1 | u64::from(is_truncated);
    let mut row = vec![record.index, cluster_of(record), record.tokens_in, record.tokens_out, subset];
    let mut values: Vec<f64> = Vec::new();
    for (label, info) in scorers {
        let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
        let state = judged(verdict, info, &mut values).unwrap_or_else(|message| {
            values.extend(info.metrics.iter().map(|_| f64::NAN));
            ScoreState::Error(number_of(&message))
        });
        row.push(match state {
            ScoreState::Scored => 0,
            ScoreState::Unanswered => 1,
            ScoreState::Error(message) => 2 + u64::from(message),
        });
    }
    row.extend(values.into_iter().map(f64::to_bits));
    row
}

/// The hash of a record's cluster. Repetitions of one sample are as dependent as samples of one cluster.
pub(super) fn cluster_of(record: &Record) -> u64 {
    key_of(record.cluster.as_ref().unwrap_or(&record.id))
}

/// Appends the sample's values to `values`, and returns its state; or returns why the sample is an error, and appends nothing. In place
/// of the value of a corpus metric stands 1 where there are statistics, NaN where there are none.
fn judged(verdict: Option<&ScorerVerdict>, info: &ScorerInfo, values: &mut Vec<f64>) -> Result<ScoreState, String> {
    let Some(ScorerVerdict { verdict, .. }) = verdict else { return Err("there is no verdict".to_owned()) };
    let state = match &verdict.outcome {
        Outcome::Scored => ScoreState::Scored,
        Outcome::Unanswered => ScoreState::Unanswered,
        Outcome::Error(reason) => return Err(one_line(&reason.to_string())),
    };
    let value = |metric: &MetricInfo| match metric.aggregation {
        Aggregation::Mean => {
            // An unanswered sample is wrong: 0, unless the scorer reports another value.
            let is_wrong = state == ScoreState::Unanswered && !metric.partial;
            verdict.metrics.get(&metric.name).copied().unwrap_or(if is_wrong { 0.0 } else { f64::NAN })
        }
        Aggregation::Corpus => {
            let is_there = verdict.statistics.get(&metric.name).is_some_and(|of| !of.is_empty());
            if is_there { 1.0 } else { f64::NAN }
        }
    };
    // Without its number, or its statistics, the sample would be left out silently.
    if let Some(metric) = info.metrics.iter().find(|metric| !metric.partial && !value(metric).is_finite()) {
        return Err(format!("the verdict has no number for the metric `{}`", metric.name));
    }
    values.extend(info.metrics.iter().map(value));
    Ok(state)
}

/// A row, read.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    row: &'a [u64],
    layout: Layout,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(row: &'a [u64], layout: Layout) -> Self {
        Numbers { row, layout }
    }

    pub(super) fn row(self) -> &'a [u64] {
        self.row
    }

    /// The question's index in the dataset.
    pub(super) fn index(self) -> u64 {
        self.row[INDEX]
    }

    pub(super) fn cluster(self) -> u64 {
        self.row[CLUSTER]
    }

    pub(super) fn tokens_in(self) -> u64 {
        self.row[TOKENS_IN]
    }

    pub(super) fn tokens_out(self) -> u64 {
        self.row[TOKENS_OUT]
    }

    /// The number of its subset's name, or [`NO_SUBSET`].
    pub(super) fn subset(self) -> u32 {
        (self.row[SUBSET] >> 1) as u32
    }

    pub(super) fn is_truncated(self) -> bool {
        self.row[SUBSET] & 1 == 1
    }

    pub(super) fn state(self, scorer: usize) -> ScoreState {
        match self.row[STATES + scorer] {
            0 => ScoreState::Scored,
            1 => ScoreState::Unanswered,
            error => ScoreState::Error((error - 2) as u32),
        }
    }

    pub(super) fn is_error(self, scorer: usize) -> bool {
        matches!(self.state(scorer), ScoreState::Error(_))
    }

    /// Its value of a metric, by the metric's place among those of all scorers; NaN if there is none.
    pub(super) fn value(self, metric: usize) -> f64 {
        f64::from_bits(self.row[STATES + self.layout.scorers + metric])
    }
}
