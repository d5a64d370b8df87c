//! What plugins get from this program: logs, progress, cancellation, files and each other.

use crate::progress::Progress;
use crate::recipes::answers::AnswerJournal;
use crate::recipes::rows;
use crate::roles::Roles;
use crate::training_log::TrainingLog;
use examiner_api::asking::ask_all;
use examiner_api::wire::{self, RawSink};
use examiner_api::{
    AskAll, AskReport, ErrorCode, Flow, GenerateResult, Host, HostApi, Level, Metadata, OpenRole, PluginError,
    RecipeReport, Response, Result, RoleAddress, RoleKind, RowsContent, RowsFile, Sink,
};
use examiner_hub::Hub;
use examiner_store::aggregate::Reporter;
use examiner_store::visible::visible;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all stages of a run share.
pub struct Shared {
    /// The roles of the suite.
    pub roles: Roles,
    /// Where progress is shown.
    pub progress: Progress,
    /// Set when the user wants to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Downloads.
    pub hub: Hub,
    /// Computes results from records.
    pub reporter: Arc<dyn Reporter>,
    /// Where stages leave their logs; none where nothing is to be written.
    pub logs: Option<PathBuf>,
    /// Roles that were asked for by other roles.
    lent: Mutex<HashMap<RoleAddress, Arc<Mutex<OpenRole>>>>,
}

impl Shared {
    /// What the stages of one run share.
    pub fn new(
        roles: Roles,
        progress: Progress,
        cancelled: Arc<AtomicBool>,
        hub: Hub,
        reporter: Arc<dyn Reporter>,
        logs: Option<PathBuf>,
    ) -> Arc<Self> {
        Arc::new(Shared { roles, progress, cancelled, hub, reporter, logs, lent: Mutex::default() })
    }

    /// The host of a stage: `evaluate/original/gsm8k`.
    pub fn host(self: &Arc<Self>, stage: &str) -> Host {
        self.host_with(stage, None)
    }

    /// The host of a training whose events are recorded in `training`.
    pub(crate) fn training_host(self: &Arc<Self>, stage: &str, training: Arc<TrainingLog>) -> Host {
        self.host_with(stage, Some(training))
    }

    fn host_with(self: &Arc<Self>, stage: &str, training: Option<Arc<TrainingLog>>) -> Host {
        let (shared, stage) = (self.clone(), stage.to_owned());
        Host::new(StageHost { shared, stage, log: Mutex::default(), training, answers: Mutex::default() })
    }

    /// Where a stage leaves its log.
    pub fn log_path(&self, stage: &str) -> Option<PathBuf> {
        self.logs.as_ref().map(|logs| logs.join(format!("{}.log", stage.replace('/', "."))))
    }

    /// Whether the user wants to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// The repositories of the hub that files were given of, by address, and their commits.
    pub(crate) fn commits(&self) -> BTreeMap<String, String> {
        let mut commits: BTreeMap<String, String> = BTreeMap::new();
        for given in self.hub.given().into_iter().filter(|given| !given.files.is_empty()) {
            let Some(commit) = given.commit.clone() else { continue };
            // Of a dataset, data and what the hub made of it may stand on two branches.
            commits.entry(given.address()).and_modify(|known| *known = format!("{known}, {commit}")).or_insert(commit);
        }
        commits
    }

    /// Gives back the roles that were lent to other roles.
    pub fn take_back(&self) {
        self.lent.lock().clear();
    }

    /// A model or a dataset of the suite, or a scorer, opened when it is first asked for.
    fn lend(self: &Arc<Self>, role: &RoleAddress) -> Result<Arc<Mutex<OpenRole>>> {
        if let Some(role) = self.lent.lock().get(role) {
            return Ok(role.clone());
        }
        let RoleAddress { kind, name, options } = role;
        let host = self.host(&format!("{kind}s/{name}"));
        let opened = match kind {
            RoleKind::Model => OpenRole::Model(self.roles.model(name, host)?),
            RoleKind::Dataset => OpenRole::Dataset(self.roles.dataset(name, host)?),
            RoleKind::Scorer => OpenRole::Scorer(self.roles.open_scorer(name, options, host)?),
            _ => {
                return Err(PluginError::unsupported(format!("no {kind} can be asked for by another role"))
                    .with_help("models, datasets and scorers can"));
            }
        };
        Ok(self.lent.lock().entry(role.clone()).or_insert_with(|| Arc::new(Mutex::new(opened))).clone())
    }
}

struct StageHost {
    shared: Arc<Shared>,
    stage: String,
    log: Mutex<Option<File>>,
    /// Where the events of a training are recorded.
    training: Option<Arc<TrainingLog>>,
    /// The files of answers that a recipe has opened.
    answers: Mutex<HashMap<PathBuf, Arc<Mutex<AnswerJournal>>>>,
}

impl StageHost {
    /// Downloads something, with its progress.
    fn download(&self, fetch: impl FnOnce(examiner_hub::ProgressCallback<'_>) -> Result<PathBuf>) -> Result<PathBuf> {
        fetch(&|task, done, total| {
            let unit = "bytes".to_owned();
            self.progress(examiner_api::Progress { task: task.to_owned(), done, total, unit });
            if self.shared.is_cancelled() { Flow::Stop } else { Flow::Continue }
        })
    }

    /// The answers of a file, which stays open as long as the recipe.
    fn answers(&self, path: &Path) -> Result<Arc<Mutex<AnswerJournal>>> {
        let mut answers = self.answers.lock();
        if let Some(journal) = answers.get(path) {
            return Ok(journal.clone());
        }
        let journal = Arc::new(Mutex::new(AnswerJournal::open(path, &self.own_host())?));
        answers.insert(path.to_owned(), journal.clone());
        Ok(journal)
    }

    /// The same host for what belongs to the program.
    fn own_host(&self) -> Host {
        self.shared.host(&self.stage)
    }
}

impl HostApi for StageHost {
    fn log(&self, level: Level, message: &str) {
        if level >= Level::Warn {
            self.shared.progress.warn(&format!("{}: {message}", self.stage));
        }
        let Some(path) = self.shared.log_path(&self.stage) else { return };
        let mut log = self.log.lock();
        if log.is_none() {
            *log = File::options().create(true).append(true).open(path).ok();
        }
        if let Some(log) = log.as_mut() {
            let line = format!("{} {level:?} {}\n", jiff::Timestamp::now(), visible(message));
            // A log that cannot be written must not end the work that it describes.
            let _ = log.write_all(line.as_bytes());
        }
    }

    fn progress(&self, progress: examiner_api::Progress) {
        self.shared.progress.report(&self.stage, &progress);
    }

    fn is_cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        let path = std::env::temp_dir().join(format!("examiner-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| PluginError::io("make the directory", &path, &error))?;
        Ok(path)
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        if Hub::is_address(uri) {
            return self.download(|report| self.shared.hub.fetch(uri, report));
        }
        local(uri)
    }

    fn fetch_repository(&self, uri: &str, patterns: &[String]) -> Result<PathBuf> {
        if Hub::is_address(uri) {
            return self.download(|report| self.shared.hub.fetch_repository(uri, patterns, report));
        }
        local(uri)
    }

    fn flush(&self) -> Result<()> {
        self.training.as_ref().map_or(Ok(()), |training| training.flush())
    }

    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        let answers = self.answers(&ask.answers)?;
        let address = RoleAddress { kind: RoleKind::Model, name: ask.model, options: Metadata::new() };
        let lent = self.shared.lend(&address)?;
        match &mut *lent.lock() {
            OpenRole::Model(model) => {
                let is_cancelled = || self.shared.is_cancelled();
                ask_all(&mut **model, &mut *answers.lock(), ask.requests, &is_cancelled, sink)
            }
            _ => Err(PluginError::bad_input(format!("`{}` is no model", address.name))),
        }
    }

    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        rows::find(file)
    }

    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        rows::write(file, content, &self.own_host())
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        let lent = self.shared.lend(role)?;
        wire::serve(&mut lent.lock(), method, payload, sink)
    }
}

/// A path as it is; relative ones start at the working directory.
fn local(path: &str) -> Result<PathBuf> {
    let path = Path::new(path);
    match path.try_exists() {
        Ok(true) => Ok(path.to_owned()),
        Ok(false) => {
            let from = std::env::current_dir().unwrap_or_default();
            Err(PluginError::not_found(format!(
                "`{}` does not exist (looked for from `{}`)",
                path.display(),
                from.display()
            ))
            .with_help("check the path; `--set` can change it without editing the suite"))
        }
        Err(error) => Err(PluginError::io("look for", path, &error)),
    }
}

/// What a stage says when the user wants to stop.
pub fn cancelled() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
