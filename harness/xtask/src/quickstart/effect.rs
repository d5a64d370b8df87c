//! How much better the quickstart's student is for the teacher's reasoning, from the program's `comparison.csv`.

use crate::program::files::csv_rows;
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// The effect is there if chance would show it less often than this.
const SIGNIFICANT: f64 = 0.05;

/// The student against the vanilla on one dataset: a row of `comparison.csv`.
#[derive(Debug, Deserialize)]
pub(crate) struct Effect {
    dataset: String,
    subset: String,
    model: String,
    n: Option<u64>,
    baseline_value: Option<f64>,
    value: Option<f64>,
    p_value: Option<f64>,
}

impl Effect {
    /// The effect on every dataset of a run.
    pub(crate) fn read(run: &Path) -> Result<Vec<Self>> {
        let path = run.join("comparison.csv");
        let rows: Vec<Effect> = csv_rows(&path)?;
        let student: Vec<Effect> =
            rows.into_iter().filter(|row| row.model == "student" && row.subset == "all").collect();
        ensure!(!student.is_empty(), "`{}` has no row of the student on a whole dataset", path.display());
        Ok(student)
    }

    /// Whether the student is better, and not by chance.
    pub(crate) fn is_there(&self) -> bool {
        let better = self.value > self.baseline_value;
        better && self.p_value.is_some_and(|p| p < SIGNIFICANT)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let p = self.p_value.map_or("-".to_owned(), |p| format!("{p:.2e}"));
        let result = if self.is_there() { "ok" } else { "FALLS SHORT" };
        write!(
            formatter,
            "{}: student {} against vanilla {} on {} questions, paired p = {p}: {result}",
            self.dataset,
            number(self.value),
            number(self.baseline_value),
            self.n.unwrap_or(0)
        )
    }
}
