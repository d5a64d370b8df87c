//! The role `candle`: finds the checkpoint's family and puts decoder, tokenizer and limits together.

use crate::backend::{Cpu, Ops};
use crate::device::{ComputeDevice, NumberType};
use crate::families::adapter::CRATE;
use crate::families::{Family, Transformer};
use crate::options::{CandleOptions, Options};
use crate::precision::{isa, unit_of};
use crate::tensors::Tensors;
use candle_core::DType;
use examiner_api::{BatchInvariance, Host, Metadata, Model, PluginError, Result};
use examiner_families::{Config, Precision};
use examiner_gguf::Gguf;
use examiner_kernels::Products;
use examiner_lm::checkpoint::{Checkpoint, GgufFile};
use examiner_lm::{Decoder, LoadModel, LoadedModel, LocalModel, LocalOptions, ModelSource};
use std::path::{Path, PathBuf};

/// A language model on candle.
pub type Candle = LoadedModel<CandleLoader>;

/// A loaded model, whichever its family and device are.
type Loaded = LocalModel<Box<dyn Decoder>>;

/// Loads models for [`Candle`].
pub struct CandleLoader;

impl LoadModel for CandleLoader {
    type Options = CandleOptions;

    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn load(options: Options, host: Host) -> Result<Box<dyn Model>> {
        let Options { own, local } = options;
        // The base comes first: what is wrong with it shows before the model is loaded.
        let base = own.base().map(|base| load(&base, LocalOptions::of_base(), &host)).transpose()?;
        let model = load(&own, local, &host)?;
        Ok(Box::new(match base {
            Some(base) => model.diverging_from(base)?,
            None => model,
        }))
    }
}

/// Loads one model, without the one that it is compared with.
fn load(own: &CandleOptions, local: LocalOptions, host: &Host) -> Result<Loaded> {
    let device = ComputeDevice::find(&own.device)?;
    device.check(own.dtype)?;
    let numbers = own.dtype;
    let (source, family) = Source::open(own, host, numbers.dtype())?;
    let in_blocks = numbers == NumberType::F32 && source.tensors.has_blocks();
    let whole_numbers = in_blocks || numbers == NumberType::Int8;
    let products = own.precision.products(&device, whole_numbers)?;
    let (kind, name) = (device.kind(), own.checkpoint.clone());
    match (family, device) {
        (Family::Described(plan), ComputeDevice::Cpu) => {
            let backend = Cpu::new(isa()?, numbers.weight_type(), products);
            let load = |tensors| Transformer::load(backend, *plan, tensors);
            let mut arithmetic = arithmetic(kind, numbers);
            if products != Products::F32 {
                arithmetic.insert("precision".to_owned(), own.precision.name().into());
            }
            if let Some(unit) = unit_of(products) {
                arithmetic.insert("unit".to_owned(), unit.into());
            }
            source.model(name, load, arithmetic, BatchInvariance::Exact, local)
        }
        (Family::Described(plan), ComputeDevice::Ops(device)) => {
            let backend = Ops::new(device, numbers.dtype());
            let load = |tensors| Transformer::load(backend, *plan, tensors);
            source.model(name, load, arithmetic(kind, numbers), BatchInvariance::NotPromised, local)
        }
        (Family::Adapted(adapted), device) => {
            adapted.check(numbers, own.precision)?;
            let device = device.of_candle();
            let mut arithmetic = arithmetic(ComputeDevice::Ops(device.clone()).kind(), numbers);
            arithmetic.insert("implementation".to_owned(), CRATE.into());
            let source = Source { details: adapted.details(), ..source };
            source.model(name, |tensors| adapted.load(device, tensors), arithmetic, BatchInvariance::NotPromised, local)
        }
    }
}

/// What results depend on beside the checkpoint.
fn arithmetic(device: &str, numbers: NumberType) -> Metadata {
    let mut arithmetic = Metadata::new();
    arithmetic.insert("device".to_owned(), device.into());
    arithmetic.insert("dtype".to_owned(), numbers.name().into());
    arithmetic
}

/// What weights of that type are rounded to.
fn precision(dtype: DType) -> Precision {
    match dtype {
        DType::F16 => Precision::F16,
        DType::BF16 => Precision::Bf16,
        _ => Precision::F32,
    }
}

/// A checkpoint and its weights, which are not read yet.
struct Source {
    checkpoint: Checkpoint,
    /// Number of tokens that there are embeddings for.
    vocabulary: usize,
    tensors: Tensors,
    /// The files that the weights are in.
    files: Vec<PathBuf>,
    /// What else is worth to be known of the model.
    details: Metadata,
}

impl Source {
    /// Finds out what a checkpoint is: a GGUF file, or a directory in Hugging Face's layout.
    fn open(options: &CandleOptions, host: &Host, dtype: DType) -> Result<(Self, Family)> {
        let source = options.checkpoint.as_str();
        if Gguf::is_address(source) {
            return Self::open_gguf(source, options.tokenizer.as_deref(), host, dtype);
        }
        if options.tokenizer.is_some() {
            return Err(PluginError::bad_options("`tokenizer` is for checkpoints that are a `.gguf` file")
                .with_help("leave it out: a checkpoint in a directory has its own `tokenizer.json`"));
        }
        let checkpoint = Checkpoint::open(source, host)?;
        let family = Family::find(&Config::new(&checkpoint.config, &checkpoint.config_path, precision(dtype)))?;
        let vocabulary = family.vocabulary();
        let weights = checkpoint.weights()?;
        let tensors = Tensors::open(&weights, dtype)?;
        let files = weights.paths().into_iter().map(PathBuf::from).collect();
        Ok((Source { checkpoint, vocabulary, tensors, files, details: Metadata::new() }, family))
    }

    /// A GGUF file, or several parts of one. Nothing beside it is read, but the tokenizer that the user names.
    fn open_gguf(source: &str, tokenizer: Option<&str>, host: &Host, dtype: DType) -> Result<(Self, Family)> {
        let gguf = Gguf::open(source, host)?;
        let config = examiner_gguf::config(&gguf)?;
        let path = gguf.path().to_owned();
        let plan = examiner_gguf::plan(&Config::new(&config, &path, precision(dtype)), &gguf)?;
        let described = GgufFile { path, config, tokenizer: gguf.tokenizer()? };
        let checkpoint = Checkpoint::from_gguf(source, host, described, tokenizer)?;
        let vocabulary = plan.vocabulary;
        let files = gguf.further_paths();
        let (tensors, details) = (Tensors::quantized(gguf, dtype), Metadata::new());
        Ok((Source { checkpoint, vocabulary, tensors, files, details }, Family::Described(Box::new(plan))))
    }

    /// Loads the weights into a decoder.
    fn model<D: Decoder + 'static>(
        self,
        name: String,
        load: impl FnOnce(Tensors) -> Result<D>,
        arithmetic: Metadata,
        batch_invariance: BatchInvariance,
        options: LocalOptions,
    ) -> Result<Loaded> {
        let Source { checkpoint, vocabulary, tensors, files, details } = self;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        // None of the three keeps all processors busy.
        let (checked, identity, decoder) = std::thread::scope(|scope| {
            let checked = scope.spawn(|| checkpoint.check_vocabulary(vocabulary));
            let identity = scope.spawn(|| checkpoint.identity(&files));
            let decoder = load(tensors);
            let checked = checked.join().unwrap_or_else(|panic| Err(PluginError::from_panic("tokenizer", &*panic)));
            let identity = identity.join().unwrap_or_else(|panic| Err(PluginError::from_panic("hashing", &*panic)));
            (checked, identity, decoder)
        });
        checked?;
        let (decoder, identity) = (decoder?, identity?);
        let warnings = arithmetic.get("precision").map(|precision| {
            let precision = precision.as_str().unwrap_or_default();
            format!(
                "factors of products are rounded (`precision: {precision}`): scores are not those of `highest`, to the last digits or more",
            )
        });
        let warnings = warnings.into_iter().collect();
        let source = ModelSource { name, checkpoint, identity, arithmetic, batch_invariance, warnings, details };
        let decoder: Box<dyn Decoder> = Box::new(decoder);
        LocalModel::open(decoder, source, options)
    }
}
