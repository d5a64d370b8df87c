//! `cargo xtask verify`: the released program's numbers beside those that other programs computed for the same input.
//!
//! One file per group of comparisons. A group writes a suite, runs it with the program, reads the files that the program
//! wrote, and compares each row with the recorded one. To add a group, write its file and name it in [`GROUPS`].

mod comparison;
mod distill;
mod editors;
mod endpoint;
mod families;
mod llama_cpp;
mod lm_eval_choice;
mod lm_eval_gsm8k;
mod lm_eval_tasks;
mod lm_eval_tree;
mod metrics;
mod onnx;
mod onnx_families;
mod onnx_genai;
mod onnx_gguf;
mod onnx_optimum;
mod onnx_plugins;
mod onnx_questions;
mod onnx_transformers_js;
mod opencompass_bbh;
mod opencompass_extraction;
mod opencompass_perplexity;
mod process;
mod real;
mod recorded_solutions;
mod setup;
mod teacher;
mod train;
mod transformers;
mod versions;

use crate::program::{self, DeviceArguments, ProgramArguments, onnxruntime};
use crate::real_models;
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use comparison::Comparison;
use setup::Setup;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    /// The directory of reference data and results.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    shared: PathBuf,
    /// Only groups whose name contains this (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Keep suites and results in this directory, to look at rows that differ.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    keep: Option<PathBuf>,
    /// A Python with `onnx`, `onnxruntime`, `torch` and `transformers`, to check exported graphs with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

type Group = fn(&Setup) -> Result<Vec<Comparison>>;

/// All groups, by name.
const GROUPS: [(&str, Group); 28] = [
    ("transformers", transformers::compare),
    ("onnx", onnx::compare),
    (ONNX_WEBGPU, onnx_plugins::webgpu),
    (ONNX_OPENVINO, onnx_plugins::openvino),
    ("families", families::compare),
    ("onnx-families", onnx_families::compare),
    (ONNX_GGUF, onnx_gguf::compare),
    (ONNX_GENAI, onnx_genai::compare),
    (ONNX_OPTIMUM, onnx_optimum::compare),
    (ONNX_TRANSFORMERS_JS, onnx_transformers_js::compare),
    ("lm-eval-choice", lm_eval_choice::compare),
    ("lm-eval-gsm8k", lm_eval_gsm8k::compare),
    ("recorded-solutions", recorded_solutions::compare),
    ("opencompass-perplexity", opencompass_perplexity::compare),
    ("opencompass-extraction", opencompass_extraction::compare),
    ("train", train::compare),
    ("opencompass-bbh", opencompass_bbh::compare),
    ("teacher", teacher::compare),
    ("distill", distill::compare),
    ("endpoint", endpoint::compare),
    (EDITORS, editors::compare),
    ("versions", versions::compare),
    (REAL, real::compare),
    (LLAMA_CPP, llama_cpp::compare),
    (PROCESS, process::compare),
    (LM_EVAL_TREE, lm_eval_tree::compare),
    (METRICS, metrics::compare),
    (LM_EVAL_TASKS, lm_eval_tasks::compare),
];

/// The groups that need what `cargo xtask real-models` gets; without it, they are left out unless they are asked for.
const REAL: &str = "real";
const LLAMA_CPP: &str = "llama-cpp";
const ONNX_GGUF: &str = "onnx-gguf";
/// The group that installs packages of Python; it is left out until it was asked for once, or a Python is named.
const PROCESS: &str = "process";
/// The groups that install lm-evaluation-harness; they are left out likewise.
const LM_EVAL_TREE: &str = "lm-eval-tree";
const LM_EVAL_TASKS: &str = "lm-eval-tasks";
/// The group that installs packages of Python that metrics are held against; likewise.
const METRICS: &str = "metrics";
/// The groups that install the exporters of others; likewise.
const ONNX_GENAI: &str = "onnx-genai";
const ONNX_OPTIMUM: &str = "onnx-optimum";
const ONNX_TRANSFORMERS_JS: &str = "onnx-transformers-js";
/// The groups that install providers of ONNX Runtime; the first computes a GPU on the CPU, for half an hour. They are left out unless they
/// are asked for.
const ONNX_WEBGPU: &str = "onnx-webgpu";
const ONNX_OPENVINO: &str = "onnx-openvino";
const LARGE: [&str; 4] = [ONNX_WEBGPU, ONNX_GENAI, ONNX_OPTIMUM, ONNX_TRANSFORMERS_JS];
const SHARED_PART: &str = "onnx-";
/// The group that needs npm; where it is not installed, it is left out likewise.
const EDITORS: &str = "editors";

/// Runs the comparisons and prints a line for each. Whether all hold.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<bool> {
    let shared = arguments.shared.canonicalize();
    let shared = shared.with_context(|| format!("there is no directory `{}`", arguments.shared.display()))?;
    onnxruntime::provide()?;
    let temporary = tempfile::tempdir()?;
    let work = match &arguments.keep {
        Some(path) => {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make `{}`", path.display()))?;
            path.canonicalize()?
        }
        None => temporary.path().to_owned(),
    };
    let (device, python) = (arguments.device.clone(), arguments.python.clone());
    let program = program::find(&arguments.program)?;
    let setup = Setup { program, work, shared, device, python, environment: Vec::new() };
    let has_real = !real_models::available()?.is_empty();
    let wanted = |name: &str| match arguments.only.as_slice() {
        [] => match name {
            REAL | ONNX_GGUF => has_real,
            LLAMA_CPP => llama_cpp::is_available(),
            PROCESS => arguments.python.is_some() || process::is_available(),
            LM_EVAL_TREE | LM_EVAL_TASKS => arguments.python.is_some() || lm_eval_tasks::is_available(),
            METRICS => metrics::is_available(),
            ONNX_GENAI => onnx_genai::is_available(),
            ONNX_OPTIMUM | ONNX_TRANSFORMERS_JS => onnx_optimum::is_available(),
            EDITORS => editors::is_available(),
            ONNX_WEBGPU | ONNX_OPENVINO => false,
            _ => true,
        },
        // What takes hours, or installs gigabytes, is asked for by more than the part of its name that it shares with others.
        only => only
            .iter()
            .any(|only| name.contains(only) && !(LARGE.contains(&name) && SHARED_PART.contains(only.as_str()))),
    };
    let groups: Vec<_> = GROUPS.into_iter().filter(|(name, _)| wanted(name)).collect();
    ensure!(
        !groups.is_empty(),
        "no group has a name that contains `{}`; expected one of {}",
        arguments.only.join("`, `"),
        GROUPS.map(|(name, _)| name).join(", ")
    );
    println!("{}", comparison::HEADER);
    let mut all_hold = true;
    for (name, compare) in groups {
        match compare(&setup) {
            Ok(comparisons) if comparisons.is_empty() => println!("{}", comparison::left_out(name)),
            Ok(comparisons) => {
                for comparison in comparisons {
                    println!("{comparison}");
                    all_hold &= comparison.holds();
                }
            }
            Err(error) => {
                println!("{}", comparison::failed(name));
                eprintln!("{name}: {error:#}");
                all_hold = false;
            }
        }
    }
    Ok(all_hold)
}
