//! `cargo xtask bench NAME`: what the program costs and how fast it is, beside other programs where they are installed.

mod families;
mod models;
mod onnx;
mod overhead;
mod peers;
mod train;
mod work;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Measure what the harness itself takes: to start, to find a suite finished, and for each sample.
    Overhead(overhead::OverheadArguments),
    /// Measure the speed of training, beside PyTorch's where a Python that has it is named.
    Train(train::TrainArguments),
    /// Measure scoring and generation through ONNX Runtime and candle, beside Python's onnxruntime on the same file where a
    /// Python that has it is named.
    Onnx(onnx::OnnxArguments),
    /// Measure scoring and generation by models of every family with random weights, beside transformers.
    Models(models::ModelsArguments),
    /// Measure scoring and generation by a Llama, with and without a shared beginning, beside transformers where a Python
    /// that has it is named.
    Families(families::FamiliesArguments),
    /// Measure whole evaluations beside lm-evaluation-harness, transformers, onnxruntime and PyTorch.
    Peers(peers::PeersArguments),
}

/// Measures and prints a table. Whether every expectation holds that the bench has.
pub(crate) fn bench(arguments: &BenchArguments) -> Result<bool> {
    match &arguments.bench {
        Bench::Overhead(arguments) => overhead::bench(arguments).map(|()| true),
        Bench::Train(arguments) => train::bench(arguments).map(|()| true),
        Bench::Onnx(arguments) => onnx::bench(arguments),
        Bench::Models(arguments) => models::bench(arguments),
        Bench::Families(arguments) => families::bench(arguments).map(|()| true),
        Bench::Peers(arguments) => peers::bench(arguments),
    }
}
