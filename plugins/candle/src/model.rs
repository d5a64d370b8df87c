//! The role `candle`: finds the checkpoint's family and puts decoder, tokenizer and limits together.

use crate::backend::{Backend, Cpu, Ops};
use crate::device::ComputeDevice;
use crate::families::{self, Config, Plan, Transformer};
use crate::options::{CandleOptions, Options};
use crate::tensors::{Gguf, Tensors};
use candle_core::DType;
use examiner_api::{Host, Metadata, Model, PluginError, Result};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{LoadModel, LoadedModel, LocalModel, ModelSource};
use std::path::{Path, PathBuf};

/// A language model on candle.
pub type Candle = LoadedModel<CandleLoader>;

/// Loads models for [`Candle`].
pub struct CandleLoader;

impl LoadModel for CandleLoader {
    type Options = CandleOptions;

    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn load(options: Options, host: Host) -> Result<Box<dyn Model>> {
        let device = ComputeDevice::find(&options.own.device)?;
        device.check(options.own.dtype)?;
        let kind = device.kind();
        let dtype = options.own.dtype.dtype();
        let source = Source::open(&options.own.checkpoint, &host, dtype)?;
        match device {
            ComputeDevice::Cpu => source.model(Cpu::new(options.own.dtype.weight_type()), kind, options),
            ComputeDevice::Ops(device) => source.model(Ops::new(device, dtype), kind, options),
        }
    }
}

/// A checkpoint with its plan and its weights, which are not read yet.
struct Source {
    checkpoint: Checkpoint,
    plan: Plan,
    tensors: Tensors,
    /// The files that the weights are in.
    files: Vec<PathBuf>,
}

impl Source {
    /// Finds out what a checkpoint is: a GGUF file, or a directory in Hugging Face's layout.
    fn open(source: &str, host: &Host, dtype: DType) -> Result<Self> {
        if source.ends_with(".gguf") {
            let path = host.fetch(source)?;
            let mut gguf = Gguf::open(&path)?;
            let beside = source.rsplit_once('/').map_or(".", |(directory, _)| directory);
            let checkpoint = Checkpoint::with_config(beside, host, gguf.config()?, path)?;
            let config = Config::new(&checkpoint.config, &checkpoint.config_path, dtype);
            let plan = families::gguf::plan(&config, gguf.rope_factors()?)?;
            checkpoint.check_vocabulary(plan.vocabulary)?;
            return Ok(Source { plan, checkpoint, tensors: Tensors::quantized(gguf, dtype), files: Vec::new() });
        }
        let checkpoint = Checkpoint::open(source, host)?;
        let plan = families::plan(&Config::new(&checkpoint.config, &checkpoint.config_path, dtype))?;
        checkpoint.check_vocabulary(plan.vocabulary)?;
        let weights = checkpoint.weights()?;
        let tensors = Tensors::open(&weights, dtype)?;
        let files = weights.paths().into_iter().map(PathBuf::from).collect();
        Ok(Source { checkpoint, plan, tensors, files })
    }

    /// Loads the weights for a backend.
    fn model<B: Backend + 'static>(self, backend: B, kind: &str, options: Options) -> Result<Box<dyn Model>> {
        let Source { checkpoint, plan, tensors, files } = self;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        // Both read all weights, and neither keeps all processors busy.
        let (decoder, identity) = std::thread::scope(|scope| {
            let identity = scope.spawn(|| checkpoint.identity(&files));
            let decoder = Transformer::load(backend, plan, tensors);
            let hashed = identity.join().unwrap_or_else(|panic| Err(PluginError::from_panic("hashing", &*panic)));
            (decoder, hashed)
        });
        let (decoder, identity) = (decoder?, identity?);
        let mut arithmetic = Metadata::new();
        arithmetic.insert("device".to_owned(), kind.into());
        arithmetic.insert("dtype".to_owned(), options.own.dtype.name().into());
        let source = ModelSource {
            name: options.own.checkpoint,
            checkpoint,
            identity,
            arithmetic,
            warnings: Vec::new(),
            details: Metadata::new(),
        };
        Ok(Box::new(LocalModel::open(decoder, source, options.local)?))
    }
}
