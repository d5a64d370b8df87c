//! Models as ONNX Runtime GenAI's builder writes them: those of small checkpoints beside transformers and, rounded to 4 and 8
//! bits, beside `candle` on the same rounded weights; a published checkpoint in 4 bits also beside Python's ONNX Runtime on the
//! same file.

use super::comparison::Comparison;
use super::families::{Reference, TIE, references};
use super::onnx_questions::{QUESTIONS, Questions, choices};
use super::setup::{Setup, pairs};
use crate::program::process::{root, run, target};
use crate::program::python;
use crate::real_models;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 7] = [
    "onnxruntime-genai==0.18.0",
    "onnxruntime==1.32.0",
    "onnx==1.23.2",
    "onnx-ir==1.1.0",
    "torch==2.15.0",
    "transformers==5.24.0",
    "safetensors",
];
const ENVIRONMENT: &str = "onnx-genai-python";

/// Families that the builder has. Of Gemma 3 it reads no configuration that transformers 5 writes.
const BUILT: [&str; 7] = ["llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "granite"];
/// What the builder writes of models whose output head is the embeddings with a name of [`ROUNDED`]: a graph whose types ONNX Runtime
/// refuses. It is not compared, as long as Python's ONNX Runtime refuses it, too.
const REFUSED: [(&str, &str); 2] = [("qwen2", "zero-points"), ("gemma2", "zero-points")];

/// The number types, and how far log-likelihoods may be off those of transformers.
const WIDE: [(&str, f64); 1] = [("fp32", 1e-4)];
/// Rounded weights: their type, and the builder's options. Products of the first are of numbers that are rounded to 8 bits,
/// which is the builder's default; the others are as exact as those of `candle`.
const ROUNDED: [(&str, &str, &[&str]); 3] = [
    ("symmetric", "int4", &["accuracy_level=1"]),
    ("zero-points", "int4", &["accuracy_level=1", "is_symmetric=false"]),
    ("eight-bits", "int8", &["accuracy_level=1"]),
];
/// How far `candle` on the same rounded weights may be off.
const SAME_WEIGHTS: f64 = 1e-2;
/// The same for an export of this program's own.
const OURS: f64 = 1e-3;
/// How far Python's ONNX Runtime may be off on the same file.
const SAME_FILE: f64 = 1e-3;

/// Whether the packages were installed once.
pub(super) fn is_available() -> bool {
    target().join(ENVIRONMENT).join("ready").exists()
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let builder = Builder { python: python::environment(ENVIRONMENT, &PACKAGES)?, work: setup.work.join("onnx-genai") };
    std::fs::create_dir_all(&builder.work)?;
    let mut comparisons = Vec::new();
    for reference in references(setup)?.iter().filter(|reference| BUILT.contains(&reference.family)) {
        comparisons.extend(compare_family(setup, &builder, reference)?);
    }
    let published = real_models::directory().join("smollm2");
    if published.is_dir() {
        comparisons.extend(compare_published(setup, &builder, &published)?);
    } else {
        eprintln!("onnx-genai: no published checkpoint is compared; `cargo xtask real-models --shared DIR` gets one");
    }
    Ok(comparisons)
}

/// The script, and where its models go.
struct Builder {
    python: PathBuf,
    work: PathBuf,
}

impl Builder {
    fn command(&self, arguments: &[&str]) -> Command {
        let script = root().join("harness/xtask/src/verify/onnx_genai.py");
        let mut command = Command::new(&self.python);
        command.arg(script).args(arguments).env("HF_HUB_OFFLINE", "1").env("CUDA_VISIBLE_DEVICES", "");
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        run(&mut self.command(arguments))
    }

    /// A model in a directory of its own.
    fn build(&self, checkpoint: &Path, name: &str, precision: &str, extra: &[&str]) -> Result<PathBuf> {
        let out = self.work.join(name);
        let (from, to) = (checkpoint.to_string_lossy(), out.to_string_lossy());
        let mut arguments = vec!["build", &*from, precision, &*to];
        arguments.extend(extra);
        self.run(&arguments)?;
        Ok(out)
    }

    /// What Python's ONNX Runtime says of a model that it does not open.
    fn refusal(&self, model: &Path) -> Result<Option<String>> {
        let output = self.command(&["open", &model.to_string_lossy()]).output()?;
        ensure!(output.status.success(), "`onnx_genai.py`: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((!said.is_empty()).then_some(said))
    }

    /// How many matrices two models both have in 4 bits, and how many of them are the same.
    fn same(&self, built: &Path, exported: &Path) -> Result<[usize; 2]> {
        let output = self.command(&["same", &built.to_string_lossy(), &exported.to_string_lossy()]).output()?;
        ensure!(output.status.success(), "`onnx_genai.py`: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The checkpoint with the rounded weights of a model.
    fn dequantize(&self, model: &Path, checkpoint: &Path) -> Result<PathBuf> {
        let out = model.with_extension("dequantized");
        let [model, checkpoint, to] = [model, checkpoint, &out].map(|path| path.to_string_lossy().into_owned());
        self.run(&["dequantize", &model, &checkpoint, &to])?;
        Ok(out)
    }
}

fn onnx(checkpoint: &Path) -> Value {
    // A small batch, so that sequences join and leave many calls of the graph.
    json!({ "plugin": "onnx", "checkpoint": checkpoint, "device": "cpu", "chat": false, "max_batch_tokens": 300 })
}

fn candle(checkpoint: &Path) -> Value {
    json!({ "plugin": "candle", "checkpoint": checkpoint, "device": "cpu", "chat": false })
}

fn compare_family(setup: &Setup, builder: &Builder, reference: &Reference) -> Result<Vec<Comparison>> {
    let Reference { family, checkpoint, .. } = reference;
    let mut models = serde_json::Map::new();
    for (precision, _) in WIDE {
        let built = builder.build(checkpoint, &format!("{family}-{precision}"), precision, &[])?;
        models.insert(precision.to_owned(), onnx(&built));
    }
    let mut comparisons = Vec::new();
    let mut compared = Vec::new();
    for (name, precision, extra) in ROUNDED {
        let built = builder.build(checkpoint, &format!("{family}-{name}"), precision, extra)?;
        if REFUSED.contains(&(family, name))
            && let Some(reason) = builder.refusal(&built)?
        {
            let title = format!("{family} genai, {name}");
            comparisons.push(Comparison::left_out(title, format!("Python's onnxruntime refuses the graph: {reason}")));
            continue;
        }
        compared.push(name);
        models.insert(name.to_owned(), onnx(&built));
        models.insert(format!("{name}-candle"), candle(&builder.dequantize(&built, checkpoint)?));
    }
    let results = setup.examine(&json!({
        "name": format!("onnx-genai-{}", family.replace('_', "-")),
        "models": models,
        "datasets": reference.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;

    for (precision, tolerance) in WIDE {
        let mut sums = Comparison::new(format!("{family} genai {precision}: log-likelihood ({tolerance:e})"));
        for (ours, theirs) in pairs(&results.samples(precision, "continuation")?, &reference.scored)? {
            let ours = ours.score()?;
            let sum = if ours.tokens == theirs.continuation_ids { ours.sum } else { f64::NAN };
            sums.numbers(&[sum], &[theirs.loglikelihood], tolerance);
        }
        comparisons.push(sums);
    }
    let mut answers = Comparison::new(format!("{family} genai fp32: greedy tokens, ties left out"));
    for (ours, theirs) in pairs(&results.samples("fp32", "greedy")?, &reference.greedy)? {
        answers.row(theirs.smallest_top2_gap <= TIE || ours.generated()?.tokens == theirs.new_ids);
    }
    comparisons.push(answers);
    let mut rounded = Comparison::new(format!("{family} genai, rounded: candle ({SAME_WEIGHTS:e})"));
    for name in compared {
        let theirs = results.samples(&format!("{name}-candle"), "continuation")?;
        for (ours, theirs) in pairs(&results.samples(name, "continuation")?, &theirs)? {
            rounded.numbers(&[ours.score()?.sum], &[theirs.score()?.sum], SAME_WEIGHTS);
        }
    }
    comparisons.push(rounded);
    Ok(comparisons)
}

fn compare_published(setup: &Setup, builder: &Builder, checkpoint: &Path) -> Result<Vec<Comparison>> {
    let questions = Questions::write(setup)?;
    let default = builder.build(checkpoint, "smollm2-default", "int4", &[])?;
    let exact = builder.build(checkpoint, "smollm2-exact", "int4", &["accuracy_level=1"])?;
    let same_weights = builder.dequantize(&exact, checkpoint)?;
    let results = setup.examine(&json!({
        "name": "onnx-genai-smollm2",
        "export": { "ours": { "exporter": "onnx", "from": checkpoint, "dtype": "int4", "logits": "wanted" } },
        "models": {
            "default": onnx(&default), "exact": onnx(&exact), "ours": onnx("${export.ours}".as_ref()),
            "candle": candle(&same_weights)
        },
        "datasets": questions.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut comparisons = Vec::new();
    for (name, model) in [("default", &default), ("exact", &exact)] {
        let comparison = Comparison::new(format!("smollm2 genai int4, {name}: onnxruntime ({SAME_FILE:e})"));
        let graph = model.join("model.onnx");
        let ours = (&results, name);
        comparisons.push(questions.same_file(&builder.python, (&graph, model), ours, comparison, SAME_FILE)?);
    }
    for (name, tolerance) in [("exact", SAME_WEIGHTS), ("ours", OURS)] {
        let mut comparison = Comparison::new(format!("smollm2 genai int4, {name}: candle ({tolerance:e})"));
        for (ours, theirs) in choices(&results, name)?.iter().zip(&choices(&results, "candle")?) {
            comparison.numbers(ours, theirs, tolerance);
        }
        comparisons.push(comparison.requiring(QUESTIONS));
    }
    let mut comparison = Comparison::new("smollm2: matrices of int4, the builder's and ours");
    let [both, equal] = builder.same(&exact, &results.path("export").join("ours"))?;
    (0..both).for_each(|index| comparison.row(index < equal));
    comparisons.push(comparison);
    Ok(comparisons)
}
