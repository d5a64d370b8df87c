//! ONNX for Examiner: exports checkpoints, and runs exported models through ONNX Runtime.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod export;
mod proto;

pub use export::{ExportOptions, ExternalData, Logits, NumberType, OnnxExporter, Operators};

/// The roles of this library.
pub fn plugin() -> examiner_api::Plugin {
    examiner_api::Plugin::new("onnx", env!("CARGO_PKG_VERSION"))
        .exporter::<OnnxExporter>("onnx", "Writes a GPT-2 checkpoint as an ONNX model with past keys and values.")
}

examiner_api::export_plugin!(plugin);
