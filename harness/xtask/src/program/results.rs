//! The files of a run, read as any user could read them.

use super::files::{csv_rows, json_lines};
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The directory of a run.
pub(crate) struct Results {
    directory: PathBuf,
}

/// A line of `samples/<model>/<dataset>.jsonl`, as far as comparisons look at it.
#[derive(Debug, Deserialize)]
pub(crate) struct SampleLine {
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) context: String,
    /// What the model read in its place.
    #[serde(default)]
    pub(crate) rendered: Vec<String>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// What the model answered to one request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Score(Score),
    Generate(Generated),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Score {
    /// In nats.
    pub(crate) sum: f64,
    pub(crate) is_greedy: bool,
    pub(crate) tokens: Vec<u32>,
    pub(crate) scored_tokens: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Generated {
    pub(crate) text: String,
    pub(crate) tokens: Vec<u32>,
}

/// The judgement of one scorer.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) scorer: String,
    /// `"scored"`, `"unanswered"`, or `{"error": {...}}`.
    pub(crate) outcome: Value,
    pub(crate) metrics: std::collections::BTreeMap<String, f64>,
    pub(crate) extracted: Option<String>,
    #[serde(default)]
    pub(crate) details: Value,
}

/// A row of `summary.csv`, as far as comparisons look at it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SummaryRow {
    model: String,
    dataset: String,
    subset: String,
    scorer: String,
    metric: String,
    value: Option<f64>,
    pub(crate) status: String,
    /// How long the whole dataset took.
    seconds: Option<f64>,
}

impl Results {
    /// The results of a run in this directory.
    pub(crate) fn at(directory: PathBuf) -> Self {
        Results { directory }
    }

    /// The path of a file of the run.
    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.directory.join(part)
    }

    /// The samples of a model on a dataset, in the dataset's order.
    pub(crate) fn samples(&self, model: &str, dataset: &str) -> Result<Vec<SampleLine>> {
        json_lines(&self.directory.join("samples").join(model).join(format!("{dataset}.jsonl")))
    }

    /// The directory of the run.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The rows of `summary.csv`.
    pub(crate) fn summary_rows(&self) -> Result<Vec<SummaryRow>> {
        csv_rows(&self.directory.join("summary.csv"))
    }

    /// A value of `summary.csv`, of a whole dataset.
    pub(crate) fn summary(&self, model: &str, dataset: &str, scorer: &str, metric: &str) -> Result<f64> {
        self.summary_of(model, dataset, "all", scorer, metric)
    }

    /// A value of `summary.csv`, of a part of a dataset.
    pub(crate) fn summary_of(
        &self,
        model: &str,
        dataset: &str,
        subset: &str,
        scorer: &str,
        metric: &str,
    ) -> Result<f64> {
        let wanted = [model, dataset, subset, scorer, metric];
        let rows = self.summary_rows()?;
        let row = rows.iter().find(|row| [&row.model, &row.dataset, &row.subset, &row.scorer, &row.metric] == wanted);
        let value = row.and_then(|row| row.value);
        value.ok_or_else(|| self.missing(&format!("value of {}", wanted.join(", "))))
    }

    /// How long a dataset took, in seconds, by `summary.csv`.
    pub(crate) fn seconds(&self, dataset: &str) -> Result<f64> {
        let rows = self.summary_rows()?;
        let seconds = rows.iter().filter(|row| row.dataset == dataset).find_map(|row| row.seconds);
        seconds.ok_or_else(|| self.missing(&format!("seconds of `{dataset}`")))
    }

    fn missing(&self, what: &str) -> anyhow::Error {
        anyhow!("`{}` has no {what}", self.directory.join("summary.csv").display())
    }
}

impl SampleLine {
    /// The log-likelihood of the first request.
    pub(crate) fn score(&self) -> Result<&Score> {
        match self.answers.first() {
            Some(Answer::Score(score)) => Ok(score),
            _ => bail!("sample {} has no log-likelihood", self.index),
        }
    }

    /// The generated answer to the first request.
    pub(crate) fn generated(&self) -> Result<&Generated> {
        match self.answers.first() {
            Some(Answer::Generate(generated)) => Ok(generated),
            _ => bail!("sample {} has no generated answer", self.index),
        }
    }

    /// The verdict of the scorer with this label.
    pub(crate) fn verdict(&self, scorer: &str) -> Result<&Verdict> {
        let verdict = self.verdicts.iter().find(|verdict| verdict.scorer == scorer);
        verdict.ok_or_else(|| anyhow!("sample {} has no verdict of `{scorer}`", self.index))
    }
}

impl Verdict {
    /// A metric of the sample.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        self.metrics.get(name).copied().ok_or_else(|| anyhow!("`{}` gave no `{name}`", self.scorer))
    }

    /// The value of each choice under one normalization, and the chosen one.
    pub(crate) fn choices(&self, normalization: &str, quantity: &str) -> Result<(Vec<f64>, usize)> {
        #[derive(Deserialize)]
        struct Chosen {
            chosen: usize,
        }
        let details = &self.details[normalization];
        let values = serde_json::from_value(details[quantity].clone());
        let chosen = Chosen::deserialize(details);
        let context = || format!("`{}` gave no `{quantity}` for `{normalization}`", self.scorer);
        Ok((values.with_context(context)?, chosen.with_context(context)?.chosen))
    }
}
