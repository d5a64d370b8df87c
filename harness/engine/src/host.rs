//! What plugins get from this program: logs, progress, cancellation, files and each other.

use crate::progress::Progress;
use crate::roles::Roles;
use examiner_api::wire::{self, RawSink};
use examiner_api::{ErrorCode, Flow, Host, HostApi, Level, OpenRole, PluginError, Result, RoleAddress, RoleKind};
use examiner_hub::Hub;
use examiner_store::aggregate::Reporter;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        Host::new(StageHost { shared: self.clone(), stage: stage.to_owned(), log: Mutex::new(None) })
    }

    /// Where a stage leaves its log.
    pub fn log_path(&self, stage: &str) -> Option<PathBuf> {
        self.logs.as_ref().map(|logs| logs.join(format!("{}.log", stage.replace('/', "."))))
    }

    /// Whether the user wants to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Gives back the roles that were lent to other roles.
    pub fn take_back(&self) {
        lock(&self.lent).clear();
    }

    /// A model or a dataset of the suite, or a scorer, opened when it is first asked for.
    fn lend(self: &Arc<Self>, role: &RoleAddress) -> Result<Arc<Mutex<OpenRole>>> {
        if let Some(role) = lock(&self.lent).get(role) {
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
        Ok(lock(&self.lent).entry(role.clone()).or_insert_with(|| Arc::new(Mutex::new(opened))).clone())
    }
}

struct StageHost {
    shared: Arc<Shared>,
    stage: String,
    log: Mutex<Option<File>>,
}

impl HostApi for StageHost {
    fn log(&self, level: Level, message: &str) {
        if level >= Level::Warn {
            self.shared.progress.say(&format!("{}: {message}", self.stage));
        }
        let Some(path) = self.shared.log_path(&self.stage) else { return };
        let mut log = lock(&self.log);
        if log.is_none() {
            *log = File::options().create(true).append(true).open(path).ok();
        }
        if let Some(log) = log.as_mut() {
            let line = format!("{} {level:?} {message}\n", jiff::Timestamp::now());
            // A log that cannot be written must not end the work that it tells of.
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
            return self.shared.hub.fetch(uri, &|task, done, total| {
                let unit = "bytes".to_owned();
                self.progress(examiner_api::Progress { task: task.to_owned(), done, total, unit });
                if self.shared.is_cancelled() { Flow::Stop } else { Flow::Continue }
            });
        }
        local(uri)
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        let lent = self.shared.lend(role)?;
        wire::serve(&mut lock(&lent), method, payload, sink)
    }
}

/// A path as it is; relative ones stand in the working directory.
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
