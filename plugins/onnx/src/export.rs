//! The role `onnx` of an exporter: a checkpoint of any family that `examiner_families` describes becomes an ONNX model, with
//! the inputs and outputs that Hugging Face's Optimum gives one.
//!
//! The graph is written from Rust, operation by operation, and the weights go from the mapped checkpoint straight into
//! the file: no Python, and memory for a few numbers at a time.

mod decoder;
mod directory;
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
use examiner_lm::checkpoint::Checkpoint;
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
        self.plan(&self.checkpoint(from)?).map(|_| ())
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let checkpoint = self.checkpoint(&job.from)?;
        let (family, plan) = self.plan(&checkpoint)?;
        let mut weights = Weights::open(&checkpoint.weights()?)?;
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
    fn checkpoint(&self, from: &str) -> Result<Checkpoint> {
        if from.ends_with(".gguf") {
            return Err(PluginError::unsupported(format!(
                "`{from}` is a GGUF file; the exporter `onnx` reads safetensors"
            ))
            .with_help(
                "export the checkpoint that the file was made of: its rounded weights would be none that ONNX has",
            ));
        }
        Checkpoint::open(from, &self.host)
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
