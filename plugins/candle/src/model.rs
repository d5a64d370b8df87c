//! The role `candle`: finds the checkpoint's family and puts decoder, tokenizer and limits together.

use crate::backend::{Backend, Cpu, Ops};
use crate::device::Place;
use crate::families::{self, Config, Transformer};
use crate::options::Options;
use crate::tensors::Tensors;
use examiner_api::{
    GenerateRequest, GenerateResult, Host, Metadata, Model, ModelInfo, Open, Response, Result, ScoreRequest,
    ScoreResult, Sink,
};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{Decoder, LocalModel};
use std::path::Path;

/// A language model on candle.
pub struct Candle {
    model: Box<dyn Model>,
}

impl Open for Candle {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let place = Place::find(&options.device)?;
        let checkpoint = Checkpoint::open(&options.checkpoint, &host)?;
        let kind = place.kind();
        let model = match place {
            Place::Cpu => open_on(Cpu::new(), kind, checkpoint, &options)?,
            Place::Ops(device) => open_on(Ops::new(device, options.dtype.dtype()), kind, checkpoint, &options)?,
        };
        let info = model.info()?;
        host.info(format!("`{}` with fingerprint {} on {kind}", options.checkpoint, info.fingerprint));
        Ok(Candle { model })
    }
}

/// Opens a checkpoint of any family on a backend.
fn open_on<B>(backend: B, kind: &str, checkpoint: Checkpoint, options: &Options) -> Result<Box<dyn Model>>
where
    B: Backend + 'static,
{
    let dtype = options.dtype.dtype();
    let plan = families::plan(&Config::new(&checkpoint.config, &checkpoint.config_path, dtype))?;
    checkpoint.check_vocabulary(plan.vocabulary)?;
    let weights = checkpoint.fetch("model.safetensors")?;
    let tensors = Tensors::open(&weights, dtype)?;
    finish(Transformer::load(backend, plan, tensors)?, kind, checkpoint, &weights, options)
}

fn finish<D>(
    decoder: D,
    kind: &str,
    checkpoint: Checkpoint,
    weights: &Path,
    options: &Options,
) -> Result<Box<dyn Model>>
where
    D: Decoder + 'static,
{
    let dtype = format!("{:?}", options.dtype).to_lowercase();
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{} {dtype} {kind}", checkpoint.fingerprint(&[weights])?).as_bytes());
    let mut details = Metadata::new();
    details.insert("family".to_owned(), checkpoint.model_type().into());
    details.insert("device".to_owned(), kind.into());
    details.insert("dtype".to_owned(), dtype.into());
    details.insert("cache_bytes_per_token".to_owned(), decoder.cache_bytes_per_token().into());
    let info = ModelInfo {
        name: options.checkpoint.clone(),
        fingerprint: hasher.finalize().to_hex().to_string(),
        can_score: true,
        can_generate: true,
        context_length: u32::try_from(decoder.context_length()).ok(),
        vocabulary: u32::try_from(decoder.vocabulary()).ok(),
        details,
    };
    Ok(Box::new(LocalModel::new(decoder, checkpoint.tokenizer, options.limits(), info)?))
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
