//! The role `candle`: finds the checkpoint's family and puts decoder, tokenizer and limits together.

use crate::backend::{Backend, Cpu, Ops};
use crate::device::ComputeDevice;
use crate::families::{self, Config, Plan, Transformer};
use crate::gguf::Gguf;
use crate::options::{CandleOptions, Options};
use crate::tensors::Tensors;
use candle_core::DType;
use examiner_api::{Host, Metadata, Model, PluginError, Result};
use examiner_lm::checkpoint::{Checkpoint, GgufFile};
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
        let source = Source::open(&options.own, &host, dtype)?;
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
    fn open(options: &CandleOptions, host: &Host, dtype: DType) -> Result<Self> {
        let source = options.checkpoint.as_str();
        if Gguf::is_address(source) {
            return Self::open_gguf(source, options.tokenizer.as_deref(), host, dtype);
        }
        if options.tokenizer.is_some() {
            return Err(PluginError::bad_options("`tokenizer` is for checkpoints that are a `.gguf` file")
                .with_help("leave it out: a checkpoint in a directory has its own `tokenizer.json`"));
        }
        let checkpoint = Checkpoint::open(source, host)?;
        let plan = families::plan(&Config::new(&checkpoint.config, &checkpoint.config_path, dtype))?;
        checkpoint.check_vocabulary(plan.vocabulary)?;
        let weights = checkpoint.weights()?;
        let tensors = Tensors::open(&weights, dtype)?;
        let files = weights.paths().into_iter().map(PathBuf::from).collect();
        Ok(Source { checkpoint, plan, tensors, files })
    }

    /// A GGUF file, or several parts of one. Nothing beside it is read, but the tokenizer that the user names.
    fn open_gguf(source: &str, tokenizer: Option<&str>, host: &Host, dtype: DType) -> Result<Self> {
        let mut gguf = Gguf::open(source, host)?;
        let config = families::gguf::config(&mut gguf)?;
        let path = gguf.path().to_owned();
        let plan = families::gguf::plan(&Config::new(&config, &path, dtype), &mut gguf)?;
        let described = GgufFile { path, config, tokenizer: gguf.tokenizer()? };
        let checkpoint = Checkpoint::from_gguf(source, host, described, tokenizer)?;
        checkpoint.check_vocabulary(plan.vocabulary)?;
        let files = gguf.further_paths();
        Ok(Source { plan, checkpoint, tensors: Tensors::quantized(gguf, dtype), files })
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
