//! `summary.csv`: one row per model x dataset x subset x metric.

use crate::atomic;
use crate::visible::visible;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The subset of rows about a whole dataset.
pub const WHOLE: &str = "all";
/// The subset of rows with the mean over all subsets.
pub const MACRO: &str = "macro";

/// Whether the value of a row can be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowStatus {
    /// Every sample was judged.
    #[default]
    Ok,
    /// Some samples are errors; the value is that of the other samples.
    Partial,
    /// There is no value, or no reliable one.
    Failed,
}

/// A row of `summary.csv`; the fields are its columns, in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SummaryRow {
    /// The suite's name.
    pub suite: String,
    /// The run's name.
    pub run: String,
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// The subset of the dataset, [`WHOLE`] for all of it, [`MACRO`] for the mean over its subsets; empty if the model or the
    /// dataset failed as a whole.
    pub subset: String,
    /// The scorer's label; empty as above.
    pub scorer: String,
    /// The metric's name; empty as above.
    pub metric: String,
    /// The metric over scored and unanswered samples.
    pub value: Option<f64>,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
    /// Samples, repetitions and errors included.
    pub n: u64,
    /// Samples whose answer was judged.
    pub n_scored: u64,
    /// Samples in whose answer the scorer found nothing: they count as wrong.
    pub n_unanswered: u64,
    /// Samples without an answer: they do not count.
    pub n_error: u64,
    /// Samples of whose prompt or context the model read only the end, because it does not fit into the model's context. They
    /// count.
    #[serde(default)]
    pub n_truncated: u64,
    /// The value if all errors had the lowest possible value; none if the metric has no bounds or is not a mean, or if not all
    /// questions were asked.
    pub value_low: Option<f64>,
    /// The value if all errors had the highest possible value.
    pub value_high: Option<f64>,
    /// Whether the value can be relied upon.
    pub status: RowStatus,
    /// Why it is not `ok`.
    pub message: String,
    /// Tokens that the model read.
    pub tokens_in: u64,
    /// Tokens that the model wrote.
    pub tokens_out: u64,
    /// Seconds that the whole dataset took; only with [`WHOLE`].
    pub seconds: Option<f64>,
    /// The dataset's version of the prompt, for OpenCompass's layout. Not in the file.
    #[serde(skip)]
    pub version: String,
}

impl SummaryRow {
    /// The row of a model x dataset that failed as a whole.
    pub fn failed(suite: &str, run: &str, model: &str, dataset: &str, message: &str) -> Self {
        let mut row = Self::pending(suite, run, model, dataset);
        row.fail(message);
        row
    }

    /// The row of a model x dataset that has not been started.
    pub fn pending(suite: &str, run: &str, model: &str, dataset: &str) -> Self {
        SummaryRow {
            suite: suite.to_owned(),
            run: run.to_owned(),
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            status: RowStatus::Partial,
            message: "not asked yet".to_owned(),
            ..SummaryRow::default()
        }
    }

    /// Records that not all questions have been asked yet. How they could change the value is not known.
    pub fn unfinished(&mut self, message: &str) {
        if self.status != RowStatus::Failed {
            self.status = RowStatus::Partial;
            self.message = one_line(message);
        }
        self.forget_range();
    }

    /// Removes the range of possible values, which would be too narrow if `n` does not count all questions.
    pub fn forget_range(&mut self) {
        (self.value_low, self.value_high) = (None, None);
    }

    /// Records that the stage of the row failed. The numbers stay, together with the message.
    pub fn fail(&mut self, message: &str) {
        self.status = RowStatus::Failed;
        self.message = one_line(message);
    }
}

/// Writes the file as a whole or not at all, unless it has the same content already. Floats are written so that they are read
/// back exactly.
///
/// # Errors
/// Writing, syncing or renaming fails.
pub fn write(path: &Path, rows: &[SummaryRow]) -> io::Result<()> {
    atomic::update(path, |file| {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        // Written explicitly, so that a file without rows has a header, too.
        writer.write_record(COLUMNS)?;
        for row in rows {
            writer.serialize(row)?;
        }
        writer.flush()
    })
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// The file cannot be read, lacks a column, or holds a value of another type; the error names the line.
pub fn read(path: &Path) -> Result<Vec<SummaryRow>, csv::Error> {
    csv::Reader::from_path(path)?.deserialize().collect()
}

/// The columns, in their order.
pub const COLUMNS: [&str; 23] = [
    "suite",
    "run",
    "model",
    "dataset",
    "subset",
    "scorer",
    "metric",
    "value",
    "stderr",
    "ci_low",
    "ci_high",
    "n",
    "n_scored",
    "n_unanswered",
    "n_error",
    "n_truncated",
    "value_low",
    "value_high",
    "status",
    "message",
    "tokens_in",
    "tokens_out",
    "seconds",
];

/// A message without line breaks, so that a row is a line for every tool, and without characters that a terminal obeys.
pub fn one_line(message: &str) -> String {
    visible(&message.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> SummaryRow {
        SummaryRow {
            suite: "s".to_owned(),
            run: "s-1".to_owned(),
            model: "m, the \"big\" one".to_owned(),
            dataset: "d".to_owned(),
            subset: WHOLE.to_owned(),
            scorer: "answer-extraction".to_owned(),
            metric: "accuracy".to_owned(),
            value: Some(0.1 + 0.2),
            stderr: Some(1e-17),
            ci_low: Some(-0.0),
            ci_high: Some(1.0),
            n: 3,
            n_scored: 3,
            tokens_in: 7,
            seconds: Some(0.25),
            ..SummaryRow::default()
        }
    }

    #[test]
    fn rows_survive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.csv");
        let rows = [row(), SummaryRow::failed("s", "s-1", "m", "d", "the worker died\nof signal 11")];
        write(&path, &rows).unwrap();
        assert_eq!(read(&path).unwrap(), rows);
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        suite,run,model,dataset,subset,scorer,metric,value,stderr,ci_low,ci_high,n,n_scored,n_unanswered,n_error,n_truncated,value_low,value_high,status,message,tokens_in,tokens_out,seconds
        s,s-1,"m, the ""big"" one",d,all,answer-extraction,accuracy,0.30000000000000004,1e-17,-0.0,1.0,3,3,0,0,0,,,ok,,7,0,0.25
        s,s-1,m,d,,,,,,,,0,0,0,0,0,,,failed,the worker died of signal 11,0,0,
        "#);
        write(&path, &[]).unwrap();
        assert_eq!(read(&path).unwrap(), []);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), COLUMNS.join(","));
    }

    #[test]
    fn a_damaged_file_is_reported_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.csv");
        write(&path, &[row()]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace(",ok,", ",fine,");
        std::fs::write(&path, text).unwrap();
        insta::assert_snapshot!(read(&path).unwrap_err(), @r#"CSV deserialize error: record 1 (line: 2, byte: 182): unknown variant `fine`, expected one of `ok`, `partial`, `failed`"#);
    }
}
