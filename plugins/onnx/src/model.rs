//! The role `onnx`: finds the model's files and the runtime, and puts decoder, tokenizer and limits together.

mod assemble;
mod batches;
mod cache;
mod decoder;
mod description;
mod file;
mod in_place;
mod logits;
mod options;
mod shape;
mod signature;
mod slots;

pub use options::{BaseOptions, GraphOptimization, OnnxOptions, Options};

use crate::providers::{self, Chosen, Device, Devices, Placement};
use crate::runtime::{Runtime, failed};
use assemble::Assembler;
use cache::Caches;
use decoder::OnnxDecoder;
use description::Description;
use examiner_api::{BatchInvariance, Host, Metadata, Model, PluginError, Result};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{Decoder, LoadModel, LoadedModel, LocalModel, LocalOptions, ModelSource};
use file::{ModelFile, Rounding};
use in_place::{InPlaceDecoder, Number};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorElementType;
use signature::{Lengths, Signature};
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
    let description = Description::open(&options.checkpoint, &host)?;
    let shape = description.shape;
    description.checkpoint.check_vocabulary(shape.vocabulary)?;
    let wanted = options.file.as_deref().or(description.file.as_deref());
    let file = ModelFile::find(&description.checkpoint, wanted)?;
    let runtime = Runtime::open(options.runtime.as_deref())?;
    let threads = match options.threads {
        Some(0) => return Err(PluginError::bad_options("expected `threads` to be at least 1, found `0`")),
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (mut session, mut chosen) = builder(&runtime, &options, threads, &host)?;
    let session = session.commit_from_file(&file.path).map_err(|error| refused(&file, &runtime, &chosen, &error))?;
    let signature = Signature::read(session.inputs(), session.outputs(), &description, &file)?;
    // What this program exports counts a window's positions without those that are masked; others count all.
    let is_own = session.metadata().is_ok_and(|metadata| metadata.producer().as_deref() == Some("examiner"));
    let window = description.window.filter(|_| !is_own);
    let longest_padded = window.map_or(shape.context_length, |window| window.min(shape.context_length));
    host.info(format!("ONNX Runtime {} from `{}`", runtime.version, runtime.path.display()));
    if file.rounding == Rounding::ByCall {
        let shown = file.path.display();
        let warning = format!(
            "`{shown}` rounds what it multiplies by the range of all tokens of a call (`DynamicQuantizeLinear`): numbers change \
             with where a text is cut; `share_prefixes: false` computes every text of up to `max_batch_tokens` as a whole"
        );
        warn(warning, &mut chosen, &host);
    }
    let placement = placement(&session, &mut chosen, &file, options.fallback, &host)?;
    let source = source(description.checkpoint, &file, &runtime, &chosen, placement)?;
    if let Some(lengths) = signature.in_place {
        if chosen.accelerator().is_some() {
            return Err(PluginError::unsupported(format!(
                "`{}` adds keys and values in place (`GroupQueryAttention`), which is for `device: cpu`",
                file.path.display()
            ))
            .with_help("export the model with `operators: fused` for a GPU"));
        }
        let decoder: Box<dyn Decoder> = match signature.past_type {
            TensorElementType::Float16 => Box::new(in_place::<u16>(session, signature, lengths, file)?),
            _ => Box::new(in_place::<f32>(session, signature, lengths, file)?),
        };
        return LocalModel::open(decoder, source, local);
    }
    // Copying takes one thread of the CPU, and none of it for rows that are on a GPU.
    let options = OnnxOptions { device: Devices(chosen.devices.clone()), fallback: false, ..options };
    let make = move || Ok(builder(&runtime, &options, 1, &host)?.0);
    let decoder = OnnxDecoder {
        assembler: Assembler::new(Box::new(make), signature.past_type),
        session,
        memory: chosen.memory,
        main_memory: providers::main_memory()?,
        caches: Caches::new(),
        longest_padded,
        path: file.path,
        signature,
    };
    LocalModel::open(Box::new(decoder), source, local)
}

/// The decoder of a graph that adds keys and values in place.
fn in_place<T: Number>(
    session: Session,
    signature: Signature,
    lengths: Lengths,
    file: ModelFile,
) -> Result<InPlaceDecoder<T>> {
    let slots = SlotShape {
        tensors: signature.pasts.len(),
        heads: signature.shape.heads,
        width: signature.shape.head_width,
        room: file.grouped.map_or(0, |grouped| grouped.room),
    };
    let memory = providers::main_memory()?;
    Ok(InPlaceDecoder { session, signature, lengths, memory, slots: Slots::new(slots), path: file.path })
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
        let builder = builder.with_optimization_level(level)?.with_intra_threads(threads)?;
        let is_cpu = options.device.0.iter().all(|device| *device == Device::Cpu);
        if is_cpu { Ok(builder) } else { providers::recording(builder) }
    };
    let builder = make().map_err(|error| failed("prepare a session", &error))?;
    let limit = options.memory_limit_mib.map(|mib| mib.saturating_mul(1 << 20));
    providers::register(builder, runtime, &options.device, limit, options.fallback, host)
}

/// Which part of the graph runs where, where it could run elsewhere than on the CPU.
///
/// # Errors
/// `Unsupported` if all of it runs on the CPU although another device was asked for, unless `fallback` allows it.
fn placement(
    session: &Session,
    chosen: &mut Chosen,
    file: &ModelFile,
    fallback: bool,
    host: &Host,
) -> Result<Option<Placement>> {
    let Some(device) = chosen.accelerator().map(ToString::to_string) else { return Ok(None) };
    let placement = Placement::of(session)?;
    if let [operator, ..] = placement.miscomputed()[..] {
        return Err(PluginError::unsupported(format!(
            "`{}` has the operator `{operator}`, which the provider of `device: {device}` computes wrongly for long prompts",
            file.path.display()
        ))
        .with_help("export the model with `operators: standard`, which it computes as the CPU does; or choose another `device`"));
    }
    let elsewhere = chosen.devices.iter().filter(|device| **device != Device::Cpu);
    if elsewhere.map(|device| placement.nodes(Chosen::provider_of(device))).sum::<usize>() == 0 {
        let message = format!(
            "`device: {device}` computes no node of `{}`: ONNX Runtime left the whole graph to the CPU",
            file.path.display()
        );
        if !fallback {
            return Err(PluginError::unsupported(message).with_help(
                "export the model with `operators: standard` and `dtype: f32`, whose operators every provider has; or write \
                 `device: cpu`, or `fallback: true`",
            ));
        }
        warn(message, chosen, host);
    } else if let Some(warning) = placement.warning(&device) {
        warn(warning, chosen, host);
    }
    Ok(Some(placement))
}

fn warn(warning: String, chosen: &mut Chosen, host: &Host) {
    host.warn(&warning);
    chosen.warnings.push(warning);
}

fn refused(file: &ModelFile, runtime: &Runtime, chosen: &Chosen, error: &ort::Error) -> PluginError {
    if let Some(operator) = unimplemented(error.message()) {
        return PluginError::unsupported(format!(
            "neither `device: {}` nor the CPU has the operator `{operator}` of `{}`, as it is used there",
            providers::shown(&chosen.devices),
            file.path.display()
        ))
        .with_help(
            "export the model with `operators: standard` and `dtype: f32`, whose operators every provider has, or choose a \
             `device` that has it; `examiner doctor` lists those of this machine",
        );
    }
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

/// The operator that ONNX Runtime says it has no implementation of.
fn unimplemented(message: &str) -> Option<&str> {
    let before = ["Could not find an implementation for ", "Provider type for "];
    let (_, rest) = before.iter().find_map(|before| message.split_once(before))?;
    rest.split(['(', ' ']).next().filter(|operator| !operator.is_empty())
}

/// The files, and what else the model's description has.
fn source(
    checkpoint: Checkpoint,
    file: &ModelFile,
    runtime: &Runtime,
    chosen: &Chosen,
    placement: Option<Placement>,
) -> Result<ModelSource> {
    let identity = checkpoint.identity(&file.files())?;
    let mut arithmetic = Metadata::new();
    arithmetic.insert("device".to_owned(), providers::shown(&chosen.devices).into());
    arithmetic.insert("onnxruntime".to_owned(), runtime.version.clone().into());
    let mut details = Metadata::new();
    if let Some(provider) = &chosen.provider {
        arithmetic.insert("provider".to_owned(), format!("{} {}", provider.name, provider.version).into());
        details.insert("hardware".to_owned(), provider.hardware.clone().into());
        details.insert("provider_library".to_owned(), provider.library.display().to_string().into());
    }
    if let Some(placement) = placement {
        details.insert("providers".to_owned(), serde_json::Value::Object(placement.counts()));
        let stays = !chosen.memory.is_cpu_accessible();
        let place = if stays { "stay in the memory of the device" } else { "lie in main memory" };
        details.insert("keys_and_values".to_owned(), place.into());
    }
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
