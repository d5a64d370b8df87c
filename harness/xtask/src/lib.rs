//! Chores of the repository.
//!
//! The key decision: chores treat Examiner as its users do. They build the program, hand it suites and read the files
//! that it writes; nothing here links it. So `verify` finds a mistake wherever it sits, and its reading of the results
//! is an example for anyone's own comparisons.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod api;
mod bench;
mod build_cuda;
mod checkpoints;
pub mod docs;
mod families;
pub mod package;
mod program;
mod quickstart;
mod real_models;
pub mod sample;
mod test;
mod torture;
mod verify;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub use program::process::root;

/// Chores of the repository, each a `cargo xtask COMMAND`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the program, write the data, and run `configs/quickstart.yaml`: teach, train, examine, offline.
    Quickstart(quickstart::QuickstartArguments),
    /// Install what the tests need, then run all of them: format, workflows, dependencies,
    /// lints, documentation, tests, quickstart.
    Test,
    /// Check licenses, versions and sources of all dependencies, and known vulnerabilities, by `deny.toml`.
    Deny,
    /// Write the bundled sample and the quickstart's data again. The sample is under version control; a test compares it
    /// with what this writes.
    SampleData,
    /// Write the parts of the pages that are generated from the plugins' schemas and from tables in the code.
    Docs(docs::DocsArguments),
    /// Write the lists of what the published crates offer; a test compares them with the sources.
    Api(api::ApiArguments),
    /// Pack the published crates, and build them from their packages.
    Package,
    /// Build the plugins `candle` and `onnx` for NVIDIA's GPUs, on a machine that needs none.
    BuildCuda(build_cuda::BuildCudaArguments),
    /// Get two published checkpoints, convert them, and compute with other programs what `verify --only real` compares.
    RealModels(real_models::RealModelsArguments),
    /// Compare the program's numbers with those that other programs computed for the same input.
    Verify(verify::VerifyArguments),
    /// Kill runs, damage their files, take resources from them, resume them, and compare them with undisturbed ones.
    Torture(torture::TortureArguments),
    /// Measure speed and cost, beside other programs where they are installed.
    Bench(bench::BenchArguments),
}

/// Runs the chore that the arguments of the process name.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Quickstart(arguments) => quickstart::quickstart(&arguments),
        Command::Test => test::test(),
        Command::Deny => test::deny::deny(),
        Command::SampleData => sample_data().map(|()| true),
        Command::Docs(arguments) => docs::docs(&arguments),
        Command::Api(arguments) => api::api(&arguments),
        Command::Package => package::package(),
        Command::BuildCuda(arguments) => build_cuda::build_cuda(&arguments).map(|()| true),
        Command::RealModels(arguments) => real_models::real_models(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Torture(arguments) => torture::torture(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
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
        program::files::write(&directory.join(name), &text)?;
    }
    eprintln!("wrote `{}`", directory.display());
    quickstart::write_world()
}
