//! `cargo xtask bench peers`: Examiner beside other programs, on the same weights and the same prompts, in turns.

mod arithmetic;
mod choices;
mod evaluations;
mod llama_cpp;
mod machine;
mod mmlu;
mod result;
mod setup;
mod tokens;

use crate::program::{self, DeviceArguments, ProgramArguments, python};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use result::{PeerResult, Report, print_header};
use setup::{Precision, Setup, smollm2};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct PeersArguments {
    /// Only works whose name contains this (repeatable).
    #[arg(long, value_name = "NAME")]
    work: Vec<String>,
    /// Less work, once: minutes instead of hours. Fixed costs weigh more.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured, in turns.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// A Python that has `torch`, `transformers`, `lm_eval`, `onnx` and `onnxruntime`, instead of one that is installed below
    /// the target directory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// Write the machine and the results as JSON into this file, too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    json: Option<PathBuf>,
    /// A directory with `tokenizer/tokenizer.json` of GPT-2 and `csqa/dev_rand_split.jsonl`, CommonsenseQA's.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Where `candle` and transformers run. On another device than the CPU: documents and generation alone.
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

/// What is measured.
struct Work {
    name: &'static str,
    needs: Needs,
    measure: fn(&Setup) -> Result<Vec<PeerResult>>,
}

/// What a work needs besides; without it, it is left out unless it is asked for.
#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    /// What `cargo xtask real-models` gets.
    SmolLm2,
    /// That, and data sets.
    SmolLm2AndHub,
    /// That, and llama.cpp, which is built where it is asked for.
    LlamaCpp,
}

const fn work(name: &'static str, needs: Needs, measure: fn(&Setup) -> Result<Vec<PeerResult>>) -> Work {
    Work { name, needs, measure }
}

const WORKS: [Work; 13] = [
    work("choices-0shot", Needs::Nothing, |setup| choices::choices(setup, &setup.gpt2, 0)),
    work("choices-5shot", Needs::Nothing, |setup| choices::choices(setup, &setup.gpt2, 5)),
    work("choices-0shot-smollm2", Needs::SmolLm2, |setup| choices::choices(setup, &smollm2(setup)?, 0)),
    work("choices-5shot-smollm2", Needs::SmolLm2, |setup| choices::choices(setup, &smollm2(setup)?, 5)),
    work("mmlu-5shot-smollm2", Needs::SmolLm2AndHub, mmlu::mmlu),
    work("documents", Needs::Nothing, |setup| tokens::documents(setup, &setup.gpt2)),
    work("documents-smollm2", Needs::SmolLm2, |setup| tokens::documents(setup, &smollm2(setup)?)),
    work("generation", Needs::Nothing, |setup| tokens::generation(setup, &setup.gpt2)),
    work("generation-smollm2", Needs::SmolLm2, |setup| tokens::generation(setup, &smollm2(setup)?)),
    work("onnx", Needs::Nothing, tokens::onnx),
    work("training", Needs::Nothing, tokens::training),
    work("arithmetic", Needs::Nothing, arithmetic::arithmetic),
    work("llama-cpp", Needs::LlamaCpp, llama_cpp::llama_cpp),
];

/// Works that can run on any device.
const ON_ANY_DEVICE: [&str; 4] = ["documents", "documents-smollm2", "generation", "generation-smollm2"];

impl Needs {
    fn are_met(self, data: &Path) -> bool {
        match self {
            Needs::Nothing => true,
            Needs::SmolLm2 => setup::has_smollm2(),
            Needs::SmolLm2AndHub => setup::has_smollm2() && mmlu::has_hub(data),
            Needs::LlamaCpp => setup::has_smollm2() && llama_cpp::is_built(),
        }
    }
}

/// The peers, in the releases that the published ratios were measured with.
const PACKAGES: [&str; 6] =
    ["torch==2.15.0", "transformers==5.23.0", "lm_eval==0.4.13", "accelerate", "onnx==1.23.2", "onnxruntime==1.32.0"];

/// A Python that has the peers: the one that is named, or one below the target directory.
fn peers(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(python) => {
            ensure!(python.is_file(), "there is no Python `{}`", python.display());
            Ok(std::path::absolute(python)?)
        }
        None => python::environment("peers", &PACKAGES),
    }
}

/// Measures and prints a line for each result. Whether all hold.
pub(crate) fn bench(arguments: &PeersArguments) -> Result<bool> {
    let wanted = |work: &Work| {
        let is_named = arguments.work.iter().any(|name| work.name.contains(name.as_str()));
        let is_asked_for = is_named || (arguments.work.is_empty() && work.needs.are_met(&arguments.data));
        is_asked_for && (arguments.device.is_cpu() || ON_ANY_DEVICE.contains(&work.name))
    };
    ensure!(
        WORKS.iter().any(wanted),
        "there is no such work; there are {}",
        WORKS.each_ref().map(|work| work.name).join(", ")
    );
    let data = arguments.data.canonicalize();
    let data = data.with_context(|| format!("there is no directory `{}`", arguments.data.display()))?;
    let directory = tempfile::tempdir()?;
    let python = peers(arguments.python.as_deref())?;
    let machine = machine::machine(&python)?;
    let setup = Setup {
        program: program::find(&arguments.program)?,
        python,
        work: directory.path().to_owned(),
        gpt2: setup::write_gpt2(directory.path(), &data)?,
        data,
        precisions: Precision::of(&machine, &arguments.device),
        device: arguments.device.clone(),
        quick: arguments.quick,
        rounds: if arguments.quick { 1 } else { arguments.rounds },
    };
    println!("{machine}");
    println!("{}; medians of {} rounds, in turns; GPT-2 has random weights", setup.device.device, setup.rounds);
    print_header();
    let mut results = Vec::new();
    for work in WORKS.iter().filter(|work| wanted(work)) {
        let measured = (work.measure)(&setup).with_context(|| format!("the work `{}` failed", work.name))?;
        measured.iter().try_for_each(PeerResult::print)?;
        results.extend(measured);
        if let Some(path) = &arguments.json {
            let (device, quick, rounds) = (&*setup.device.device, setup.quick, setup.rounds);
            Report { machine: &machine, device, quick, rounds, results: &results }.write(path)?;
        }
    }
    Ok(results.iter().all(PeerResult::holds))
}
