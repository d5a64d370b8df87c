//! Makes calls in wire form look like the role that answers them.

use super::serve::no_method;
use super::{RawSink, decode, encode, method};
use crate::{
    Answered, Ask, Catalog, CatalogEntry, Dataset, DatasetInfo, Diagnostic, ExportJob, ExportReport, Exporter, Finding,
    Flow, GenerateRequest, GenerateResult, Metadata, Model, ModelInfo, OpenRole, PluginError, Question, Recipe,
    RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, Response, Result, RoleKind, Sample, ScoreRequest, ScoreResult,
    Scorer, ScorerInfo, Shot, Sink, TokenCount, TrainEvent, TrainJob, TrainReport, Trainer, Verdict,
};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

/// Carries a call to wherever the role is.
pub trait Call: Send {
    /// Calls a method of the role; see [`super::serve`].
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>>;
}

/// A role that is somewhere else. Implements every role's trait; a method that the real role does not have is answered
/// with [`crate::ErrorCode::Unsupported`].
pub struct Remote<C> {
    call: C,
}

impl<C: Call> Remote<C> {
    /// The role that `call` reaches.
    pub fn new(call: C) -> Self {
        Remote { call }
    }

    fn ask<T: DeserializeOwned>(&self, name: &str, payload: &(impl Serialize + ?Sized)) -> Result<T> {
        ask(&self.call, name, payload)
    }

    fn stream<T: DeserializeOwned, I: DeserializeOwned>(
        &self,
        name: &str,
        payload: &impl Serialize,
        sink: &dyn Sink<I>,
    ) -> Result<T> {
        stream(&self.call, name, payload, sink)
    }
}

/// Calls a method that streams nothing.
pub(super) fn ask<T: DeserializeOwned>(call: &impl Call, name: &str, payload: &(impl Serialize + ?Sized)) -> Result<T> {
    decode(&call.call(name, &encode(payload)?, &|_| Flow::Stop)?)
}

/// Calls a method, and decodes what it streams.
pub(super) fn stream<T: DeserializeOwned, I: DeserializeOwned>(
    call: &impl Call,
    name: &str,
    payload: &impl Serialize,
    sink: &dyn Sink<I>,
) -> Result<T> {
    let failure: Mutex<Option<PluginError>> = Mutex::new(None);
    let receive = |frame: &[u8]| match decode(frame) {
        Ok(item) => sink.send(item),
        Err(error) => {
            *failure.lock() = Some(error);
            Flow::Stop
        }
    };
    let answer = call.call(name, &encode(payload)?, &receive)?;
    failure.into_inner().map_or_else(|| decode(&answer), Err)
}

impl OpenRole {
    /// A role that is somewhere else, reached by `call`.
    pub fn remote(kind: RoleKind, call: impl Call + 'static) -> Self {
        let role = Box::new(Remote::new(call));
        match kind {
            RoleKind::Model => OpenRole::Model(role),
            RoleKind::Dataset => OpenRole::Dataset(role),
            RoleKind::Scorer => OpenRole::Scorer(role),
            RoleKind::Trainer => OpenRole::Trainer(role),
            RoleKind::Recipe => OpenRole::Recipe(role),
            RoleKind::Exporter => OpenRole::Exporter(role),
            RoleKind::Diagnostic => OpenRole::Diagnostic(role),
            RoleKind::Catalog => OpenRole::Catalog(role),
        }
    }
}

impl<C: Call> Model for Remote<C> {
    fn info(&self) -> Result<ModelInfo> {
        self.ask(method::INFO, &())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        self.stream(method::SCORE, &requests, sink)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        self.stream(method::GENERATE, &requests, sink)
    }

    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        self.ask(method::COUNT_TOKENS, asks)
    }

    fn usage(&mut self) -> Result<Metadata> {
        if_known(method::USAGE, self.ask(method::USAGE, &()))
    }
}

impl<C: Call> Dataset for Remote<C> {
    fn info(&self) -> Result<DatasetInfo> {
        self.ask(method::INFO, &())
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        self.ask(method::FEW_SHOT_POOL, &())
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.stream(method::SAMPLES, &(), sink)
    }

    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        self.stream(method::TRAINING_SAMPLES, &form, sink)
    }
}

impl<C: Call> Scorer for Remote<C> {
    fn info(&self) -> Result<ScorerInfo> {
        self.ask(method::INFO, &())
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        self.ask(method::REQUESTS, questions)
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        self.ask(method::VERDICTS, items)
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        self.ask(method::CORPUS, &(metric, statistics))
    }
}

/// The answer of a method that plugins of earlier versions do not have; nothing from one that has not.
pub fn if_known<T: Default>(method: &str, answer: Result<T>) -> Result<T> {
    answer.or_else(|error| if error.message == no_method(method) { Ok(T::default()) } else { Err(error) })
}

impl<C: Call> Trainer for Remote<C> {
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        if_known(method::CHECK, self.ask(method::CHECK, &from))
    }

    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        self.stream(method::TRAIN, &job, sink)
    }
}

impl<C: Call> Recipe for Remote<C> {
    fn info(&self) -> Result<RecipeInfo> {
        self.ask(method::INFO, &())
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        self.stream(method::MAKE, &job, sink)
    }
}

impl<C: Call> Exporter for Remote<C> {
    fn check(&mut self, from: &str) -> Result<()> {
        if_known(method::CHECK, self.ask(method::CHECK, from))
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        self.ask(method::EXPORT, &job)
    }
}

impl<C: Call> Diagnostic for Remote<C> {
    fn findings(&self) -> Result<Vec<Finding>> {
        self.ask(method::FINDINGS, &())
    }
}

impl<C: Call> Catalog for Remote<C> {
    fn entries(&self, pattern: &str, sink: &dyn Sink<CatalogEntry>) -> Result<()> {
        self.stream(method::ENTRIES, &pattern, sink)
    }
}
