//! ONNX files of any bytes: what is wrong with one is an error. Where `EXAMINER_FUZZ_ONNXRUNTIME` names ONNX Runtime's library, what it
//! makes of the file is judged, too: names, types and shapes of what goes in and comes out. Without it, the file alone is read.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{ExportJob, Exporter, Host, Open};
use examiner_fuzz::{config, file, let_caught_panics_pass, safetensors, sow, tokenizer, watch};
use examiner_plugin_onnx::{ExportOptions, Onnx, OnnxExporter, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::LazyLock;

fn host() -> Host {
    FakeHost::new().host()
}

static CHECKPOINT: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = file("onnx");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("config.json"), config().to_string()).expect("a file");
    std::fs::write(directory.join("tokenizer.json"), tokenizer().to_string()).expect("a file");
    std::fs::write(directory.join("model.safetensors"), safetensors()).expect("a file");
    directory
});

/// The checkpoint as the exporter writes it.
fn exported(name: &str, options: Value) -> (String, Vec<u8>) {
    let out = file(&format!("exported-{name}"));
    std::fs::create_dir_all(&out).expect("a directory");
    let options: ExportOptions = serde_json::from_value(options).expect("options");
    let mut exporter = OnnxExporter::open(options, host()).expect("an exporter");
    let job = ExportJob { from: CHECKPOINT.display().to_string(), out: out.clone() };
    let report = exporter.export(job).expect("an export");
    let path = [report.checkpoint.join("model.onnx"), out.join("model.onnx")].into_iter().find(|path| path.exists());
    (name.to_owned(), std::fs::read(path.expect("a graph")).expect("a graph"))
}

fuzz_target!(
    init: {
        sow("onnx", [exported("standard", json!({})), exported("f16", json!({ "dtype": "f16" }))]);
        let_caught_panics_pass();
    },
    |data: &[u8]| watch(|| {
        std::fs::write(CHECKPOINT.join("model.onnx"), data).expect("an input");
        let runtime = std::env::var_os("EXAMINER_FUZZ_ONNXRUNTIME").unwrap_or_else(|| "/nonexistent".into());
        let options = json!({ "checkpoint": *CHECKPOINT, "device": "cpu", "runtime": PathBuf::from(runtime), "threads": 1 });
        let options: Options = serde_json::from_value(options).expect("options");
        if let Err(error) = Onnx::open(options, host()) {
            assert!(!error.message.is_empty());
        }
    })
);
