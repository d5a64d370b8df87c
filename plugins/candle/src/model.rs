//! The role `candle`: finds the checkpoint's family and puts decoder, tokenizer and limits together.

use crate::backend::{Backend, Cpu, Ops};
use crate::device::Place;
use crate::families::{self, Config, Plan, Transformer};
use crate::options::Options;
use crate::tensors::{Gguf, Tensors};
use candle_core::DType;
use examiner_api::{
    GenerateRequest, GenerateResult, Host, Metadata, Model, ModelInfo, Open, PluginError, Response, Result,
    ScoreRequest, ScoreResult, Sink,
};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{Decoder, LocalModel};
use std::path::{Path, PathBuf};

/// A language model on candle.
pub struct Candle {
    model: Box<dyn Model>,
}

impl Open for Candle {
    type Options = Options;

    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn open(options: Options, host: Host) -> Result<Self> {
        let place = Place::find(&options.device)?;
        place.check(options.dtype)?;
        let kind = place.kind();
        let dtype = options.dtype.dtype();
        let source = Source::open(&options.checkpoint, &host, dtype)?;
        let model = match place {
            Place::Cpu => source.model(Cpu::new(options.dtype), kind, &options)?,
            Place::Ops(device) => source.model(Ops::new(device, dtype), kind, &options)?,
        };
        let info = model.info()?;
        host.info(format!("`{}` with fingerprint {} on {kind}", options.checkpoint, info.fingerprint));
        Ok(Candle { model })
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
        let tensors = Tensors::open_files(&weights, dtype)?;
        let files = weights.paths().into_iter().map(PathBuf::from).collect();
        Ok(Source { checkpoint, plan, tensors, files })
    }

    /// Loads the weights for a backend.
    fn model<B: Backend + 'static>(self, backend: B, kind: &str, options: &Options) -> Result<Box<dyn Model>> {
        let Source { checkpoint, plan, tensors, files } = self;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        // Both read all weights, and neither keeps all processors busy.
        let (transformer, fingerprint) = std::thread::scope(|scope| {
            let fingerprint = scope.spawn(|| checkpoint.fingerprint(&files));
            let transformer = Transformer::load(backend, plan, tensors);
            let hashed = fingerprint.join().unwrap_or_else(|panic| Err(PluginError::from_panic("hashing", &*panic)));
            (transformer, hashed)
        });
        finish(transformer?, kind, checkpoint, &fingerprint?, options)
    }
}

fn finish<D>(
    decoder: D,
    kind: &str,
    checkpoint: Checkpoint,
    fingerprint: &str,
    options: &Options,
) -> Result<Box<dyn Model>>
where
    D: Decoder + 'static,
{
    let dtype = format!("{:?}", options.dtype).to_lowercase();
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{fingerprint} {dtype} {kind}").as_bytes());
    let mut details = Metadata::new();
    details.insert("family".to_owned(), checkpoint.model_type().into());
    details.insert("device".to_owned(), kind.into());
    details.insert("dtype".to_owned(), dtype.into());
    details.insert("cache_bytes_per_token".to_owned(), decoder.cache_bytes_per_token().into());
    let info = ModelInfo {
        name: options.checkpoint.clone(),
        checkpoint: Some(options.checkpoint.clone()),
        fingerprint: hasher.finalize().to_hex().to_string(),
        can_score: true,
        can_generate: true,
        context_length: u32::try_from(decoder.context_length()).ok(),
        vocabulary: u32::try_from(decoder.vocabulary()).ok(),
        details,
        ..ModelInfo::default()
    };
    let chat = checkpoint.chat(&options.conversation())?;
    Ok(Box::new(LocalModel::new(decoder, checkpoint.tokenizer, options.limits(), info)?.with_chat(chat)))
}

impl Model for Candle {
    fn info(&self) -> Result<ModelInfo> {
        self.model.info()
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        self.model.score(requests, sink)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        self.model.generate(requests, sink)
    }
}
