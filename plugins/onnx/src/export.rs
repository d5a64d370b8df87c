//! The role `onnx` of an exporter: a GPT-2 checkpoint becomes an ONNX model, with the inputs and outputs that Hugging
//! Face's Optimum gives one.
//!
//! The graph is written from Rust, operation by operation, and the weights go from the mapped checkpoint straight into
//! the file: no Python, and memory for a few numbers at a time.

mod directory;
mod gpt2;
mod graph;
mod options;
mod weights;
mod write;

pub use options::{ExportOptions, ExternalData, Logits, NumberType, Operators};

use crate::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use directory::Directory;
use examiner_api::{ExportJob, ExportReport, Exporter, Host, Metadata, Open, PluginError, Result};
use examiner_lm::checkpoint::{Checkpoint, Gpt2Config};
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

impl Open for OnnxExporter {
    type Options = ExportOptions;

    fn open(options: ExportOptions, host: Host) -> Result<Self> {
        Ok(OnnxExporter { options, host })
    }
}

impl Exporter for OnnxExporter {
    fn check(&mut self, from: &str) -> Result<()> {
        gpt2_config(&Checkpoint::open(from, &self.host)?).map(|_| ())
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let checkpoint = Checkpoint::open(&job.from, &self.host)?;
        let config = gpt2_config(&checkpoint)?;
        let mut weights = Weights::open(&checkpoint.fetch("model.safetensors")?)?;
        let graph = gpt2::graph(&config, &mut weights, &self.options)?;
        let parameters = graph.parameters();
        let external = self.options.external_data.decide(graph.bytes())?;

        let mut directory = Directory::new(&job.out)?;
        if same_directory(job.from.as_ref(), &job.out) {
            return Err(PluginError::bad_options(format!("`{}` is the checkpoint itself", job.out.display()))
                .with_help("export to another directory: the files of both have the same names"));
        }
        let size = write::write(self.model(&graph), &graph, &weights, external, &mut directory, &self.host)?;
        directory.carry(&checkpoint, self.options.dtype.name())?;
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
    /// The model around the graph.
    fn model(&self, graph: &Graph) -> ModelProto {
        let mut opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
        if self.options.operators != Operators::Standard {
            opset_import.push(OperatorSetIdProto { domain: FUSED_DOMAIN.to_owned(), version: 1 });
        }
        let entry = |key: &str, value: &str| StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "examiner".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph.proto()),
            opset_import,
            metadata_props: vec![entry("model_type", "gpt2"), entry("dtype", self.options.dtype.name())],
        }
    }
}

/// Whether two paths are of the same directory, however they are written.
fn same_directory(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The shape of the model, if it is of a family that can be exported.
fn gpt2_config(checkpoint: &Checkpoint) -> Result<Gpt2Config> {
    let family = checkpoint.model_type();
    if family != "gpt2" {
        return Err(PluginError::unsupported(format!(
            "`{}` has `model_type: {family}`; the exporter `onnx` supports `gpt2`",
            checkpoint.config_path.display()
        ))
        .with_help(
            "models of other families that were exported by Hugging Face's Optimum can be examined as they are",
        ));
    }
    let config = Gpt2Config::read(&checkpoint.config, &checkpoint.config_path)?;
    checkpoint.check_vocabulary(config.vocab_size)?;
    Ok(config)
}
