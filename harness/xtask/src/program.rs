//! The `examiner` program, as a user meets it: suites in, files out.

use crate::ProgramArguments;
use crate::process::{cargo, run, said, target, write};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that the arguments name, or else one that is built now.
pub(crate) fn find(arguments: &ProgramArguments) -> Result<PathBuf> {
    match &arguments.program {
        Some(path) => path.canonicalize().with_context(|| format!("there is no program `{}`", path.display())),
        None => build(),
    }
}

/// Builds the program and its plugins. The whole workspace, as the tests do: another selection of packages would compile
/// dependencies anew with other features.
pub(crate) fn build() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--workspace"]))?;
    let path = target().join("release").join(format!("examiner{}", std::env::consts::EXE_SUFFIX));
    ensure!(path.is_file(), "expected the program at `{}` after building it, found nothing", path.display());
    Ok(path)
}

/// A run of a suite.
pub(crate) struct Results {
    directory: PathBuf,
}

/// A line of `samples/<model>/<dataset>.jsonl`, as far as comparisons look at it.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) context: String,
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

/// What a scorer made of it.
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

/// A run, however it ended.
pub(crate) struct Ran {
    pub(crate) results: Results,
    /// The exit status; none if the program was killed.
    pub(crate) status: Option<i32>,
    /// What it said on stderr.
    pub(crate) stderr: String,
}

/// Runs a suite in a new directory under `work`. Samples without an answer are a failure.
pub(crate) fn examine(program: &Path, work: &Path, suite: &Value) -> Result<Results> {
    let ran = run_suite(program, work, suite, &[])?;
    match ran.status {
        Some(0) => Ok(ran.results),
        status => bail!("the suite `{}` ended with {status:?}:\n{}", suite["name"], ran.stderr.trim_end()),
    }
}

/// Runs a suite in a new directory under `work`, with these variables in its environment.
pub(crate) fn run_suite(program: &Path, work: &Path, suite: &Value, environment: &[(&str, &str)]) -> Result<Ran> {
    let name = suite["name"].as_str().ok_or_else(|| anyhow!("the suite has no name"))?;
    let path = work.join(format!("{name}.yaml"));
    write(&path, serde_yaml::to_string(suite)?)?;
    let directory = work.join(name);
    let mut command = Command::new(program);
    command.arg("run").arg(&path).arg("--out").arg(&directory).stdout(Stdio::null()).current_dir(work);
    command.envs(environment.iter().copied()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("cannot start `{}`", said(&command)))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Ran { results: Results { directory }, status: output.status.code(), stderr })
}

impl Results {
    /// The results of a run that lies here.
    pub(crate) fn at(directory: PathBuf) -> Self {
        Results { directory }
    }

    /// Where something of the run lies.
    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.directory.join(part)
    }

    /// The samples of a pair, in the order of the dataset.
    pub(crate) fn samples(&self, model: &str, dataset: &str) -> Result<Vec<Line>> {
        json_lines(&self.directory.join("samples").join(model).join(format!("{dataset}.jsonl")))
    }

    /// Where the run lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// `summary.csv` as it is.
    pub(crate) fn summary_text(&self) -> Result<String> {
        let path = self.directory.join("summary.csv");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
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
        let path = self.directory.join("summary.csv");
        let text = self.summary_text()?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| {
            let place = header.iter().position(|column| *column == name);
            place.ok_or_else(|| anyhow!("`{}` has no column `{name}`", path.display()))
        };
        let wanted = [(column("model")?, model), (column("dataset")?, dataset), (column("subset")?, subset)];
        let wanted = wanted.into_iter().chain([(column("scorer")?, scorer), (column("metric")?, metric)]);
        let wanted: Vec<(usize, &str)> = wanted.collect();
        let value = column("value")?;
        // A row of a complete pair has no message, hence no quotes and no commas but those between its columns.
        let row = lines
            .map(|line| line.split(',').collect::<Vec<_>>())
            .find(|row| wanted.iter().all(|(place, text)| row.get(*place) == Some(text)))
            .ok_or_else(|| {
                anyhow!("`{}` has no row {model}, {dataset}, {subset}, {scorer}, {metric}", path.display())
            })?;
        row.get(value).unwrap_or(&"").parse().with_context(|| format!("the value of {metric} in `{}`", path.display()))
    }
}

impl Line {
    /// The log-likelihood that was asked for first.
    pub(crate) fn score(&self) -> Result<&Score> {
        match self.answers.first() {
            Some(Answer::Score(score)) => Ok(score),
            _ => bail!("sample {} has no log-likelihood", self.index),
        }
    }

    /// The answer that was generated.
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

    /// The value of each choice under one normalization, and the choice that won.
    pub(crate) fn choices(&self, normalization: &str, quantity: &str) -> Result<(Vec<f64>, usize)> {
        #[derive(Deserialize)]
        struct Chosen {
            chosen: usize,
        }
        let details = &self.details[normalization];
        let values = serde_json::from_value(details[quantity].clone());
        let chosen = Chosen::deserialize(details);
        let (values, chosen) = (values, chosen);
        let context = || format!("`{}` gave no `{quantity}` for `{normalization}`", self.scorer);
        Ok((values.with_context(context)?, chosen.with_context(context)?.chosen))
    }
}

/// The rows of a file, typed.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let row = |(place, line)| {
        serde_json::from_str(line).with_context(|| format!("line {} of `{}`", place + 1, path.display()))
    };
    text.lines().enumerate().map(row).collect()
}
