//! Rules that a run's results must keep: least and greatest values, and no drop against a stored run.

use crate::compare::{self, CompareError, CompareRequest, ComparisonResult, Test};
use crate::metrics::did_you_mean;
use examiner_store::summary::{RowStatus, SummaryRow, WHOLE};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The rules, all of which must hold.
    pub rules: Vec<Rule>,
}

/// What must hold of a metric.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["at_least"] }, { "required": ["at_most"] }, { "required": ["against"] }]))]
pub struct Rule {
    /// The model.
    pub model: String,
    /// The dataset.
    pub dataset: String,
    /// The metric; without it, the dataset's first.
    pub metric: Option<String>,
    /// The part of the dataset; without it, the whole.
    pub subset: Option<String>,
    /// The least value.
    pub at_least: Option<f64>,
    /// The greatest value.
    pub at_most: Option<f64>,
    /// The directory of a run whose values the metric is not to fall below.
    pub against: Option<PathBuf>,
    /// By how much it may fall below them.
    #[serde(default)]
    pub drop_at_most: f64,
    /// How a drop is told from chance.
    #[serde(default)]
    pub by: By,
}

impl Rule {
    /// Whether it has no condition.
    pub fn is_empty(&self) -> bool {
        self.at_least.is_none() && self.at_most.is_none() && self.against.is_none()
    }
}

/// How a drop is told from chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The 95 % interval of the paired difference must rule out a larger drop.
    #[default]
    Interval,
    /// A larger drop fails if the paired test finds it significant (p below 0.05).
    Test,
    /// The values alone.
    Value,
}

/// The JSON Schema of a [`Rule`].
pub fn rule_schema() -> serde_json::Value {
    schemars::schema_for!(Rule).to_value()
}

/// Why rules could not be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A rule is about what the run does not have.
    #[error("rule {number}: the run has no {what} `{name}`; {help}")]
    Unknown {
        /// Which rule, from 1.
        number: usize,
        /// What was named.
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        help: String,
    },
    /// A rule says nothing.
    #[error("rule {0} has none of `at_least`, `at_most` and `against`")]
    Empty(usize),
    /// The stored run cannot be compared with.
    #[error("rule {number}: {error}")]
    Compare {
        /// Which rule, from 1.
        number: usize,
        /// Why.
        error: CompareError,
    },
    /// The stored run cannot be read.
    #[error("rule {number}: cannot read `{path}`: {reason}")]
    Stored {
        /// Which rule, from 1.
        number: usize,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// What became of one condition of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Whether it holds.
    pub holds: bool,
    /// What was found and what is wanted.
    pub what: String,
}

/// Holds the results of the run in `directory`, whose `summary.csv` has these rows, against rules.
///
/// Samples without an answer count at the bound of the metric that is worse for the rule: a run cannot pass by failing.
///
/// # Errors
/// A rule that cannot be judged: it names what is not there.
pub fn judge(directory: &Path, rows: &[SummaryRow], policy: &Policy) -> Result<Vec<Judged>, GateError> {
    let mut judged = Vec::new();
    for (number, rule) in (1..).zip(&policy.rules) {
        let row = find(rows, rule, number)?;
        let name = format!("{} on {}, {}", rule.model, shown(rule), row.metric);
        if rule.is_empty() {
            return Err(GateError::Empty(number));
        }
        if let Some(least) = rule.at_least {
            judged.push(bound(&name, row, row.value_low, "at least", least, |value| value >= least));
        }
        if let Some(most) = rule.at_most {
            judged.push(bound(&name, row, row.value_high, "at most", most, |value| value <= most));
        }
        if let Some(stored) = &rule.against {
            judged.push(fall(directory, rows, stored, rule, row, (&name, number))?);
        }
    }
    Ok(judged)
}

fn shown(rule: &Rule) -> String {
    match &rule.subset {
        Some(subset) => format!("{}-{subset}", rule.dataset),
        None => rule.dataset.clone(),
    }
}

fn find<'r>(rows: &'r [SummaryRow], rule: &Rule, number: usize) -> Result<&'r SummaryRow, GateError> {
    let subset = rule.subset.as_deref().unwrap_or(WHOLE);
    let mut left: Vec<&SummaryRow> = rows.iter().collect();
    type Field = fn(&SummaryRow) -> &String;
    let fields: [(&'static str, Field, Option<&str>); 4] = [
        ("model", |row| &row.model, Some(&rule.model)),
        ("dataset", |row| &row.dataset, Some(&rule.dataset)),
        ("subset", |row| &row.subset, Some(subset)),
        ("metric", |row| &row.metric, rule.metric.as_deref()),
    ];
    for (what, field, wanted) in fields {
        let Some(wanted) = wanted else { continue };
        let mut names: Vec<&str> = Vec::new();
        for row in &left {
            // A pair that failed as a whole has neither subsets nor metrics: the rule is about it all the same.
            if row.metric.is_empty() && matches!(what, "subset" | "metric") {
                return Ok(row);
            }
            if !names.contains(&field(row).as_str()) {
                names.push(field(row));
            }
        }
        left.retain(|row| field(row) == wanted);
        if left.is_empty() {
            let help = did_you_mean(wanted, &names);
            return Err(GateError::Unknown { number, what, name: wanted.to_owned(), help });
        }
    }
    Ok(left[0])
}

/// The value with missing samples at their bound, against a limit.
fn bound(
    name: &str,
    row: &SummaryRow,
    with_missing: Option<f64>,
    word: &str,
    limit: f64,
    holds: impl Fn(f64) -> bool,
) -> Judged {
    let value = match row.status {
        RowStatus::Ok => with_missing.or(row.value),
        _ => with_missing,
    };
    match value {
        Some(value) => {
            let missing = match row.n_error {
                0 => String::new(),
                errors => format!(", {errors} of {} samples without an answer counted at their bound", row.n),
            };
            Judged { holds: holds(value), what: format!("{name}: {value:.4}, {word} {limit}{missing}") }
        }
        None => Judged { holds: false, what: format!("{name}: no value ({}), {word} {limit}", row.message) },
    }
}

/// The metric's paired difference to the stored run.
fn fall(
    directory: &Path,
    rows: &[SummaryRow],
    stored: &Path,
    rule: &Rule,
    row: &SummaryRow,
    (name, number): (&str, usize),
) -> Result<Judged, GateError> {
    if row.metric.is_empty() {
        // It failed as a whole: there is nothing to compare.
        return Ok(Judged { holds: false, what: format!("{name}: no value ({})", row.message) });
    }
    let path = stored.join("summary.csv");
    let stored_rows = examiner_store::summary::read(&path).map_err(|error| GateError::Stored {
        number,
        path: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let of_rule = |row: &&SummaryRow| row.model == rule.model && row.dataset == rule.dataset;
    let before: Vec<SummaryRow> = stored_rows.iter().filter(of_rule).cloned().collect();
    let after: Vec<SummaryRow> = rows.iter().filter(of_rule).cloned().collect();
    let metrics = vec![row.metric.clone()];
    let request = CompareRequest { baseline: None, metrics, subsets: rule.subset.is_some() };
    let comparison = compare::compare(&[(stored, &before), (directory, &after)], &request)
        .map_err(|error| GateError::Compare { number, error })?;
    let subset = rule.subset.as_deref().unwrap_or(WHOLE);
    let line = comparison.lines.iter().find(|line| line.subset == subset && line.metric.scorer == row.scorer);
    let allowed = rule.drop_at_most;
    Ok(match line.map(|line| &line.result) {
        Some(ComparisonResult::Tested(test)) => {
            let (errors, gone) = (test.mismatches.errors, test.mismatches.only_baseline);
            let stored_row = before.iter().find(|stored| {
                (&stored.subset, &stored.scorer, &stored.metric) == (&row.subset, &row.scorer, &row.metric)
            });
            // Samples without an answer count at their bounds: the worst now, the best in the stored run.
            let worst = stored_row.and_then(|stored| Some(lowest(row)? - highest(stored)?));
            // What is not asked any more is no sample at all, and nothing is known of it.
            let holds = gone == 0
                && match errors {
                    0 => within(test, rule.by, allowed),
                    _ => worst.is_some_and(|worst| at_worst(test, rule.by, worst, allowed)),
                };
            let interval = test.interval.map(|(low, high)| format!(" [{low:+.4}, {high:+.4}]")).unwrap_or_default();
            let said = match (errors, gone, worst) {
                (0, 0, _) => String::new(),
                (_, 0, Some(worst)) => {
                    format!(", {errors} samples without an answer on one side counted at their bounds: {worst:+.4}")
                }
                _ => format!(", {} of {} samples have no value on one side", errors + gone, test.n + errors + gone),
            };
            let (difference, p) = (test.difference, test.p_value);
            let what = format!(
                "{name}: {difference:+.4}{interval} against `{}`, p {p:.4}, a drop of at most {allowed}{said}",
                stored.display()
            );
            Judged { holds, what }
        }
        Some(
            ComparisonResult::NotRun(reason) | ComparisonResult::Failed(reason) | ComparisonResult::Refused(reason),
        ) => Judged { holds: false, what: format!("{name}: not compared with `{}`: {reason}", stored.display()) },
        None => Judged { holds: false, what: format!("{name}: `{}` has no such value", stored.display()) },
    })
}

/// The value with missing samples at the bound that is worse.
fn lowest(row: &SummaryRow) -> Option<f64> {
    if row.n_error == 0 { row.value } else { row.value_low }
}

fn highest(row: &SummaryRow) -> Option<f64> {
    if row.n_error == 0 { row.value } else { row.value_high }
}

/// Whether a difference holds that is `worst` with missing samples at their bounds. A test of those that are there would say nothing of
/// the others.
fn at_worst(test: &Test, by: By, worst: f64, allowed: f64) -> bool {
    match by {
        By::Value | By::Test => -worst <= allowed,
        By::Interval => test.interval.is_some_and(|(low, _)| -(low + worst - test.difference) <= allowed),
    }
}

fn within(test: &Test, by: By, allowed: f64) -> bool {
    let drop = -test.difference;
    match by {
        By::Value => drop <= allowed,
        By::Test => drop <= allowed || test.p_value >= 0.05,
        // Without an interval there are too few values to rule anything out, unless none of them has changed.
        By::Interval => test.interval.map_or(test.ties == test.n, |(low, _)| -low <= allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{Gold, Verdict};
    use examiner_store::record::{Record, ScorerVerdict};

    fn record(index: usize, value: f64) -> Record {
        let verdict = Verdict { metrics: [("accuracy".to_owned(), value)].into(), ..Verdict::default() };
        Record {
            rendered: Vec::new(),
            index: index as u64,
            id: index.to_string(),
            repeat: 0,
            key: String::new(),
            subset: None,
            cluster: None,
            context: "q".to_owned(),
            choices: Vec::new(),
            gold: Gold::text("a"),
            answers: Vec::new(),
            failed: Default::default(),
            verdicts: vec![ScorerVerdict { scorer: "exact".to_owned(), verdict }],
            tokens_in: 0,
            tokens_out: 0,
            reasoning_tokens: 0,
        }
    }

    /// A run of 100 samples of which the first `right` are right.
    fn run(right: usize) -> (tempfile::TempDir, Vec<SummaryRow>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("samples/m")).unwrap();
        let lines = (0..100).map(|index| record(index, f64::from(index < right)));
        let lines: String = lines.map(|record| serde_json::to_string(&record).unwrap() + "\n").collect();
        std::fs::write(folder.path().join("samples/m/d.jsonl"), lines).unwrap();
        let value = Some(right as f64 / 100.0);
        let named = |text: &str| text.to_owned();
        let row = SummaryRow {
            model: named("m"),
            dataset: named("d"),
            subset: named(WHOLE),
            scorer: named("exact"),
            metric: named("accuracy"),
            value,
            n: 100,
            n_scored: 100,
            ..SummaryRow::default()
        };
        examiner_store::summary::write(&folder.path().join("summary.csv"), std::slice::from_ref(&row)).unwrap();
        (folder, vec![row])
    }

    fn rule(more: serde_json::Value) -> Policy {
        let mut rule = serde_json::json!({ "model": "m", "dataset": "d" });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(serde_json::json!({ "rules": [rule] })).unwrap()
    }

    #[test]
    fn values_are_held_against_limits_with_missing_samples_at_their_bound() {
        let (folder, mut rows) = run(80);
        let holds = |rows: &[SummaryRow], more| judge(folder.path(), rows, &rule(more)).unwrap()[0].holds;
        assert!(holds(&rows, serde_json::json!({ "at_least": 0.8 })));
        assert!(!holds(&rows, serde_json::json!({ "at_least": 0.81 })));
        assert!(!holds(&rows, serde_json::json!({ "at_most": 0.79 })));
        rows[0].status = RowStatus::Partial;
        (rows[0].n_error, rows[0].value_low, rows[0].value_high) = (10, Some(0.72), Some(0.82));
        assert!(!holds(&rows, serde_json::json!({ "at_least": 0.8 })));
        assert!(!holds(&rows, serde_json::json!({ "at_most": 0.81 })));
        rows[0].forget_range();
        assert!(!holds(&rows, serde_json::json!({ "at_least": 0.1 })), "what is not known does not pass");
    }

    #[test]
    fn samples_without_an_answer_count_at_their_bounds_against_a_stored_run() {
        let (stored, _) = run(80);
        let (after, mut rows) = run(80);
        // The first ten, which are right in the stored run, have no verdict now.
        let path = after.path().join("samples/m/d.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let failed = |(index, line): (usize, &str)| {
            let mut record: Record = serde_json::from_str(line).unwrap();
            if index < 10 {
                let error = examiner_api::PluginError::bad_input("too hard");
                let outcome = examiner_api::Outcome::Error(error);
                record.verdicts[0].verdict = Verdict { outcome, ..Verdict::default() };
            }
            serde_json::to_string(&record).unwrap() + "\n"
        };
        std::fs::write(&path, text.lines().enumerate().map(failed).collect::<String>()).unwrap();
        let row = &mut rows[0];
        (row.status, row.n_scored, row.n_error) = (RowStatus::Partial, 90, 10);
        (row.value, row.value_low, row.value_high) = (Some(7.0 / 9.0), Some(0.7), Some(0.8));
        let judged = |by: &str, allowed: f64| {
            let more = serde_json::json!({ "against": stored.path(), "by": by, "drop_at_most": allowed });
            judge(after.path(), &rows, &rule(more)).unwrap().remove(0)
        };
        for by in ["value", "test"] {
            let broken = judged(by, 0.09);
            assert!(!broken.holds && broken.what.contains("counted at their bounds: -0.1000"), "{}", broken.what);
            assert!(judged(by, 0.11).holds, "{by}");
        }
        assert!(!judged("interval", 0.09).holds);
    }

    #[test]
    fn a_drop_is_told_from_chance_in_three_ways() {
        let (stored, _) = run(80);
        let (folder, rows) = run(77);
        let holds = |by: &str, drop: f64| {
            let more = serde_json::json!({ "against": stored.path(), "by": by, "drop_at_most": drop });
            judge(folder.path(), &rows, &rule(more)).unwrap()[0].holds
        };
        // Three of 100 fell: p is 0.25, and the interval goes down to some -0.063.
        assert_eq!((holds("value", 0.0), holds("value", 0.03 + 1e-9)), (false, true));
        assert!(holds("test", 0.0));
        assert_eq!((holds("interval", 0.0), holds("interval", 0.04), holds("interval", 0.1)), (false, false, true));
        let (folder, rows) = run(60);
        let more = serde_json::json!({ "against": stored.path(), "by": "test" });
        assert!(!judge(folder.path(), &rows, &rule(more)).unwrap()[0].holds);
    }

    #[test]
    fn what_failed_as_a_whole_breaks_a_rule() {
        let (stored, _) = run(80);
        let rows = [SummaryRow::failed("s", "r", "m", "d", "no model")];
        for rule in
            [rule(serde_json::json!({ "against": stored.path() })), rule(serde_json::json!({ "at_least": 0.0 }))]
        {
            let judged = judge(stored.path(), &rows, &rule).unwrap();
            assert!(!judged[0].holds && judged[0].what.contains("no model"), "{judged:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_with_its_name() {
        let (folder, rows) = run(80);
        let error = |policy: Policy| judge(folder.path(), &rows, &policy).unwrap_err().to_string();
        let unknown = error(rule(serde_json::json!({ "metric": "acuracy", "at_least": 0.5 })));
        assert_eq!(unknown, "rule 1: the run has no metric `acuracy`; did you mean `accuracy`? there is `accuracy`");
        assert!(error(rule(serde_json::json!({}))).contains("has none of"));
        assert!(
            error(rule(serde_json::json!({ "against": "/nowhere" }))).contains("cannot read `/nowhere/summary.csv`")
        );
    }
}
