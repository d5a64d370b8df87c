//! Asking a model many questions over several tries: what was answered is never asked again.
//!
//! Recipes call [`Host::ask_all`]. What stands here is for those who implement [`HostApi::ask_all`]: the rules are the same
//! wherever the answers are stored.
//!
//! [`Host::ask_all`]: crate::Host::ask_all
//! [`HostApi::ask_all`]: crate::HostApi::ask_all

use crate::{
    AskReport, ErrorCode, Flow, GenerateRequest, GenerateResult, Model, ModelInfo, PluginError, Response, Result, Sink,
};
use parking_lot::Mutex;

/// So many questions are given to the model at once.
const WINDOW: usize = 2048;
/// Where answers are stored between tries.
pub trait AnswerStore: Send {
    /// The stored answer to what has this key.
    fn get(&self, key: &AnswerKey) -> Option<GenerateResult>;
    /// Stores an answer, so that no end of the process can lose it.
    fn add(&mut self, key: &AnswerKey, request: &GenerateRequest, answer: &GenerateResult) -> Result<()>;
    /// Waits until all answers are on disk.
    fn sync(&mut self) -> Result<()>;
}

/// What decides an answer, as texts: the model, the sample, its repetition, the prompt and how tokens are chosen. The sample,
/// too, because a few texts occur twice in a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerKey(pub Vec<String>);

impl AnswerKey {
    /// The key of a request to a model.
    pub fn of(model: &ModelInfo, request: &GenerateRequest) -> Self {
        let GenerateRequest { sample, prompt, turns, sampling, .. } = request;
        let (repeat, sampling) = (sample.repeat.to_string(), serde_json::json!(sampling).to_string());
        let mut parts =
            vec![model.name.clone(), model.fingerprint.clone(), sample.id.clone(), repeat, prompt.clone(), sampling];
        if model.reads_turns && !turns.is_empty() {
            parts.push(serde_json::json!(turns).to_string());
        }
        AnswerKey(parts)
    }
}

/// Sends an answer for each request to `sink`: what is stored already first, the rest as the model answers, stored before it is
/// sent. An error is sent, too, and never stored.
///
/// # Errors
/// What ends the asking: the user, a refused key or an empty account (every further question would fail alike, or cost), a
/// failure of the whole batch, a store that cannot be written, a model that answers what was not asked. All that was answered
/// before is kept.
pub fn ask_all(
    model: &mut dyn Model,
    store: &mut dyn AnswerStore,
    requests: Vec<GenerateRequest>,
    is_cancelled: &(dyn Fn() -> bool + Sync),
    sink: &dyn Sink<Response<GenerateResult>>,
) -> Result<AskReport> {
    let info = model.info()?;
    let mut report = AskReport::default();
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        let mut open = Vec::new();
        for request in requests.by_ref().take(WINDOW) {
            let key = AnswerKey::of(&info, &request);
            let Some(answer) = store.get(&key) else {
                open.push((key, request));
                continue;
            };
            report.known += 1;
            if sink.send(Response::ok(request.id, answer)) == Flow::Stop {
                return Err(interrupted());
            }
        }
        if is_cancelled() {
            return Err(interrupted());
        }
        if !open.is_empty() {
            let asked = ask(model, store, &open, &mut report, is_cancelled, sink);
            store.sync()?;
            asked?;
        }
    }
    Ok(report)
}

/// What the answers to one window have in common.
struct Window<'a> {
    store: &'a mut dyn AnswerStore,
    report: &'a mut AskReport,
    open: &'a [(AnswerKey, GenerateRequest)],
    answered: Vec<bool>,
    /// Why no more is asked.
    ended: Option<PluginError>,
}

fn ask(
    model: &mut dyn Model,
    store: &mut dyn AnswerStore,
    open: &[(AnswerKey, GenerateRequest)],
    report: &mut AskReport,
    is_cancelled: &(dyn Fn() -> bool + Sync),
    sink: &dyn Sink<Response<GenerateResult>>,
) -> Result<()> {
    // Ids are the caller's; what goes to the model is numbered.
    let numbered = open.iter().zip(0..).map(|((_, request), id)| GenerateRequest { id, ..request.clone() }).collect();
    let window = Mutex::new(Window { store, report, open, answered: vec![false; open.len()], ended: None });
    let returned = model.generate(numbered, &|response: Response<GenerateResult>| {
        let mut window = window.lock();
        if window.ended.is_some() {
            return Flow::Stop;
        }
        match window.take(response) {
            Err(error) => window.ended = Some(error),
            Ok(response) => {
                if sink.send(response) == Flow::Stop || is_cancelled() {
                    window.ended = Some(interrupted());
                }
            }
        }
        if window.ended.is_some() { Flow::Stop } else { Flow::Continue }
    });
    let Window { report, answered, ended, .. } = window.into_inner();
    if let Some(error) = ended {
        return Err(error);
    }
    returned?;
    for ((_, request), _) in open.iter().zip(answered).filter(|(_, answered)| !answered) {
        let message = format!("the model left `{}` without an answer", request.sample.id);
        let error = PluginError::new(ErrorCode::Protocol, message);
        report.add_failure(&error);
        if sink.send(Response::err(request.id, error)) == Flow::Stop {
            return Err(interrupted());
        }
    }
    Ok(())
}

impl Window<'_> {
    /// Stores an answer, and gives it the caller's id.
    fn take(&mut self, response: Response<GenerateResult>) -> Result<Response<GenerateResult>> {
        let index = usize::try_from(response.id).ok().filter(|index| self.answered.get(*index) == Some(&false));
        let Some(index) = index else {
            // It would be a wrong answer to another question.
            let message = format!("the model answered request {}, which is not open", response.id);
            return Err(PluginError::new(ErrorCode::Protocol, message));
        };
        self.answered[index] = true;
        let (key, request) = &self.open[index];
        let result = match response.result {
            Ok(mut answer) => {
                // The text says it all; tokens are the model's own.
                answer.tokens = Vec::new();
                self.store.add(key, request, &answer)?;
                self.report.answered += 1;
                Ok(answer)
            }
            Err(error) => match error.code {
                ErrorCode::Authentication | ErrorCode::Quota | ErrorCode::Cancelled => return Err(error),
                _ => {
                    self.report.add_failure(&error);
                    Err(error)
                }
            },
        };
        Ok(Response { id: request.id, result })
    }
}

fn interrupted() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
