//! The role `onnx`: finds the model's files and the runtime, and puts decoder, tokenizer and limits together.

mod assemble;
mod batches;
mod cache;
mod decoder;
mod file;
mod in_place;
mod logits;
mod options;
mod shape;
mod signature;
mod slots;

pub use options::{BaseOptions, GraphOptimization, OnnxOptions, Options};

use crate::providers::{self, Chosen, Device, Devices};
use crate::runtime::{Runtime, failed};
use assemble::Assembler;
use cache::Caches;
use decoder::OnnxDecoder;
use examiner_api::{BatchInvariance, Host, Metadata, Model, PluginError, Result};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{Decoder, LoadModel, LoadedModel, LocalModel, LocalOptions, ModelSource};
use file::ModelFile;
use in_place::InPlaceDecoder;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use shape::Shape;
use signature::Signature;
use slots::{SlotShape, Slots};

/// A language model in ONNX.
pub type Onnx = LoadedModel<OnnxLoader>;

/// Loads models for [`Onnx`].
pub struct OnnxLoader;

impl LoadModel for OnnxLoader {
    type Options = OnnxOptions;

    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn load(options: Options, host: Host) -> Result<Box<dyn Model>> {
        let Options { own, local } = options;
        let base = own.base().map(|base| load(base, LocalOptions::of_base(), host.clone())).transpose()?;
        let model = load(own, local, host)?;
        Ok(Box::new(match base {
            Some(base) => model.diverging_from(base)?,
            None => model,
        }))
    }
}

/// Loads one model, without the one that it is compared with.
fn load(options: OnnxOptions, local: LocalOptions, host: Host) -> Result<LocalModel<Box<dyn Decoder>>> {
    let checkpoint = Checkpoint::open(&options.checkpoint, &host)?;
    let shape = Shape::read(&checkpoint.config, &checkpoint.config_path)?;
    checkpoint.check_vocabulary(shape.vocabulary)?;
    let file = ModelFile::find(&checkpoint, options.file.as_deref())?;
    let runtime = Runtime::open(options.runtime.as_deref())?;
    let threads = match options.threads {
        Some(0) => return Err(PluginError::bad_options("expected `threads` to be at least 1, found `0`")),
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (mut session, chosen) = builder(&runtime, &options, threads, &host)?;
    let session = session.commit_from_file(&file.path).map_err(|error| refused(&file, &runtime, &error))?;
    let signature = Signature::read(session.inputs(), session.outputs(), shape, &file.path)?;
    let device = chosen.devices.iter().copied().find(|device| *device != Device::Cpu).unwrap_or(Device::Cpu);
    host.info(format!("ONNX Runtime {} from `{}`", runtime.version, runtime.path.display()));
    let source = source(checkpoint, &file, &runtime, &chosen)?;
    if signature.in_place {
        if device != Device::Cpu {
            return Err(PluginError::unsupported(format!(
                "`{}` adds keys and values in place (`operators: grouped`), which is for `device: cpu`",
                file.path.display()
            ))
            .with_help("export the model with `operators: fused` for a GPU"));
        }
        let tensors = signature.pasts.len();
        let slots = SlotShape { tensors, heads: signature.shape.heads, width: signature.shape.head_width };
        let (memory, slots) = (Device::Cpu.memory()?, Slots::new(slots));
        let decoder = InPlaceDecoder { session, signature, memory, slots, path: file.path };
        return LocalModel::open(Box::new(decoder), source, local);
    }
    // Copying takes one thread of the CPU, and none of it for rows that are on a GPU.
    let options = OnnxOptions { device: Devices(chosen.devices.clone()), fallback: false, ..options };
    let make = move || Ok(builder(&runtime, &options, 1, &host)?.0);
    let decoder = OnnxDecoder {
        assembler: Assembler::new(Box::new(make), signature.past_type),
        session,
        memory: device.memory()?,
        main_memory: Device::Cpu.memory()?,
        caches: Caches::new(),
        path: file.path,
        signature,
    };
    LocalModel::open(Box::new(decoder), source, local)
}

/// Prepares a session as the options ask for.
fn builder(runtime: &Runtime, options: &OnnxOptions, threads: usize, host: &Host) -> Result<(SessionBuilder, Chosen)> {
    let level = match options.graph_optimization {
        GraphOptimization::None => GraphOptimizationLevel::Disable,
        GraphOptimization::Basic => GraphOptimizationLevel::Level1,
        GraphOptimization::Extended => GraphOptimizationLevel::Level2,
        GraphOptimization::All => GraphOptimizationLevel::All,
    };
    let make = || -> ort::Result<SessionBuilder> {
        // Plans of memory are kept for every shape that occurs; here hardly one occurs twice.
        let builder = Session::builder(&runtime.environment)?.with_memory_pattern(false)?;
        Ok(builder.with_optimization_level(level)?.with_intra_threads(threads)?)
    };
    let builder = make().map_err(|error| failed("prepare a session", &error))?;
    let limit = options.memory_limit_mib.map(|mib| mib.saturating_mul(1 << 20));
    providers::register(builder, runtime, &options.device, limit, options.fallback, host)
}

fn refused(file: &ModelFile, runtime: &Runtime, error: &ort::Error) -> PluginError {
    let message = format!(
        "ONNX Runtime {} cannot load `{}`, which uses the operators {}: {}",
        runtime.version,
        file.path.display(),
        file.opsets,
        error.message()
    );
    PluginError::bad_input(message).with_help(
        "if it is the operators' version that is too new, upgrade ONNX Runtime (`python3 -m pip install --upgrade \
         onnxruntime`) or export the model for an older one",
    )
}

fn shown(chosen: &Chosen) -> String {
    chosen.devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The files, and what else the model's description has.
fn source(checkpoint: Checkpoint, file: &ModelFile, runtime: &Runtime, chosen: &Chosen) -> Result<ModelSource> {
    let identity = checkpoint.identity(&file.files())?;
    let mut arithmetic = Metadata::new();
    arithmetic.insert("device".to_owned(), shown(chosen).into());
    arithmetic.insert("onnxruntime".to_owned(), runtime.version.clone().into());
    let mut details = Metadata::new();
    details.insert("file".to_owned(), file.path.display().to_string().into());
    details.insert("operators".to_owned(), file.opsets.clone().into());
    Ok(ModelSource {
        name: checkpoint.source().to_owned(),
        checkpoint,
        identity,
        arithmetic,
        // The library sums in another order for another shape of a call.
        batch_invariance: BatchInvariance::NotPromised,
        warnings: chosen.warnings.clone(),
        details,
    })
}
