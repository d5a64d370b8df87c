//! A host that can say that the user wants to stop, and that plays the teacher of a recipe and counts what it is asked.

use crate::recipes::answers::AnswerJournal;
use examiner_api::asking::{AnswerKey, ask_all};
use examiner_api::wire::{self, RawSink, host_method};
use examiner_api::{
    AskAll, AskReport, ErrorCode, Flow, GenerateRequest, GenerateResult, Host, HostApi, Level, Model, ModelInfo,
    OpenRole, PluginError, Progress, RecipeReport, Response, Result, RoleAddress, RoleKind, RowsContent, RowsFile,
    Sink,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The name of the model that a recipe is to ask.
pub(super) const TEACHER: &str = "examiner-teacher";

/// What the host and whoever looks on share.
pub(super) struct Control {
    cancelled: AtomicBool,
    /// After so many questions the user wants to stop.
    stop_after: AtomicUsize,
    /// How often each question was asked.
    asked: Mutex<HashMap<Vec<String>, u32>>,
}

impl Control {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Control {
            cancelled: AtomicBool::new(false),
            stop_after: AtomicUsize::new(usize::MAX),
            asked: Mutex::default(),
        })
    }

    /// The host of a role; `inner` does all else.
    pub(super) fn host(self: &Arc<Self>, inner: Host) -> Host {
        Host::new(ControlledHost { control: self.clone(), inner })
    }

    /// From now on the user wants to stop.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// After so many questions the user wants to stop.
    pub(super) fn stop_after(&self, questions: usize) {
        self.stop_after.store(questions, Ordering::SeqCst);
    }

    /// The user wants to go on.
    pub(super) fn resume(&self) {
        self.cancelled.store(false, Ordering::SeqCst);
        self.stop_after(usize::MAX);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Questions that were asked, and those of them that were asked more than once.
    pub(super) fn asked(&self) -> (usize, usize) {
        let asked = self.asked.lock();
        (asked.len(), asked.values().filter(|times| **times > 1).count())
    }

    /// Counts a question. Whether it may be answered.
    fn count(&self, key: AnswerKey) -> bool {
        let mut asked = self.asked.lock();
        if self.is_cancelled() || asked.len() >= self.stop_after.load(Ordering::SeqCst) {
            self.cancel();
            return false;
        }
        *asked.entry(key.0).or_default() += 1;
        true
    }
}

struct ControlledHost {
    control: Arc<Control>,
    inner: Host,
}

impl HostApi for ControlledHost {
    fn log(&self, level: Level, message: &str) {
        self.inner.log(level, message);
    }

    fn progress(&self, _: Progress) {}

    fn is_cancelled(&self) -> bool {
        self.control.is_cancelled() || self.inner.is_cancelled()
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        self.inner.scratch_dir()
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.inner.fetch(uri)
    }

    fn fetch_repository(&self, uri: &str, patterns: &[String]) -> Result<PathBuf> {
        self.inner.fetch_repository(uri, &patterns.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        let mut journal = AnswerJournal::open(&ask.answers, &self.inner)?;
        let mut teacher = Teacher(self.control.clone());
        ask_all(&mut teacher, &mut journal, ask.requests, &|| self.control.is_cancelled(), sink)
    }

    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        self.inner.find_rows(file)
    }

    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        self.inner.write_rows(file, content)
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        if (role.kind, role.name.as_str()) == (RoleKind::Model, TEACHER) {
            let mut teacher = OpenRole::Model(Box::new(Teacher(self.control.clone())));
            return wire::serve(&mut teacher, method, payload, sink);
        }
        self.inner.serve(host_method::ROLE, &wire::encode(&(role, method, payload))?, sink)
    }
}

/// Answers with a number that follows from the prompt, in the words that recipes look for.
struct Teacher(Arc<Control>);

impl Model for Teacher {
    fn info(&self) -> Result<ModelInfo> {
        let (name, fingerprint) = (TEACHER.to_owned(), "examiner teacher 1".to_owned());
        Ok(ModelInfo { name, fingerprint, can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let info = self.info()?;
        for request in requests {
            if !self.0.count(AnswerKey::of(&info, &request)) {
                return Err(PluginError::new(ErrorCode::Cancelled, "the check interrupts the recipe here"));
            }
            let number = blake3::hash(request.prompt.as_bytes()).as_bytes()[0];
            let text = format!("Let us see. So the answer is {number}.\n#### {number}");
            let result = GenerateResult { text, tokens_out: 12, tokens_in: 20, ..GenerateResult::default() };
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}
