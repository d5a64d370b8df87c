//! The suite for a GPU that is computed on the CPU, run as its header says.

use examiner_test_support::build::{program, target};
use examiner_test_support::{needs, rows, with_software_gpu};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The values of a model in `summary.csv`, by dataset and metric.
fn values(run: &Path, model: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(run.join("summary.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let column = |name: &str| names.iter().position(|found| *found == name).unwrap();
    let key = ["dataset", "subset", "scorer", "metric"].map(column);
    let (of_model, value, status) = (column("model"), column("value"), column("status"));
    let of_model =
        lines.filter(|line| line[of_model] == model).inspect(|line| assert_eq!(line[status], "ok", "{line:?}"));
    of_model.map(|line| (key.map(|column| line[column]).join("/"), line[value].to_owned())).collect()
}

#[needs(software_gpu)]
#[test]
fn a_model_that_is_trained_and_exported_scores_the_same_on_the_software_gpu() {
    let out = tempfile::tempdir().unwrap();
    let run = out.path().join("run");
    let mut command = Command::new(program());
    command.args(["run", "configs/onnx-webgpu-software.yaml", "--fresh", "--out"]).arg(&run).current_dir(xtask::root());
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", target());
    }
    let output = with_software_gpu(&mut command).output().unwrap();
    let (table, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(table.contains("on-candle") && table.contains("on-gpu"), "{table}");
    let (candle, gpu) = (values(&run, "on-candle"), values(&run, "on-gpu"));
    assert!(candle.len() >= 3, "{candle:?}");
    assert_eq!(gpu, candle, "{table}");
    // Equal means of answers could hide different ones.
    let mut compared = 0;
    for dataset in ["choices", "problems"] {
        let [ours, theirs] =
            ["on-gpu", "on-candle"].map(|model| rows(&run.join(format!("samples/{model}/{dataset}.jsonl"))));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let [ours, theirs] = [ours, theirs].map(|sample| sample["answers"].as_array().unwrap().clone());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let sum = |answer: &Value| answer["score"]["sum"].as_f64().unwrap_or_default();
                assert!((sum(ours) - sum(theirs)).abs() < 1e-3, "{ours} is not {theirs}");
                assert_eq!(ours["generate"]["tokens"], theirs["generate"]["tokens"]);
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "only {compared} answers");
    let provenance: Value = serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert!(provenance["models"]["on-gpu"]["details"]["providers"]["WebGpu"].as_u64() > Some(0), "{provenance}");
}
