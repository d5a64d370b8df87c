//! Runs a suite: teach, train, export, examine, report.

pub mod directory;
pub mod evaluate;
pub mod provenance;
mod stages;

use crate::host::{Shared, cancelled};
use crate::hub::Hub;
use crate::loader::Plugins;
use crate::progress::{Progress, duration};
use crate::report::summary::{self, SummaryRow};
use crate::roles::Roles;
use crate::suite::{Loaded, StageKind, Suite};
use directory::RunDirectory;
use evaluate::{EvaluateError, Examined, Inputs, Pair};
use examiner_api::{ErrorCode, Model, ModelInfo, PluginError, Result};
use provenance::{Provenance, Request, StageRecord, Status, identity};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What to run, and where.
pub struct Job {
    /// The suite.
    pub loaded: Loaded,
    /// Where roles come from.
    pub plugins: Plugins,
    /// `--set`, as typed.
    pub set: Vec<String>,
    /// At most this many questions of each dataset.
    pub limit: Option<u64>,
    /// Only stages in whose name one of these stands.
    pub only: Vec<String>,
    /// The run's directory; without it, one in `outputs`.
    pub out: Option<PathBuf>,
    /// Where runs lie.
    pub outputs: PathBuf,
    /// Begin anew even if an interrupted run could go on.
    pub fresh: bool,
    /// Set when the user wants to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Where progress is shown.
    pub progress: Progress,
}

/// How a run ended.
pub struct Outcome {
    /// Its directory.
    pub directory: PathBuf,
    /// The rows of its `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// One line for each failure.
    pub failures: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// The models and datasets to examine, in the order of the suite.
pub fn pairs(suite: &Suite) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for evaluation in &suite.evaluate {
        for model in &evaluation.models {
            for dataset in &evaluation.datasets {
                let pair = Pair { model: model.clone(), dataset: dataset.clone(), scorers: evaluation.scorers.clone() };
                if !pairs.iter().any(|known| known.stage() == pair.stage()) {
                    pairs.push(pair);
                }
            }
        }
    }
    pairs
}

/// Whether `--only` leaves the stage in: one of the patterns is a part of its name, or begins it.
pub fn selected(only: &[String], stage: &str) -> bool {
    let fits = |pattern: &String| stage.starts_with(pattern.as_str()) || stage.split('/').any(|part| part == pattern);
    only.is_empty() || only.iter().any(fits)
}

/// The identity of what was asked for, by which an interrupted run is recognised.
pub fn request(job: &Job) -> Request {
    Request {
        suite: blake3::hash(job.loaded.text.as_bytes()).to_hex().to_string(),
        set: job.set.clone(),
        limit: job.limit,
        only: job.only.clone(),
    }
}

/// The run that would go on: `--out`, or the newest of this suite if it was asked for the same and is not done.
pub fn resumable(job: &Job) -> Option<PathBuf> {
    if let Some(out) = &job.out {
        return out.join("run.json").exists().then(|| out.clone());
    }
    if job.fresh {
        return None;
    }
    let newest = newest_run(&job.outputs, &job.loaded.suite.name)?;
    let provenance = Provenance::read(&newest)?;
    let unfinished = matches!(provenance.status, Status::Running | Status::Interrupted);
    (unfinished && provenance.request == request(job)).then_some(newest)
}

/// What a stage that makes something depends on. Fails while something that it refers to has not been made.
pub fn maker_inputs(shared: &Shared, kind: StageKind, name: &str) -> Result<Inputs> {
    let suite = &shared.roles.suite;
    let inputs = match kind {
        StageKind::Teach => suite.teach.get(name).map(|spec| stages::teach_inputs(shared, spec)),
        StageKind::Train => suite.train.get(name).map(|spec| stages::train_inputs(shared, spec)),
        StageKind::Export => suite.export.get(name).map(|spec| stages::export_inputs(shared, spec)),
    };
    inputs.unwrap_or_else(|| Err(PluginError::not_found(format!("the suite has no stage `{kind}/{name}`"))))
}

/// The newest run of a suite.
pub fn newest_run(outputs: &std::path::Path, suite: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(outputs).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let of_suite = entries.filter(|path| Provenance::read(path).is_some_and(|run| run.suite == suite));
    of_suite.filter(|path| !path.is_symlink()).max_by_key(|path| {
        let made = std::fs::metadata(path.join("suite.yaml")).and_then(|file| file.modified()).ok();
        (made, path.clone())
    })
}

/// Runs the suite.
pub fn run(job: Job) -> Result<Outcome> {
    let mut run = Run::begin(job)?;
    run.teach();
    run.train();
    run.export();
    run.examine();
    run.end()
}

struct Run {
    shared: Arc<Shared>,
    directory: RunDirectory,
    limit: Option<u64>,
    only: Vec<String>,
    began: Instant,
    seconds_before: f64,
    provenance: Provenance,
    earlier: Provenance,
    pairs: Vec<Pair>,
    report: Report,
    failures: Vec<String>,
}

/// The rows of every pair, in the order of the suite.
struct Report {
    path: PathBuf,
    rows: Mutex<Vec<Vec<SummaryRow>>>,
}

impl Report {
    fn publish(&self, pair: usize, rows: Vec<SummaryRow>) -> Result<()> {
        let mut all = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        all[pair] = rows;
        let flat: Vec<SummaryRow> = all.iter().flatten().cloned().collect();
        summary::write(&self.path, &flat).map_err(|error| PluginError::io("write", &self.path, &error))
    }

    fn rows(&self) -> Vec<SummaryRow> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().cloned().collect()
    }
}

impl Run {
    fn begin(job: Job) -> Result<Self> {
        let request = request(&job);
        let resumed = resumable(&job);
        let suite_name = job.loaded.suite.name.clone();
        let directory = match (&resumed, &job.out) {
            (Some(path), _) | (None, Some(path)) => RunDirectory::open(path, &suite_name)?,
            (None, None) => RunDirectory::create(&job.outputs, &suite_name)?,
        };
        let earlier = Provenance::read(&directory.path).unwrap_or_default();
        match &resumed {
            Some(path) => job.progress.say(&format!("going on in `{}` (`--fresh` begins anew)", path.display())),
            None => job.progress.say(&format!("running in `{}`", directory.path.display())),
        }
        let suite_path = directory.path.join("suite.yaml");
        crate::report::atomic::write(&suite_path, |file| file.write_all(job.loaded.text.as_bytes()))
            .map_err(|error| PluginError::io("write", &suite_path, &error))?;
        if job.out.is_none() {
            directory.mark_latest()?;
        }
        let mut provenance = Provenance {
            suite: suite_name,
            run: directory.name(),
            status: Status::Running,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            api: examiner_api::API_VERSION.to_owned(),
            host: provenance::host(),
            request,
            seed: job.loaded.suite.seed,
            started: if resumed.is_some() { earlier.started.clone() } else { jiff::Timestamp::now().to_string() },
            ..Provenance::default()
        };
        provenance.note_plugins(&job.plugins);
        let selected_pairs = pairs(&job.loaded.suite).into_iter().filter(|pair| selected(&job.only, &pair.stage()));
        let pairs: Vec<Pair> = selected_pairs.collect();
        let report =
            Report { path: directory.path.join("summary.csv"), rows: Mutex::new(vec![Vec::new(); pairs.len()]) };
        let hub = Hub::from_env()?;
        let logs = Some(directory.path.join("logs"));
        let roles = Roles::new(job.loaded.suite, job.plugins);
        let run = Run {
            shared: Shared::new(roles, job.progress, job.cancelled, hub, logs),
            limit: job.limit,
            only: job.only,
            began: Instant::now(),
            seconds_before: earlier.seconds,
            provenance,
            earlier,
            pairs,
            report,
            failures: Vec::new(),
            directory,
        };
        run.provenance.write(&run.directory.path)?;
        summary::write(&run.report.path, &run.report.rows())
            .map_err(|error| PluginError::io("write", &run.report.path, &error))?;
        Ok(run)
    }

    fn teach(&mut self) {
        let specs = self.shared.roles.suite.teach.clone();
        for (name, spec) in &specs {
            let shared = self.shared.clone();
            self.make(StageKind::Teach, name, |stage| stages::teach(&shared, stage, spec));
        }
    }

    fn train(&mut self) {
        let specs = self.shared.roles.suite.train.clone();
        for (name, spec) in &specs {
            let (shared, out) = (self.shared.clone(), self.directory.path.join("train").join(name));
            self.make(StageKind::Train, name, |stage| stages::train(&shared, stage, spec, &out));
        }
    }

    fn export(&mut self) {
        let specs = self.shared.roles.suite.export.clone();
        for (name, spec) in &specs {
            let (shared, out) = (self.shared.clone(), self.directory.path.join("export").join(name));
            self.make(StageKind::Export, name, |stage| stages::export(&shared, stage, spec, &out));
        }
    }

    /// Makes a product, or takes the one that an earlier try of this run made from the same inputs.
    fn make(&mut self, kind: StageKind, name: &str, work: impl FnOnce(&str) -> Result<String>) {
        let stage = format!("{kind}/{name}");
        let earlier = self.earlier.stages.get(&stage).cloned();
        if !selected(&self.only, &stage) {
            // A product that is there may be used by what is left in.
            if let Some(product) = earlier.as_ref().and_then(|earlier| earlier.product.clone()) {
                self.shared.roles.offer(kind, name, product);
            }
            return;
        }
        if self.shared.is_cancelled() {
            return;
        }
        let began = Instant::now();
        let mut record = StageRecord::default();
        let made = maker_inputs(&self.shared, kind, name).and_then(|inputs| {
            record.identity = identity(&inputs);
            record.inputs = inputs;
            let reused = earlier.filter(|earlier| {
                earlier.status == Status::Complete
                    && earlier.identity == record.identity
                    && earlier.product.as_ref().is_some_and(|product| std::path::Path::new(product).exists())
            });
            match reused.and_then(|earlier| earlier.product) {
                Some(product) => Ok(product),
                None => work(&stage),
            }
        });
        record.seconds = began.elapsed().as_secs_f64();
        match made {
            Ok(product) => {
                self.shared.roles.offer(kind, name, product.clone());
                record.status = Status::Complete;
                record.product = Some(product);
            }
            Err(error) => {
                record.status = if error.code == ErrorCode::Cancelled { Status::Interrupted } else { Status::Failed };
                record.message = Some(error.to_string());
                if record.status == Status::Failed {
                    self.failures.push(format!("{stage}: {error}"));
                }
            }
        }
        self.note(stage, record);
    }

    fn examine(&mut self) {
        let mut next = 0;
        while next < self.pairs.len() && !self.shared.is_cancelled() {
            // One model is resident at a time: all of its datasets in a row.
            let name = self.pairs[next].model.clone();
            let count = self.pairs[next..].iter().take_while(|pair| pair.model == name).count();
            self.examine_model(&name, next..next + count);
            next += count;
        }
    }

    fn examine_model(&mut self, name: &str, places: std::ops::Range<usize>) {
        let stage = format!("models/{name}");
        let opened = self.shared.roles.model(name, self.shared.host(&stage)).and_then(|model| {
            let info = model.info()?;
            Ok((model, info))
        });
        match opened {
            Ok((mut model, info)) => {
                self.provenance.models.insert(name.to_owned(), info.clone());
                for place in places {
                    if self.shared.is_cancelled() {
                        return;
                    }
                    self.examine_pair(place, &mut *model, &info);
                }
            }
            Err(error) => {
                for place in places {
                    self.fail(place, StageRecord::default(), &error);
                }
            }
        }
    }

    fn examine_pair(&mut self, place: usize, model: &mut dyn Model, info: &ModelInfo) {
        let pair = self.pairs[place].clone();
        let began = Instant::now();
        let mut record = StageRecord::default();
        let prepared = match evaluate::prepare(&self.shared, &pair, info, self.limit) {
            Ok(prepared) => prepared,
            Err(error) => return self.fail(place, record, &error),
        };
        record.identity = identity(&prepared.inputs);
        record.inputs = prepared.inputs.clone();
        record.version = prepared.version.clone();
        self.provenance.stages.insert(pair.stage(), record.clone());
        let publish_error = Mutex::new(None);
        let publish = |rows| {
            if let Err(error) = self.report.publish(place, rows) {
                *publish_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        };
        let examined = evaluate::examine(&self.shared, &pair, model, prepared, &self.directory, &publish);
        record.seconds = began.elapsed().as_secs_f64();
        let publish_error = publish_error.into_inner().unwrap_or_else(PoisonError::into_inner);
        let examined = match (examined, publish_error) {
            (Ok(examined), None) => examined,
            (_, Some(error)) => return self.fail(place, record, &error),
            (Err(EvaluateError::Role(error)), _) => return self.fail(place, record, &error),
            (Err(error), _) => {
                let error = PluginError::new(ErrorCode::Io, error.to_string());
                return self.fail(place, record, &error);
            }
        };
        self.conclude(place, record, examined);
    }

    /// Takes note of how a pair ended.
    fn conclude(&mut self, place: usize, mut record: StageRecord, examined: Examined) {
        let stage = self.pairs[place].stage();
        record.questions = examined.questions;
        record.errors = examined.errors;
        record.reused = examined.reused;
        let mut rows = examined.rows;
        let too_many = too_many_errors(&self.shared.roles.suite, examined.errors, examined.questions);
        record.status = if let Some(failure) = &examined.failure {
            let message = self.with_log(&stage, &failure.to_string());
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
            let message = self.with_log(&stage, &what);
            self.failures.push(format!("{stage}: {message}"));
            if too_many {
                rows.iter_mut().for_each(|row| row.fail(&message));
            }
            record.message = Some(message);
            if too_many { Status::Failed } else { Status::Partial }
        } else {
            Status::Complete
        };
        if let Err(error) = self.report.publish(place, rows) {
            self.failures.push(format!("{stage}: {error}"));
        }
        self.note(stage, record);
    }

    fn fail(&mut self, place: usize, mut record: StageRecord, error: &PluginError) {
        let stage = self.pairs[place].stage();
        if error.code == ErrorCode::Cancelled {
            record.status = Status::Interrupted;
            return self.note(stage, record);
        }
        let message = self.with_log(&stage, &error.to_string());
        self.failures.push(format!("{stage}: {message}"));
        let row = self.failed_row(place, &message);
        if let Err(error) = self.report.publish(place, vec![row]) {
            self.failures.push(format!("{stage}: {error}"));
        }
        record.status = Status::Failed;
        record.message = Some(message);
        self.note(stage, record);
    }

    fn failed_row(&self, place: usize, message: &str) -> SummaryRow {
        let pair = &self.pairs[place];
        SummaryRow::failed(&self.directory.suite, &self.directory.name(), &pair.model, &pair.dataset, message)
    }

    /// A message with the place of the stage's log, if it left one.
    fn with_log(&self, stage: &str, message: &str) -> String {
        match self.shared.log_path(stage).filter(|path| path.exists()) {
            Some(path) => format!("{message} (log: `{}`)", path.display()),
            None => message.to_owned(),
        }
    }

    fn note(&mut self, stage: String, record: StageRecord) {
        self.provenance.stages.insert(stage.clone(), record);
        self.provenance.seconds = self.seconds_before + self.began.elapsed().as_secs_f64();
        if let Err(error) = self.provenance.write(&self.directory.path) {
            self.failures.push(format!("{stage}: {error}"));
        }
    }

    fn end(mut self) -> Result<Outcome> {
        let interrupted = self.shared.is_cancelled();
        let rows = self.report.rows();
        summary::write(&self.report.path, &rows)
            .map_err(|error| PluginError::io("write", &self.report.path, &error))?;
        self.provenance.status = match (interrupted, self.failures.is_empty()) {
            (true, _) => Status::Interrupted,
            (false, true) => Status::Complete,
            (false, false) => Status::Failed,
        };
        self.provenance.finished = Some(jiff::Timestamp::now().to_string());
        self.provenance.seconds = self.seconds_before + self.began.elapsed().as_secs_f64();
        self.provenance.write(&self.directory.path)?;
        self.shared.progress.say(&format!(
            "{} in {}",
            if interrupted { cancelled().message } else { "done".to_owned() },
            duration(self.began.elapsed().as_secs_f64())
        ));
        Ok(Outcome { directory: self.directory.path, rows, failures: self.failures, interrupted })
    }
}

fn too_many_errors(suite: &Suite, errors: u64, questions: u64) -> bool {
    use crate::suite::FailOnError;
    match suite.fail_on_error {
        FailOnError::Never => false,
        FailOnError::First => errors > 0,
        FailOnError::Share(share) => errors as f64 > share * questions as f64,
        FailOnError::Count(count) => errors > count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_takes_parts_of_stage_names_or_their_beginning() {
        let only = |pattern: &str, stage: &str| selected(&[pattern.to_owned()], stage);
        assert!(only("gsm8k", "evaluate/student/gsm8k"));
        assert!(only("evaluate/student", "evaluate/student/gsm8k"));
        assert!(only("train", "train/vanilla"));
        assert!(!only("gsm", "train/gsm8k-vanilla"));
        assert!(selected(&[], "anything"));
    }
}
