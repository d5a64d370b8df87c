//! Chores of the repository.
//!
//! The key decision: chores treat Examiner as its users do. They build the program, hand it suites and read the files
//! that it writes; nothing here links it. So `verify` finds a mistake wherever it sits, and its reading of the results
//! is an example for anyone's own comparisons.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bench;
mod bench_families;
mod bench_models;
mod bench_onnx;
mod bench_peers;
mod bench_train;
mod bench_work;
mod effect;
mod measure;
mod onnxruntime;
mod process;
mod program;
mod quickstart;
mod random_gpt2;
mod random_llama;
pub mod sample;
mod test;
mod torture;
mod verify;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueHint};
use std::path::PathBuf;
use std::process::ExitCode;

pub use process::root;

/// Chores of the repository, each a `cargo xtask COMMAND`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the program, make the data, and run `configs/quickstart.yaml`: teach, train, examine, offline.
    Quickstart(quickstart::QuickstartArguments),
    /// Install what the tests need, then run all of them: format, lints, tests, documentation, quickstart.
    Test,
    /// Write the bundled sample and the quickstart's data anew. The sample is under version control; a test compares it
    /// with what this writes.
    SampleData,
    /// Hold the program's numbers against those that other programs computed for the same input.
    Verify(verify::VerifyArguments),
    /// Kill runs, damage and starve them, go on with them, and hold them against undisturbed ones.
    Torture(torture::TortureArguments),
    /// Measure what the harness itself takes: to start, to find a suite finished, and for each sample.
    Bench(bench::BenchArguments),
    /// Measure the speed of training, beside PyTorch's where a Python that has it is named.
    BenchTrain(bench_train::BenchTrainArguments),
    /// Measure scoring and generation through ONNX Runtime and candle, beside Python's onnxruntime on the same file where a
    /// Python that has it is named.
    BenchOnnx(bench_onnx::BenchOnnxArguments),
    /// Measure every family of models with random weights, beside transformers.
    BenchModels(bench_models::BenchModelsArguments),
    /// Measure whole evaluations beside lm-evaluation-harness, transformers, onnxruntime and PyTorch.
    BenchPeers(bench_peers::BenchPeersArguments),
    /// Measure scoring and generating with a Llama, beside transformers' where a Python that has it is named.
    BenchFamilies(bench_families::BenchFamiliesArguments),
}

/// The program to work with.
#[derive(Debug, clap::Args)]
struct ProgramArguments {
    /// Use this `examiner`, with its plugins beside it, instead of building one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    program: Option<PathBuf>,
}

/// Where models run that are compared or measured.
#[derive(Debug, Clone, clap::Args)]
struct DeviceArguments {
    /// The `device` of models that can run on several.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// A build of the plugin `candle` for that device.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    candle: Option<PathBuf>,
}

impl DeviceArguments {
    fn is_cpu(&self) -> bool {
        self.device == "cpu"
    }

    /// The section `plugins` of a suite.
    fn plugins(&self) -> serde_json::Value {
        match &self.candle {
            // Suites run in directories of their own, from which a relative path would lead elsewhere.
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                serde_json::json!({ "candle": { "path": path } })
            }
            None => serde_json::json!({}),
        }
    }
}

/// Runs the chore that the arguments of the process name.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Quickstart(arguments) => quickstart::quickstart(&arguments),
        Command::Test => test::test(),
        Command::SampleData => sample_data().map(|()| true),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Torture(arguments) => torture::torture(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments).map(|()| true),
        Command::BenchModels(arguments) => bench_models::bench_models(&arguments),
        Command::BenchOnnx(arguments) => bench_onnx::bench_onnx(&arguments),
        Command::BenchPeers(arguments) => bench_peers::bench_peers(&arguments),
        Command::BenchTrain(arguments) => bench_train::bench_train(&arguments).map(|()| true),
        Command::BenchFamilies(arguments) => bench_families::bench_families(&arguments).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn sample_data() -> Result<()> {
    let directory = quickstart::data();
    for (name, text) in sample::files() {
        process::write(&directory.join(name), &text)?;
    }
    eprintln!("wrote `{}`", directory.display());
    quickstart::make_world()
}
