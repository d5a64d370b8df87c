//! ONNX for Examiner: exports checkpoints, and runs exported models through ONNX Runtime.
//!
//! The key decision is what stays where. ONNX Runtime is a library of its own, opened when a suite asks for it, so that one
//! plugin serves every release of it and every provider that it has. Keys and values stay on the device: a pass leaves
//! them in the tensors that the next one takes, and where sequences part or meet, small graphs of ONNX's own operators move
//! the rows (`model/assemble.rs`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod diagnostic;
mod export;
mod model;
mod proto;
mod providers;
mod runtime;

pub use diagnostic::OnnxDiagnostic;
pub use export::{Dtype, ExportOptions, ExternalData, Logits, OnnxExporter, Operators};
pub use model::{BaseOptions, GraphOptimization, Onnx, OnnxLoader, OnnxOptions, Options};
pub use providers::{Device, Devices, PluginDevice};

/// The roles of this library.
pub fn plugin() -> examiner_api::Plugin {
    examiner_api::Plugin::new("onnx", env!("CARGO_PKG_VERSION"))
        .model::<Onnx>("onnx", "A model exported to ONNX, through ONNX Runtime, on the CPU or a GPU.")
        .diagnostic::<OnnxDiagnostic>("onnx", "Looks for ONNX Runtime and the devices that it can use.")
        .exporter::<OnnxExporter>("onnx", "Writes a checkpoint as an ONNX model with past keys and values.")
}

examiner_api::export_plugin!(plugin);
