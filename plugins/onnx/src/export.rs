//! The role `onnx` of an exporter: a checkpoint of any family that `examiner_families` describes becomes an ONNX model, with
//! the inputs and outputs that Hugging Face's Optimum gives one.
//!
//! The graph is written from Rust, operation by operation, and the weights go from the mapped checkpoint straight into
//! the file: no Python, and memory for a few numbers at a time.

mod decoder;
mod directory;
mod files;
mod graph;
mod options;
mod rounding;
mod weights;
mod write;

pub use options::{Dtype, ExportOptions, ExternalData, Logits, Operators};

use crate::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use directory::Directory;
use examiner_api::{ExportJob, ExportReport, Exporter, Host, Metadata, Open, PluginError, Result};
use examiner_families::{Config, Plan};
use examiner_gguf::Gguf;
use examiner_lm::checkpoint::{Checkpoint, GgufFile};
use graph::Graph;
use serde_json::json;
use std::path::Path;
use weights::Weights;

/// The version of the standard operators: the first that has GELU in both forms.
const OPSET: i64 = 20;
/// The version of the file format that came with [`OPSET`]; older readers understand no later one.
const IR_VERSION: i64 = 9;
/// ONNX Runtime's own operators.
const FUSED_DOMAIN: &str = "com.microsoft";

/// Writes ONNX models.
pub struct OnnxExporter {
    options: ExportOptions,
    host: Host,
}

/// What is exported.
struct ModelSource {
    checkpoint: Checkpoint,
    family: &'static str,
    plan: Plan,
    /// The file with the weights, where it is no safetensors file.
    gguf: Option<Gguf>,
    /// What such a file has of a tokenizer, as other checkpoints have it.
    tokenizer_files: Vec<(&'static str, Vec<u8>)>,
}

impl Open for OnnxExporter {
    type Options = ExportOptions;

    fn open(options: ExportOptions, host: Host) -> Result<Self> {
        Ok(OnnxExporter { options, host })
    }
}

impl Exporter for OnnxExporter {
    fn check(&mut self, from: &str) -> Result<()> {
        self.source(from).map(|_| ())
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let ModelSource { checkpoint, family, plan, gguf, tokenizer_files } = self.source(&job.from)?;
        let mut weights = match gguf {
            Some(gguf) => Weights::gguf(gguf),
            None => Weights::open(&checkpoint.weights()?)?,
        };
        let graph = decoder::graph(family, &plan, &mut weights, &self.options)?;
        let parameters = graph.parameters();
        let external = self.options.external_data.decide(graph.bytes())?;

        let mut directory = Directory::new(&job.out)?;
        if same_directory(job.from.as_ref(), &job.out) {
            return Err(PluginError::bad_options(format!("`{}` is the checkpoint itself", job.out.display()))
                .with_help("export to another directory: the files of both have the same names"));
        }
        let size = write::write(self.model(family, &graph), &graph, &weights, external, &mut directory, &self.host)?;
        directory.carry(&checkpoint, &plan, self.options.dtype.number().name())?;
        for (name, bytes) in tokenizer_files {
            directory.file(name, &bytes)?;
        }
        directory.publish()?;
        self.host.info(format!("`{}` exported to `{}`, {size} bytes", job.from, job.out.display()));

        let mut details = Metadata::new();
        details.insert("parameters".to_owned(), parameters.into());
        details.insert("bytes".to_owned(), size.into());
        details.insert("external_data".to_owned(), external.into());
        details.insert("opset".to_owned(), OPSET.into());
        details.insert("options".to_owned(), json!(self.options));
        Ok(ExportReport { checkpoint: job.out, details })
    }
}

impl OnnxExporter {
    /// Finds out what a checkpoint is: a GGUF file, or a directory in Hugging Face's layout. Its weights are not read.
    fn source(&self, from: &str) -> Result<ModelSource> {
        if !Gguf::is_address(from) {
            if self.options.tokenizer.is_some() {
                return Err(PluginError::bad_options("`tokenizer` is for checkpoints that are a `.gguf` file")
                    .with_help("leave it out: a checkpoint in a directory has its own `tokenizer.json`"));
            }
            let checkpoint = Checkpoint::open(from, &self.host)?;
            let (family, plan) = self.plan(&checkpoint)?;
            return Ok(ModelSource { checkpoint, family, plan, gguf: None, tokenizer_files: Vec::new() });
        }
        let gguf = Gguf::open(from, &self.host)?;
        let (config, path) = (examiner_gguf::config(&gguf)?, gguf.path().to_owned());
        let read = Config::new(&config, &path, self.options.dtype.number().precision());
        let plan = examiner_gguf::plan(&read, &gguf)?;
        let family = examiner_families::names().find(|name| *name == read.model_type()).unwrap_or_default();
        let described = GgufFile { path, config, tokenizer: gguf.tokenizer()? };
        let mut checkpoint = Checkpoint::from_gguf(from, &self.host, described, self.options.tokenizer.as_deref())?;
        checkpoint.check_vocabulary(plan.vocabulary)?;
        let tokenizer_files = checkpoint.tokenizer_files()?;
        Ok(ModelSource { checkpoint, family, plan, gguf: Some(gguf), tokenizer_files })
    }

    /// The family of a checkpoint, and what the model is.
    fn plan(&self, checkpoint: &Checkpoint) -> Result<(&'static str, Plan)> {
        let config = Config::new(&checkpoint.config, &checkpoint.config_path, self.options.dtype.number().precision());
        let family = examiner_families::names().find(|name| *name == config.model_type());
        let (Some(family), Some(plan)) = (family, examiner_families::plan(&config)?) else {
            let names: Vec<&str> = examiner_families::names().collect();
            return Err(PluginError::unsupported(format!(
                "`{}` has `model_type: {}`; the exporter `onnx` supports `{}`",
                checkpoint.config_path.display(),
                config.model_type(),
                names.join("`, `")
            ))
            .with_help(
                "models of other families that were exported by Hugging Face's Optimum can be examined as they are",
            ));
        };
        checkpoint.check_vocabulary(plan.vocabulary)?;
        Ok((family, plan))
    }

    /// The model around the graph.
    fn model(&self, family: &str, graph: &Graph) -> ModelProto {
        let mut opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
        if graph.uses(FUSED_DOMAIN) {
            opset_import.push(OperatorSetIdProto { domain: FUSED_DOMAIN.to_owned(), version: 1 });
        }
        let entry = |key: &str, value: &str| StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "examiner".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph.proto()),
            opset_import,
            metadata_props: vec![entry("model_type", family), entry("dtype", self.options.dtype.number().name())],
        }
    }
}

/// Whether two paths are of the same directory, however they are written.
fn same_directory(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
