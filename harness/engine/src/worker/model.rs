//! A model in a worker. When the worker dies, the samples in flight are tried again to find the one that ended it, and only
//! that one becomes an error.

use super::isolated::{CallEnd, IsolatedRole};
use crate::pending::PendingRequests;
use examiner_api::wire::{decode, encode, if_known, method};
use examiner_api::{
    Ask, ErrorCode, Flow, GenerateRequest, GenerateResult, Metadata, Model, ModelInfo, PluginError, Response, Result,
    SampleRef, ScoreRequest, ScoreResult, Sink, TokenCount,
};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

/// More samples than this are first tried in groups of so many: alone, a sample shares no computation with others.
const GROUP: usize = 64;

/// A model in a process of its own.
pub(super) struct IsolatedModel {
    role: IsolatedRole,
    info: ModelInfo,
}

impl IsolatedModel {
    pub(super) fn new(mut role: IsolatedRole) -> Result<Self> {
        let info = decode(&role.query(method::INFO)?)?;
        Ok(IsolatedModel { role, info })
    }
}

impl Model for IsolatedModel {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        RetryingCall::new(&mut self.role, method::SCORE, &requests, sink).run(&requests)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        RetryingCall::new(&mut self.role, method::GENERATE, &requests, sink).run(&requests)
    }

    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        match self.role.call(method::COUNT_TOKENS, &encode(asks)?, &|_| Flow::Stop)? {
            CallEnd::Returned(result) => decode(&result?),
            CallEnd::Died(error) => Err(error),
        }
    }

    /// What a process that has died had done is not known.
    fn usage(&mut self) -> Result<Metadata> {
        if !self.role.is_alive() {
            return Ok(Metadata::new());
        }
        if_known(method::USAGE, self.role.query(method::USAGE).and_then(|answer| decode(&answer)))
    }
}

/// What both kinds of request have in common.
trait Request: Serialize {
    fn id(&self) -> u64;
    fn sample(&self) -> &SampleRef;
}

macro_rules! request {
    ($request:ident) => {
        impl Request for $request {
            fn id(&self) -> u64 {
                self.id
            }

            fn sample(&self) -> &SampleRef {
                &self.sample
            }
        }
    };
}

request!(ScoreRequest);
request!(GenerateRequest);

/// One call of the model, however many calls of its workers that takes.
struct RetryingCall<'a, T> {
    role: &'a mut IsolatedRole,
    method: &'static str,
    sink: &'a dyn Sink<Response<T>>,
    state: Mutex<State>,
    /// Samples in a row that ended the process, each of them alone.
    deaths: u32,
}

struct State {
    pending: PendingRequests,
    stopped: bool,
    /// A response that cannot be read, or that breaks the contract.
    failure: Option<PluginError>,
}

impl<'a, T: DeserializeOwned> RetryingCall<'a, T> {
    fn new<Q: Request>(
        role: &'a mut IsolatedRole,
        method: &'static str,
        requests: &[Q],
        sink: &'a dyn Sink<Response<T>>,
    ) -> Self {
        let pending = PendingRequests::new(requests.iter().map(Q::id));
        let state = Mutex::new(State { pending, stopped: false, failure: None });
        RetryingCall { role, method, sink, state, deaths: 0 }
    }

    fn run<Q: Request>(mut self, requests: &[Q]) -> Result<()> {
        let all: Vec<&Q> = requests.iter().collect();
        let Some(death) = self.ask(&all)? else { return Ok(()) };
        let mut left = self.unanswered(&all);
        let samples = left.len();
        if samples == 0 || self.is_over() {
            return Ok(());
        }
        self.role.host.warn(format!("{death}; trying again the {samples} samples that were in flight"));
        while !left.is_empty() && !self.is_over() {
            let group = left.drain(..left.len().min(GROUP)).collect::<Vec<_>>();
            self.retry(group, samples > GROUP)?;
        }
        Ok(())
    }

    /// Tries samples again, each of them alone; with `together`, first all of them at once.
    fn retry<Q: Request>(&mut self, mut samples: Vec<Vec<&Q>>, together: bool) -> Result<()> {
        if together {
            let group: Vec<&Q> = samples.iter().flatten().copied().collect();
            let asked = self.ask(&group);
            if self.death_of(asked, &group)?.is_none() {
                return Ok(());
            }
            samples = self.unanswered(&group);
        }
        for sample in samples {
            if self.is_over() {
                break;
            }
            let asked = self.ask(&sample);
            if let Some(death) = self.death_of(asked, &sample)? {
                self.on_death(&sample, death)?;
            } else {
                self.deaths = 0;
            }
        }
        Ok(())
    }

    /// The death that an attempt ended with, if it did. Another failure becomes that of the requests of the attempt.
    fn death_of<Q: Request>(&self, asked: Result<Option<PluginError>>, requests: &[&Q]) -> Result<Option<PluginError>> {
        match asked {
            Err(error) if !error.code.ends_stage() && error.code != ErrorCode::Protocol => {
                self.fail(requests, &error);
                Ok(None)
            }
            asked => asked,
        }
    }

    /// Handles a sample that has ended the process twice, the second time alone.
    fn on_death<Q: Request>(&mut self, sample: &[&Q], death: PluginError) -> Result<()> {
        self.fail(sample, &death);
        self.deaths += 1;
        if self.deaths < self.role.deaths_max() {
            return Ok(());
        }
        let message =
            format!("{} samples in a row ended the process of {}, each of them alone", self.deaths, self.role.label());
        Err(PluginError {
            code: ErrorCode::Crashed,
            message,
            causes: [death.message].into_iter().chain(death.causes).collect(),
            help: death.help,
        })
    }

    /// Answers those of the requests that have no response yet with an error.
    fn fail<Q: Request>(&self, requests: &[&Q], error: &PluginError) {
        for request in requests {
            let is_claimed = self.state.lock().pending.claim(request.id()).is_ok();
            if is_claimed && self.sink.send(Response::err(request.id(), error.clone())) == Flow::Stop {
                self.state.lock().stopped = true;
            }
        }
    }

    /// Asks a worker, and returns how it died, if it did.
    fn ask<Q: Request>(&mut self, requests: &[&Q]) -> Result<Option<PluginError>> {
        let (state, sink) = (&self.state, self.sink);
        let receive = |bytes: &[u8]| match decode::<Response<T>>(bytes) {
            Ok(response) => {
                let claimed = state.lock().pending.claim(response.id);
                // The caller checks its own requests: it has to see a response that breaks the contract, too.
                let flow = sink.send(response);
                let mut state = state.lock();
                state.stopped |= flow == Flow::Stop;
                claimed.map_or_else(
                    |breach| {
                        state.failure.get_or_insert(breach);
                        Flow::Stop
                    },
                    |()| flow,
                )
            }
            Err(error) => {
                state.lock().failure.get_or_insert(error);
                Flow::Stop
            }
        };
        let end = self.role.call(self.method, &encode(requests)?, &receive)?;
        if let Some(error) = state.lock().failure.take() {
            return Err(error);
        }
        match end {
            CallEnd::Returned(result) => decode::<()>(&result?).map(|()| None),
            CallEnd::Died(error) => Ok(Some(error)),
        }
    }

    /// Requests without a response, those of one sample together.
    fn unanswered<'q, Q: Request>(&self, requests: &[&'q Q]) -> Vec<Vec<&'q Q>> {
        let state = self.state.lock();
        let mut samples: Vec<Vec<&'q Q>> = Vec::new();
        for request in requests.iter().filter(|request| state.pending.is_waiting(request.id())) {
            match samples.last_mut() {
                Some(sample) if is_same_sample(sample[0].sample(), request.sample()) => sample.push(request),
                _ => samples.push(vec![request]),
            }
        }
        samples
    }

    /// Whether no more responses are wanted.
    fn is_over(&self) -> bool {
        self.state.lock().stopped || self.role.host.is_cancelled()
    }
}

/// Whether two requests belong to one sample. Samples without an id cannot be compared, and count as different.
fn is_same_sample(one: &SampleRef, other: &SampleRef) -> bool {
    !one.id.is_empty() && (&one.dataset, &one.id, one.repeat) == (&other.dataset, &other.id, other.repeat)
}
