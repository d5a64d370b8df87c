//! A model in a worker. When the worker dies, the samples in flight are tried once more to find the one that ended it, and
//! that one alone becomes an error.

use super::connection::lock;
use super::isolated::{Ended, Isolated};
use examiner_api::wire::{decode, encode, method};
use examiner_api::{
    ErrorCode, Flow, GenerateRequest, GenerateResult, Model, ModelInfo, PluginError, Response, Result, SampleRef,
    ScoreRequest, ScoreResult, Sink,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashSet;
use std::sync::Mutex;

/// More samples than this are first tried in groups of so many: alone, each would be deprived of what it shares with others.
const GROUP: usize = 64;

/// A model in a process of its own.
pub(super) struct IsolatedModel {
    role: Isolated,
    info: ModelInfo,
}

impl IsolatedModel {
    pub(super) fn new(role: Isolated) -> Result<Self> {
        let info = decode(&role.ask(method::INFO)?)?;
        Ok(IsolatedModel { role, info })
    }
}

impl Model for IsolatedModel {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        Batch::new(&mut self.role, method::SCORE, sink).run(&requests)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        Batch::new(&mut self.role, method::GENERATE, sink).run(&requests)
    }
}

/// What both kinds of request have.
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
struct Batch<'a, T> {
    role: &'a mut Isolated,
    method: &'static str,
    sink: &'a dyn Sink<Response<T>>,
    seen: Mutex<Seen>,
    /// Samples that ended the process, alone, since the last that did not.
    deaths: u32,
}

#[derive(Default)]
struct Seen {
    answered: HashSet<u64>,
    stopped: bool,
    /// A result that is none.
    broken: Option<PluginError>,
}

impl<'a, T: DeserializeOwned> Batch<'a, T> {
    fn new(role: &'a mut Isolated, method: &'static str, sink: &'a dyn Sink<Response<T>>) -> Self {
        Batch { role, method, sink, seen: Mutex::default(), deaths: 0 }
    }

    fn run<Q: Request>(mut self, requests: &[Q]) -> Result<()> {
        let whole: Vec<&Q> = requests.iter().collect();
        let Some(death) = self.ask(&whole)? else { return Ok(()) };
        let mut left = self.unanswered(&whole);
        let samples = left.len();
        if samples == 0 || self.is_over() {
            return Ok(());
        }
        self.role.host.warn(format!("{death}; trying again the {samples} samples that were in flight"));
        while !left.is_empty() && !self.is_over() {
            let group = left.drain(..left.len().min(GROUP)).collect::<Vec<_>>();
            self.search(group, samples > GROUP)?;
        }
        Ok(())
    }

    /// Tries samples again, alone; first together, if there are many groups.
    fn search<Q: Request>(&mut self, mut samples: Vec<Vec<&Q>>, together: bool) -> Result<()> {
        if together {
            let group: Vec<&Q> = samples.iter().flatten().copied().collect();
            let outcome = self.ask(&group);
            if self.settled(outcome, &group)?.is_none() {
                return Ok(());
            }
            samples = self.unanswered(&group);
        }
        for sample in samples {
            if self.is_over() {
                break;
            }
            let outcome = self.ask(&sample);
            if let Some(death) = self.settled(outcome, &sample)? {
                self.on_death(&sample, death)?;
            } else {
                self.deaths = 0;
            }
        }
        Ok(())
    }

    /// The death that a try ended with, if it did; another failure is that of what was tried.
    fn settled<Q: Request>(&self, outcome: Result<Option<PluginError>>, tried: &[&Q]) -> Result<Option<PluginError>> {
        match outcome {
            Err(error) if !error.code.ends_stage() && error.code != ErrorCode::Protocol => {
                self.fail(tried, &error);
                Ok(None)
            }
            outcome => outcome,
        }
    }

    /// A sample that has ended the process twice, the second time alone.
    fn on_death<Q: Request>(&mut self, sample: &[&Q], death: PluginError) -> Result<()> {
        self.fail(sample, &death);
        self.deaths += 1;
        if self.deaths < self.role.deaths() {
            return Ok(());
        }
        let message =
            format!("{} samples in a row ended the process of {}, each of them alone", self.deaths, self.role.name());
        Err(PluginError {
            code: ErrorCode::Crashed,
            message,
            causes: [death.message].into_iter().chain(death.causes).collect(),
            help: death.help,
        })
    }

    fn fail<Q: Request>(&self, requests: &[&Q], error: &PluginError) {
        for request in requests {
            if lock(&self.seen).answered.insert(request.id())
                && self.sink.send(Response::err(request.id(), error.clone())) == Flow::Stop
            {
                lock(&self.seen).stopped = true;
            }
        }
    }

    /// Asks a worker, and returns how it died, if it did.
    fn ask<Q: Request>(&mut self, requests: &[&Q]) -> Result<Option<PluginError>> {
        let (seen, sink) = (&self.seen, self.sink);
        let take = |bytes: &[u8]| match decode::<Response<T>>(bytes) {
            Ok(response) => {
                lock(seen).answered.insert(response.id);
                let flow = sink.send(response);
                lock(seen).stopped |= flow == Flow::Stop;
                flow
            }
            Err(error) => {
                lock(seen).broken = Some(error);
                Flow::Stop
            }
        };
        let ended = self.role.call(self.method, &encode(requests)?, &take)?;
        if let Some(error) = lock(seen).broken.take() {
            return Err(error);
        }
        match ended {
            Ended::Returned(result) => result.map(|_| None),
            Ended::Died(error) => Ok(Some(error)),
        }
    }

    /// Requests without an answer, those of one sample together.
    fn unanswered<'q, Q: Request>(&self, requests: &[&'q Q]) -> Vec<Vec<&'q Q>> {
        let seen = lock(&self.seen);
        let mut samples: Vec<Vec<&'q Q>> = Vec::new();
        for request in requests.iter().filter(|request| !seen.answered.contains(&request.id())) {
            match samples.last_mut() {
                Some(sample) if same(sample[0].sample(), request.sample()) => sample.push(request),
                _ => samples.push(vec![request]),
            }
        }
        samples
    }

    /// Whether nothing more is wanted.
    fn is_over(&self) -> bool {
        lock(&self.seen).stopped || self.role.host.is_cancelled()
    }
}

/// Whether two requests are of one sample. A sample without an id is told from others by nothing.
fn same(one: &SampleRef, other: &SampleRef) -> bool {
    !one.id.is_empty() && (&one.dataset, &one.id, one.repeat) == (&other.dataset, &other.id, other.repeat)
}
