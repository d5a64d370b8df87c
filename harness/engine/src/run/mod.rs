//! Runs a suite: teach, train, export, examine, report.

mod earlier;
mod empty;
mod examine_pairs;
mod produce;
mod publish;

use crate::graph::{Pair, pairs, selected};
use crate::host::{Shared, cancelled};
use crate::loader::Plugins;
use crate::plan::{Action, Next, Planner};
use crate::progress::{Progress, duration};
use crate::roles::Roles;
pub(crate) use earlier::suite_directory;
pub use earlier::{check_replaced, newest_run, request, resumable, suite_identity};
use examine_pairs::Report;
use examiner_api::{Host, PluginError, Result};
use examiner_hub::Hub;
use examiner_store::aggregate::Reporter;
use examiner_store::directory::RunDirectory;
use examiner_store::provenance::{Provenance, StageRecord, Status};
use examiner_store::summary::SummaryRow;
use examiner_store::{provenance, storage};
use examiner_suite::Loaded;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    /// Only stages that one of these selects.
    pub only: Vec<String>,
    /// The run's directory; without it, one in `outputs`.
    pub out: Option<PathBuf>,
    /// Where runs lie.
    pub outputs: PathBuf,
    /// Start from the beginning even if an unfinished run could be continued.
    pub fresh: bool,
    /// Whether results in `out` may be replaced by those of another suite, or by fewer.
    pub replace: bool,
    /// Set when the user wants to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Where progress is shown.
    pub progress: Progress,
    /// Computes results from records.
    pub reporter: Arc<dyn Reporter>,
    /// This program, to start workers with; none to run everything in this process.
    pub program: Option<PathBuf>,
}

/// How a run ended.
pub struct RunResult {
    /// Its directory.
    pub directory: PathBuf,
    /// The rows of its `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// The models against the baseline that the suite's `report` names, as Markdown.
    pub comparison: Option<String>,
    /// One line for each failure.
    pub failures: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether its directory is there: one that it made, and in which nothing was answered, is removed.
    pub kept: bool,
    /// What was done for each stage, in this order.
    pub actions: Vec<(String, Action)>,
}

/// Runs the suite.
pub fn run(job: Job) -> Result<RunResult> {
    let mut run = Run::begin(job)?;
    let mut planner = run.planner();
    while !run.is_over()
        && let Some(next) = planner.decide_next()
    {
        match next {
            Next::Producer(stage) => run.produce(stage),
            Next::Model(stages) => run.examine(&planner, stages),
        }
    }
    run.end()
}

struct Run {
    shared: Arc<Shared>,
    directory: RunDirectory,
    limit: Option<u64>,
    events: PathBuf,
    only: Vec<String>,
    began: Instant,
    seconds_before: f64,
    provenance: Provenance,
    earlier: Provenance,
    pairs: Vec<Pair>,
    report: Report,
    failures: Vec<String>,
    actions: Vec<(String, Action)>,
    /// Whether it lies among all runs, where `latest` points to the newest.
    among_runs: bool,
    /// Whether this try made the directory.
    is_new: bool,
    /// Where the actions are logged.
    log: Host,
    /// Why the run's own files cannot be written, which ends it.
    storage: Option<PluginError>,
}

impl Run {
    fn begin(job: Job) -> Result<Self> {
        earlier::check_replaced(&job)?;
        if let Some(kept) = earlier::make_room(&job)? {
            job.progress.print(&format!("the earlier run is now `{}`", kept.display()));
        }
        let resumed = resumable(&job);
        let suite_name = &job.loaded.suite.name;
        let directory = match (&resumed, &job.out) {
            (Some(path), _) | (None, Some(path)) => RunDirectory::open(path, suite_name)?,
            (None, None) => RunDirectory::create(&job.outputs, suite_name)?,
        };
        let made = (resumed.is_none() && job.out.is_none()).then(|| directory.path.clone());
        let begun = Self::begin_in(directory, job, resumed);
        if let (Err(_), Some(path)) = (&begun, made) {
            // Nothing was asked yet, so that there is nothing in it to continue from.
            let _ = std::fs::remove_dir_all(path);
        }
        begun
    }

    fn begin_in(directory: RunDirectory, job: Job, resumed: Option<PathBuf>) -> Result<Self> {
        let request = request(&job);
        let suite_name = job.loaded.suite.name.clone();
        let earlier = Provenance::read(&directory.path).unwrap_or_default();
        match &resumed {
            Some(path) => {
                job.progress.print(&format!("going on in `{}` (`--fresh` starts from the beginning)", path.display()))
            }
            None => job.progress.print(&format!("running in `{}`", directory.path.display())),
        }
        let suite_path = directory.path.join("suite.yaml");
        examiner_store::atomic::update(&suite_path, |file| file.write_all(job.loaded.text.as_bytes()))
            .map_err(|error| storage::failure("write", &suite_path, &error))?;
        let mut provenance = Provenance {
            suite: suite_name,
            run: directory.name(),
            status: Status::Running,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            api: examiner_api::API_VERSION.to_owned(),
            host: provenance::host(),
            request,
            suite_directory: suite_directory(&job.loaded.suite.paths),
            seed: job.loaded.suite.seed,
            started: if resumed.is_some() { earlier.started.clone() } else { jiff::Timestamp::now().to_string() },
            // Should this try be killed too, the next one still knows what the last one made.
            stages: earlier.stages.clone(),
            hub: if resumed.is_some() { earlier.hub.clone() } else { Default::default() },
            ..Provenance::default()
        };
        provenance.plugins = job.plugins.provenance();
        // A complete run of just this suite says already what it will say if nothing turns out to be left to do.
        let complete = Provenance { status: Status::Complete, models: earlier.models.clone(), ..provenance.clone() };
        let is_current = resumed.is_some() && complete.says_the_same(&earlier);
        let selected_pairs = pairs(&job.loaded.suite).into_iter().filter(|pair| selected(&job.only, &pair.stage()));
        let pairs: Vec<Pair> = selected_pairs.collect();
        let run_name = directory.name();
        let pending = |pair: &Pair| vec![SummaryRow::pending(&directory.suite, &run_name, &pair.model, &pair.dataset)];
        let rows = pairs.iter().map(|pair| (pair.stage(), pending(pair))).collect();
        let report = Report::new(directory.path.join("summary.csv"), rows);
        let hub = Hub::from_env()?.mirrored(job.loaded.suite.hub_mirror.as_deref());
        // Beside the runs, so that one TensorBoard shows all of them; a run elsewhere keeps everything to itself.
        let events = job.out.as_ref().unwrap_or(&job.outputs).join("runs").join(directory.name());
        let logs = Some(directory.path.join("logs"));
        let roles = Roles::new(job.loaded.suite, job.plugins).in_workers(job.program);
        let shared = Shared::new(roles, job.progress, job.cancelled, hub, job.reporter, logs);
        let run = Run {
            among_runs: job.out.is_none(),
            is_new: job.out.is_none() && resumed.is_none(),
            log: shared.host("stages"),
            shared,
            limit: job.limit,
            events,
            only: job.only,
            began: Instant::now(),
            seconds_before: earlier.seconds,
            provenance,
            earlier,
            pairs,
            report,
            failures: Vec::new(),
            actions: Vec::new(),
            storage: None,
            directory,
        };
        if !is_current {
            run.provenance.write(&run.directory.path)?;
            run.report.write()?;
        }
        // A new one has to answer something first.
        if !run.is_new {
            run.mark_latest()?;
        }
        Ok(run)
    }

    /// Decides what the run does.
    fn planner(&self) -> Planner {
        let names = (self.directory.suite.clone(), self.directory.name());
        Planner::new(self.shared.clone(), Some(&self.directory.path), names, self.limit, &self.only)
    }

    /// Records what is done for a stage: `logs/stages.log` has a line for each, in every try.
    fn begin_stage(&mut self, stage: &str, action: &Action) {
        self.log.info(format!("{stage}: {}: {action}", action.word()));
        self.actions.push((stage.to_owned(), action.clone()));
    }

    /// A message with the place of the log of the stage or of its model, if there is one.
    fn with_log(&self, stages: &[&str], message: &str) -> String {
        let mut logs = stages.iter().filter_map(|stage| self.shared.log_path(stage));
        match logs.find(|path| path.exists()) {
            Some(path) => format!("{message} (log: `{}`)", path.display()),
            None => message.to_owned(),
        }
    }

    /// Records the state of a stage. What an earlier try has written stays as it is where nothing has come of this one.
    fn note(&mut self, stage: String, record: StageRecord) {
        if self.provenance.stages.get(&stage) == Some(&record) {
            return;
        }
        self.provenance.stages.insert(stage.clone(), record);
        self.provenance.hub.extend(self.shared.commits());
        self.provenance.seconds = self.seconds_before + self.began.elapsed().as_secs_f64();
        if let Err(error) = self.provenance.write(&self.directory.path) {
            self.stop(error);
        }
    }

    /// Ends the run, because its own files cannot be written. What follows from that is not reported again.
    fn stop(&mut self, error: PluginError) {
        if self.storage.is_none() {
            self.failures.push(error.to_string());
            self.storage = Some(error);
        }
    }

    /// Whether no further stage is begun.
    fn is_over(&self) -> bool {
        self.shared.is_cancelled() || self.storage.is_some()
    }

    /// Whether `run.json` on the disk is as good as the one that would be written now.
    fn is_current(&self) -> bool {
        let written = Provenance::read(&self.directory.path);
        written.is_some_and(|written| self.provenance.says_the_same(&written))
    }

    /// Points `latest` to this run: something was answered or made.
    fn mark_latest(&self) -> Result<()> {
        if self.among_runs { self.directory.mark_latest() } else { Ok(()) }
    }

    fn end(mut self) -> Result<RunResult> {
        let interrupted = self.shared.is_cancelled();
        if self.is_empty() {
            return self.leave_nothing(interrupted);
        }
        let rows = self.report.rows();
        if let Err(error) = self.report.write() {
            self.stop(error);
        }
        // What was interrupted is compared and drawn when it is done.
        let comparison = if self.is_over() { None } else { self.publish(&rows) };
        self.mark_latest()?;
        self.provenance.status = match (interrupted, self.failures.is_empty()) {
            (true, _) => Status::Interrupted,
            (false, true) => Status::Complete,
            (false, false) => Status::Failed,
        };
        self.provenance.hub.extend(self.shared.commits());
        if !self.is_current() {
            self.provenance.finished = Some(jiff::Timestamp::now().to_string());
            self.provenance.seconds = self.seconds_before + self.began.elapsed().as_secs_f64();
            if let Err(error) = self.provenance.write(&self.directory.path) {
                self.stop(error);
            }
        }
        let ended = match (interrupted, &self.storage) {
            (true, _) => cancelled().message,
            (false, Some(_)) => "stopped".to_owned(),
            (false, None) => "done".to_owned(),
        };
        self.shared.progress.print(&format!("{ended} in {}", duration(self.began.elapsed().as_secs_f64())));
        Ok(RunResult {
            directory: self.directory.path,
            rows,
            comparison,
            failures: self.failures,
            interrupted,
            kept: true,
            actions: self.actions,
        })
    }
}
