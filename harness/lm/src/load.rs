//! The role `model` of a plugin that runs models here.

use crate::{OwnOptions, WithLocalOptions};
use examiner_api::{
    Ask, GenerateRequest, GenerateResult, Host, Metadata, Model, ModelInfo, Open, Response, Result, ScoreRequest,
    ScoreResult, Sink, TokenCount,
};
use std::marker::PhantomData;

/// How a plugin loads a model.
pub trait LoadModel: 'static {
    /// What the plugin's models have for options beside those of every local model.
    type Options: OwnOptions;

    /// The name of the option with the checkpoint, as in [`Open::CHECKPOINT_OPTION`].
    const CHECKPOINT_OPTION: Option<&'static str> = None;

    /// Loads a model: a [`crate::LocalModel`] around one of the plugin's decoders, which only the options tell.
    ///
    /// # Errors
    /// What is wrong with options, checkpoint or device.
    fn load(options: WithLocalOptions<Self::Options>, host: Host) -> Result<Box<dyn Model>>;
}

/// A model that was loaded by `L`.
pub struct LoadedModel<L> {
    model: Box<dyn Model>,
    loader: PhantomData<fn() -> L>,
}

impl<L: LoadModel> Open for LoadedModel<L> {
    type Options = WithLocalOptions<L::Options>;

    const CHECKPOINT_OPTION: Option<&'static str> = L::CHECKPOINT_OPTION;

    fn open(options: Self::Options, host: Host) -> Result<Self> {
        Ok(LoadedModel { model: L::load(options, host)?, loader: PhantomData })
    }
}

impl<L: LoadModel> Model for LoadedModel<L> {
    fn info(&self) -> Result<ModelInfo> {
        self.model.info()
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        self.model.score(requests, sink)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        self.model.generate(requests, sink)
    }

    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        self.model.count_tokens(asks)
    }

    fn usage(&mut self) -> Result<Metadata> {
        self.model.usage()
    }
}
