//! Exported models, run by ONNX Runtime.

mod families;
mod gguf;
pub(crate) mod graphs;
mod refused;
mod rounded;

use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, ExportJob, Exporter, Level, Model, Open, Result};
use examiner_plugin_onnx::{ExportOptions, Onnx, OnnxExporter, Options};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use examiner_test_support::{ground_truth, needs, rows, shared};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Exports a checkpoint.
pub(crate) fn export(from: &Path, options: Value) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let options: ExportOptions = serde_json::from_value(options).unwrap();
    let mut exporter = OnnxExporter::open(options, FakeHost::new().host()).unwrap();
    exporter.export(ExportJob { from: from.display().to_string(), out: out.path().to_owned() }).unwrap();
    out
}

/// A small random GPT-2 in ONNX.
fn tiny(options: Value) -> TempDir {
    export(TinyGpt2::new(json!({})).write().path(), options)
}

/// Opens a model; `options` beside the checkpoint.
fn open_with(checkpoint: &Path, options: Value, host: &FakeHost) -> Result<Onnx> {
    let mut all = json!({ "checkpoint": checkpoint, "threads": 1, "runtime": runtime() });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    Onnx::open(serde_json::from_value::<Options>(all).unwrap(), host.host())
}

/// The library that `cargo xtask test` put beside the program; none to have it found.
fn runtime() -> Option<PathBuf> {
    let release = std::env::current_exe().unwrap().parent()?.parent()?.to_owned();
    let mut files = std::fs::read_dir(&release).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    files.any(|name| name.starts_with("libonnxruntime.so")).then_some(release)
}

fn open(checkpoint: &Path, options: Value) -> Onnx {
    open_with(checkpoint, options, &FakeHost::new())
        .unwrap_or_else(|error| panic!("{error}; `cargo xtask test` installs ONNX Runtime"))
}

/// The log-likelihoods of each pair of context and continuation.
fn scores(model: &mut Onnx, pairs: &[(String, String)]) -> Vec<f64> {
    let requests = pairs.iter().zip(0..);
    let requests = requests.map(|((context, continuation), id)| loglikelihood(id, context, continuation)).collect();
    score(model, requests).into_values().map(|result| result.sum).collect()
}

/// The greedy tokens after each prompt.
fn answers(model: &mut Onnx, prompts: &[String]) -> Vec<Vec<u32>> {
    let requests = prompts.iter().zip(0..).map(|(text, id)| prompt(id, text, 12)).collect();
    generate(model, requests).into_values().map(|result| result.tokens).collect()
}

/// Contexts that share beginnings, with continuations of different lengths.
fn pairs() -> Vec<(String, String)> {
    let contexts =
        ["once there was a", "once there was", "once", "", "quite another beginning of a text, and a longer one"];
    let continuations = [" cat", " b", " dog that slept"];
    let pair = |context: &&str, continuation: &&str| ((*context).to_owned(), (*continuation).to_owned());
    contexts
        .iter()
        .flat_map(|context| continuations.iter().map(move |continuation| pair(context, continuation)))
        .collect()
}

fn prompts() -> Vec<String> {
    ["once there was a", "once", "a", "quite another beginning"].map(str::to_owned).to_vec()
}

/// One request after the other, nothing shared: what every batch must agree with.
fn one_by_one(checkpoint: &Path) -> (Vec<f64>, Vec<Vec<u32>>) {
    let mut model = open(checkpoint, json!({ "share_prefixes": false, "max_sequences": 1 }));
    let scores = pairs().iter().flat_map(|pair| scores(&mut model, std::slice::from_ref(pair))).collect();
    let answers = prompts().iter().flat_map(|prompt| answers(&mut model, std::slice::from_ref(prompt))).collect();
    (scores, answers)
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

#[test]
fn every_variant_of_an_export_gives_the_same_answers() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let standard = export(checkpoint.path(), json!({}));
    let (expected, greedy) = one_by_one(standard.path());
    for (options, tolerance) in [
        (json!({}), 1e-4),
        (json!({ "logits": "wanted" }), 1e-4),
        (json!({ "operators": "fused" }), 1e-4),
        (json!({ "operators": "fused", "logits": "wanted" }), 1e-4),
        (json!({ "operators": "grouped" }), 1e-4),
        (json!({ "operators": "grouped", "logits": "wanted" }), 1e-4),
        (json!({ "external_data": true }), 1e-4),
        (json!({ "dtype": "f16" }), 0.1),
        (json!({ "dtype": "f16", "operators": "fused", "logits": "wanted" }), 0.1),
    ] {
        let exported = export(checkpoint.path(), options.clone());
        let mut model = open(exported.path(), json!({}));
        assert_close(&scores(&mut model, &pairs()), &expected, tolerance);
        if options["dtype"].is_null() {
            assert_eq!(answers(&mut model, &prompts()), greedy, "{options}");
        }
    }
}

#[test]
fn the_levels_of_optimization_and_threads_change_nothing_that_counts() {
    let exported = tiny(json!({}));
    let (expected, greedy) = one_by_one(exported.path());
    for level in ["none", "basic", "extended", "all"] {
        let mut model = open(exported.path(), json!({ "graph_optimization": level, "threads": 2 }));
        assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
        assert_eq!(answers(&mut model, &prompts()), greedy, "{level}");
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error_or_a_warning_and_never_silence() {
    let exported = tiny(json!({}));
    let error = open_with(exported.path(), json!({ "device": "cuda:7" }), &FakeHost::new()).err().unwrap();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.message.contains("cannot use `device: cuda:7`"), "{error}");
    assert!(error.help.unwrap().contains("python3 -m pip install onnxruntime-gpu"));

    let host = FakeHost::new();
    let model = open_with(exported.path(), json!({ "device": ["cuda:7", "cpu"], "fallback": true }), &host).unwrap();
    let info = model.info().unwrap();
    assert_eq!(info.details["device"], json!("cpu"));
    assert!(info.warnings[0].starts_with("cuda:7 is passed over"), "{:?}", info.warnings);
    assert!(host.messages().iter().any(|(level, message)| *level == Level::Warn && message.contains("cuda:7")));
}

#[test]
fn the_fingerprint_is_of_weights_and_tokenizer() {
    let fingerprint =
        |tiny: &TinyGpt2| open(export(tiny.write().path(), json!({})).path(), json!({})).info().unwrap().fingerprint;
    let tiny = TinyGpt2::new(json!({}));
    assert_eq!(fingerprint(&tiny), fingerprint(&tiny));
    let mut other = tiny.clone();
    other.tensors.get_mut("ln_f.bias").unwrap().bytes[0] ^= 1;
    assert_ne!(fingerprint(&other), fingerprint(&tiny));
    let external = export(tiny.write().path(), json!({ "external_data": true }));
    let before = open(external.path(), json!({})).info().unwrap().fingerprint;
    let data = external.path().join("model.onnx_data");
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    assert_ne!(open(external.path(), json!({})).info().unwrap().fingerprint, before, "weights beside the model count");
}

/// What transformers computes for the checkpoint that is exported, from the repository alone.
#[test]
fn an_export_agrees_with_transformers() {
    let family = ground_truth::family("gpt2");
    let checkpoint = family.write();
    for operators in ["standard", "fused", "grouped"] {
        let exported = export(checkpoint.path(), json!({ "operators": operators }));
        let mut model = open(exported.path(), json!({}));
        let requests = family.scored.iter().zip(0..);
        let requests = requests.map(|(row, id)| loglikelihood(id, &row.context, &row.continuation)).collect();
        let found = score(&mut model, requests);
        for (id, row) in (0..).zip(&family.scored) {
            let found = &found[&id];
            assert_eq!(found.tokens, row.tokens, "{operators}, row {id}");
            assert!((found.sum - row.sum).abs() < 1e-4, "{operators}, row {id}: {}, expected {}", found.sum, row.sum);
            assert_eq!(found.is_greedy, row.is_greedy, "{operators}, row {id}");
        }
        let requests = family.answers.iter().zip(0..);
        let requests = requests.map(|(row, id)| prompt(id, &row.prompt, ground_truth::NEW_TOKENS)).collect();
        let found = generate(&mut model, requests);
        for (id, row) in (0..).zip(&family.answers) {
            assert_eq!(found[&id].tokens, row.tokens, "{operators}, row {id}");
        }
    }
}

#[needs(shared)]
#[test]
fn the_rows_of_the_reference_agree() {
    let shared = shared();
    let exported = export(&shared.join("models/tiny-gpt2"), json!({}));
    let rows: Vec<Value> = rows(&shared.join("oracle/tiny-gpt2/loglikelihood.jsonl")).into_iter().take(40).collect();
    assert_eq!(rows.len(), 40);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let pairs: Vec<_> = rows.iter().map(|row| (text(row, "context"), text(row, "continuation"))).collect();
    let expected: Vec<f64> = rows.iter().map(|row| row["loglikelihood"].as_f64().unwrap()).collect();
    for checkpoint in [exported.path(), &shared.join("models/tiny-gpt2-optimum")] {
        assert_close(&scores(&mut open(checkpoint, json!({})), &pairs), &expected, 1e-3);
    }
}

/// Two exports of one model, its scores and its greedy answers.
type Expected = ([TempDir; 3], Vec<f64>, Vec<Vec<u32>>);

proptest! {
    #![proptest_config(examiner_test_support::cases(24))]

    /// Whatever stands in a batch, and however it is cut, scores stay within a stated tolerance and greedy answers the same.
    #[test]
    fn batches_of_any_shape_agree_with_one_request_at_a_time(
        tokens in 1_usize..80, sequences in 1_usize..9, cache in 96_usize..400, share: bool, variant in 0..3_usize, picks in
        prop::collection::vec(0_usize..15, 1..24),
    ) {
        static EXPECTED: OnceLock<Expected> = OnceLock::new();
        let (exports, expected, greedy) = EXPECTED.get_or_init(|| {
            let all = tiny(json!({}));
            let (scores, answers) = one_by_one(all.path());
            let others = [json!({ "logits": "wanted" }), json!({ "operators": "grouped", "logits": "wanted" })];
            let [some, grouped] = others.map(tiny);
            ([all, some, grouped], scores, answers)
        });
        let limits = json!({
            "max_batch_tokens": tokens, "max_sequences": sequences, "max_cache_tokens": cache, "share_prefixes": share
        });
        let mut model = open(exports[variant].path(), limits);
        let asked: Vec<_> = picks.iter().map(|&pick| pairs()[pick].clone()).collect();
        let should: Vec<f64> = picks.iter().map(|&pick| expected[pick]).collect();
        assert_close(&scores(&mut model, &asked), &should, 1e-4);
        prop_assert_eq!(&answers(&mut model, &prompts()), greedy);
    }
}
