//! `cargo xtask bench-peers`: the program beside others, on the same weights and the same prompts, in turns.

mod arithmetic;
mod choices;
mod environment;
mod tokens;

use crate::bench_work::median;
use crate::random_gpt2::{self, Shape};
use crate::{DeviceArguments, ProgramArguments, program};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchPeersArguments {
    /// Only works in whose name this stands (repeatable).
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
    /// A directory with `tokenizer/tokenizer.json` of GPT-2 and `csqa/dev_rand_split.jsonl`, CommonsenseQA's.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Where `candle` and transformers run. Elsewhere than on the CPU: documents and generation alone.
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

/// GPT-2 as it was published in its smallest size.
const GPT2: Shape = Shape { vocabulary: 50257, context: 1024, width: 768, layers: 12, heads: 12 };
/// The token that ends a text.
const END: u32 = 50256;

/// What all works need.
struct Ground {
    program: PathBuf,
    python: PathBuf,
    work: PathBuf,
    /// A GPT-2 of random weights with the tokenizer of the real one.
    model: PathBuf,
    /// The same with a tokenizer of one word for each token.
    words: PathBuf,
    data: PathBuf,
    device: DeviceArguments,
    quick: bool,
    rounds: usize,
}

/// A line of the table.
struct Line {
    what: String,
    peer: String,
    unit: &'static str,
    ours: f64,
    theirs: f64,
    /// How far ours is ahead.
    ratio: f64,
    at_least: f64,
    /// What both sides computed, where it can be compared, and how far it may differ.
    scores: Option<(f64, f64, f64)>,
}

impl Line {
    fn holds(&self) -> bool {
        self.ratio >= self.at_least && self.agrees()
    }

    fn agrees(&self) -> bool {
        self.scores.is_none_or(|(ours, theirs, tolerance)| (ours - theirs).abs() <= tolerance)
    }

    fn print(&self) -> Result<()> {
        let scores = self.scores.map(|(ours, theirs, _)| format!("{ours:.4} / {theirs:.4}")).unwrap_or_default();
        let result = match (self.agrees(), self.holds()) {
            (false, _) => "FALLS SHORT (other scores)",
            (true, false) => "FALLS SHORT",
            (true, true) => "ok",
        };
        println!(
            "{:<44} {:<22} {:>9.1} {:>9.1} {:<9} {:>6.2}x of {:>4}x {scores:>25}  {result}",
            self.what, self.peer, self.ours, self.theirs, self.unit, self.ratio, self.at_least
        );
        Ok(std::io::stdout().flush()?)
    }
}

type Work = (&'static str, fn(&Ground) -> Result<Vec<Line>>);

const WORKS: [Work; 7] = [
    ("choices-0shot", |ground| choices::choices(ground, 0)),
    ("choices-5shot", |ground| choices::choices(ground, 5)),
    ("documents", tokens::documents),
    ("generation", tokens::generation),
    ("onnx", tokens::onnx),
    ("training", tokens::training),
    ("arithmetic", arithmetic::arithmetic),
];

/// Works that do not say themselves where they run.
const ON_ANY_DEVICE: [&str; 2] = ["documents", "generation"];

/// Measures and prints a line for each work. Whether all hold.
pub(crate) fn bench_peers(arguments: &BenchPeersArguments) -> Result<bool> {
    let wanted = |name: &str| {
        let asked_for = arguments.work.is_empty() || arguments.work.iter().any(|work| name.contains(work.as_str()));
        asked_for && (arguments.device.is_cpu() || ON_ANY_DEVICE.contains(&name))
    };
    ensure!(
        WORKS.iter().any(|(name, _)| wanted(name)),
        "there is no such work; there are {}",
        WORKS.map(|(name, _)| name).join(", ")
    );
    let data = arguments.data.canonicalize();
    let directory = tempfile::tempdir()?;
    let work = directory.path();
    let ground = Ground {
        program: program::find(&arguments.program)?,
        python: environment::provide(arguments.python.as_deref())?,
        work: work.to_owned(),
        model: work.join("gpt2"),
        words: work.join("gpt2-words"),
        data: data.with_context(|| format!("there is no directory `{}`", arguments.data.display()))?,
        device: arguments.device.clone(),
        quick: arguments.quick,
        rounds: if arguments.quick { 1 } else { arguments.rounds },
    };
    make_models(&ground)?;
    println!(
        "GPT-2 124M of random weights, f32, {}; medians of {} rounds, in turns",
        ground.device.device, ground.rounds
    );
    println!(
        "{:<44} {:<22} {:>9} {:>9} {:<9} {:>15} {:>25}",
        "work", "peer", "ours", "peer's", "", "ratio", "scores, ours / peer's"
    );
    let mut all_hold = true;
    for (_, work) in WORKS.iter().filter(|(name, _)| wanted(name)) {
        for line in work(&ground)? {
            line.print()?;
            all_hold &= line.holds();
        }
    }
    Ok(all_hold)
}

fn make_models(ground: &Ground) -> Result<()> {
    random_gpt2::write_model(&ground.model, GPT2, END)?;
    let tokenizer = ground.data.join("tokenizer/tokenizer.json");
    std::fs::copy(&tokenizer, ground.model.join("tokenizer.json"))
        .with_context(|| format!("cannot copy `{}`", tokenizer.display()))?;
    // What transformers wants to see beside it.
    let config = serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "model_max_length": 1024
    });
    crate::process::write(&ground.model.join("tokenizer_config.json"), config.to_string())?;
    std::fs::create_dir_all(&ground.words)?;
    for file in ["config.json", "generation_config.json", "model.safetensors"] {
        link(&ground.model.join(file), &ground.words.join(file))?;
    }
    random_gpt2::write_tokenizer(&ground.words, GPT2.vocabulary)
}

fn link(from: &Path, to: &Path) -> Result<()> {
    std::fs::hard_link(from, to).with_context(|| format!("cannot link `{}`", from.display()))
}
