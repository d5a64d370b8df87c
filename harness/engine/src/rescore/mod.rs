//! Judges the answers of a run once more, by other scorers or other rules, without its models.
//!
//! The run is only read. The new results lie in a directory `scores/<name>` of it that looks like a run's, so that
//! whatever reads a run (tables, comparisons, pictures) reads it too.

mod answers;
mod directory;
mod judging;
mod pair;

pub use directory::provenance_of;

use crate::graph::{Pair, pairs, selected};
use crate::host::Shared;
use crate::loader::Plugins;
use crate::progress::Progress;
use crate::roles::Roles;
use crate::run::{suite_directory, suite_identity};
use directory::{SCORES, make_directory, write};
use examiner_api::{PluginError, Result};
use examiner_hub::Hub;
use examiner_store::aggregate::{PublishRequest, Reporter};
use examiner_store::provenance::{Provenance, Request, StageRecord, Status, host};
use examiner_store::summary::{self, SummaryRow};
use examiner_suite::{Loaded, StageKind};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What is to be judged, and by what.
pub struct Rescore {
    /// The run's directory.
    pub run: PathBuf,
    /// The run's own suite, and the plugins for it.
    pub before: (Loaded, Plugins),
    /// The suite whose scorers judge now, and the plugins for it.
    pub now: (Loaded, Plugins),
    /// What was typed.
    pub typed: Typed,
    /// All changes made to the suite's text.
    pub set: Vec<String>,
    /// This program, for the processes that roles run in; none to run all in this one.
    pub program: Option<PathBuf>,
    /// Set when the user wants to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Where progress is shown.
    pub progress: Progress,
    /// Computes results from records.
    pub reporter: Arc<dyn Reporter>,
}

/// What was typed, as `score.json` keeps it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Typed {
    /// The name of the new scores; the time, unless given.
    pub name: Option<String>,
    /// A suite instead of the run's.
    pub suite: Option<PathBuf>,
    /// Changes to it.
    pub set: Vec<String>,
    /// Scorers instead of the suite's, as YAML.
    pub scorer: Vec<String>,
    /// Only stages that one of these selects.
    pub only: Vec<String>,
}

/// How it ended.
pub struct Rescored {
    /// The directory of the new scores.
    pub directory: PathBuf,
    /// The rows of the new `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// The rows of the run's.
    pub before: Vec<SummaryRow>,
    /// The models against the baseline that the suite's `report` names.
    pub comparison: Option<String>,
    /// One line for each failure.
    pub failures: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Judges what the run's models answered by the scorers of another suite.
pub fn rescore(job: Rescore) -> Result<Rescored> {
    let mut scoring = Scoring::begin(job)?;
    scoring.judge()?;
    scoring.end()
}

struct Scoring {
    directory: PathBuf,
    run: PathBuf,
    of: Provenance,
    provenance: Provenance,
    /// The roles of the run's own suite.
    before: Arc<Shared>,
    now: Arc<Shared>,
    pairs: Vec<Pair>,
    rows: Vec<Vec<SummaryRow>>,
    failures: Vec<String>,
    began: Instant,
}

impl Scoring {
    fn begin(job: Rescore) -> Result<Self> {
        let of = provenance_of(&job.run)?;
        let (before, (loaded, plugins)) = (job.before, job.now);
        let chosen = |pair: &Pair| {
            let stage = pair.stage();
            selected(&of.request.only, &stage) && selected(&job.typed.only, &stage)
        };
        let pairs: Vec<Pair> = pairs(&loaded.suite).into_iter().filter(chosen).collect();
        if pairs.is_empty() {
            let message = "no examination is left to judge: `--only` names none that the run and the suite have";
            return Err(PluginError::bad_input(message).with_help("`examiner report` shows what was examined"));
        }
        let directory = make_directory(&job.run, job.typed.name.as_deref())?;
        write(&directory.join("suite.yaml"), &loaded.text)?;
        let typed = serde_json::to_string_pretty(&job.typed)
            .map_err(|error| PluginError::bad_input("cannot write `score.json`").with_cause(&error))?;
        write(&directory.join("score.json"), &(typed + "\n"))?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut provenance = Provenance {
            suite: loaded.suite.name.clone(),
            run: format!("{}/{SCORES}/{name}", of.run),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            api: examiner_api::API_VERSION.to_owned(),
            host: host(),
            request: Request {
                suite: suite_identity(&loaded),
                set: job.set,
                only: job.typed.only,
                ..of.request.clone()
            },
            suite_directory: suite_directory(&loaded.suite.paths),
            seed: loaded.suite.seed,
            started: jiff::Timestamp::now().to_string(),
            models: of.models.clone(),
            // What was made for the run is shown below its scores, whoever judges.
            stages: of.stages.iter().filter(|(name, _)| !name.starts_with("evaluate/")).map(from_the_run).collect(),
            ..Provenance::default()
        };
        provenance.plugins = plugins.provenance();
        let logs = directory.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| PluginError::io("make the directory", &logs, &error))?;
        let logs = Some(logs);
        let share = |loaded: Loaded, plugins| -> Result<Arc<Shared>> {
            let hub = Hub::from_env()?.mirrored(loaded.suite.hub_mirror.as_deref());
            let roles = Roles::new(loaded.suite, plugins).in_workers(job.program.clone());
            offer(&roles, &job.run, &of);
            Ok(Shared::new(roles, job.progress.clone(), job.cancelled.clone(), hub, job.reporter.clone(), logs.clone()))
        };
        let (before, now) = (share(before.0, before.1)?, share(loaded, plugins)?);
        let pending =
            |pair: &Pair| vec![SummaryRow::pending(&provenance.suite, &provenance.run, &pair.model, &pair.dataset)];
        let rows = pairs.iter().map(pending).collect();
        let (run, failures, began) = (job.run, Vec::new(), Instant::now());
        let scoring = Scoring { directory, run, of, provenance, before, now, pairs, rows, failures, began };
        scoring.write()?;
        Ok(scoring)
    }

    fn judge(&mut self) -> Result<()> {
        for place in 0..self.pairs.len() {
            if self.now.is_cancelled() {
                break;
            }
            let pair = self.pairs[place].clone();
            let began = Instant::now();
            let judged = self.judge_pair(&pair);
            let seconds = began.elapsed().as_secs_f64();
            let (rows, record) = match judged {
                Ok(judged) => self.conclude(&pair, judged),
                Err(error) => self.fail(&pair, &error.to_string()),
            };
            self.rows[place] = rows;
            self.provenance.stages.insert(pair.stage(), StageRecord { seconds, ..record });
            self.write()?;
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let path = self.directory.join("summary.csv");
        summary::write(&path, &self.rows.concat()).map_err(|error| PluginError::io("write", &path, &error))?;
        self.provenance.write(&self.directory)
    }

    fn end(mut self) -> Result<Rescored> {
        let interrupted = self.now.is_cancelled();
        let rows = self.rows.concat();
        let comparison = if interrupted { None } else { self.compare(&rows)? };
        self.provenance.status = match (interrupted, self.failures.is_empty()) {
            (true, _) => Status::Interrupted,
            (false, true) => Status::Complete,
            (false, false) => Status::Failed,
        };
        self.provenance.finished = Some(jiff::Timestamp::now().to_string());
        self.provenance.seconds = self.began.elapsed().as_secs_f64();
        self.write()?;
        // A run that was killed early may have none.
        let before = summary::read(&self.run.join("summary.csv")).unwrap_or_default();
        let (directory, failures) = (self.directory, self.failures);
        Ok(Rescored { directory, rows, before, comparison, failures, interrupted })
    }

    /// The models against the baseline that the suite names. The suite's figure stays that of the run.
    fn compare(&mut self, rows: &[SummaryRow]) -> Result<Option<String>> {
        let Some(baseline) = self.now.roles.suite.report.baseline.clone() else { return Ok(None) };
        let judged = |other: bool| self.pairs.iter().any(|pair| (pair.model == baseline) != other);
        if !judged(false) || !judged(true) {
            return Ok(None);
        }
        self.write()?;
        let request = PublishRequest { figure: None, baseline: Some(baseline) };
        let published = self.now.reporter.publish(&self.directory, rows, &request);
        self.failures.extend(published.failures);
        Ok(published.comparison)
    }
}

/// What the run's stages made is what `${...}` means.
fn offer(roles: &Roles, directory: &Path, run: &Provenance) {
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    for (stage, record) in &run.stages {
        let (Some((kind, name)), Some(product)) = (stage.split_once('/'), record.product_path(&directory)) else {
            continue;
        };
        let kinds = [StageKind::Teach, StageKind::Train, StageKind::Export];
        if let Some(kind) = kinds.into_iter().find(|known| known.to_string() == kind) {
            roles.offer(kind, name, product.display().to_string());
        }
    }
}

/// A stage of the run, as the directory of scores has it, which is two levels below.
fn from_the_run((name, record): (&String, &StageRecord)) -> (String, StageRecord) {
    let product = record.product.as_ref().map(|product| match Path::new(product).is_absolute() {
        true => product.clone(),
        false => format!("../../{product}"),
    });
    (name.clone(), StageRecord { product, ..record.clone() })
}
