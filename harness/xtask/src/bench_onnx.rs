//! `cargo xtask bench-onnx`: tokens a second of a GPT-2 through ONNX Runtime and through candle, beside Python's
//! onnxruntime on the same file or transformers on the same weights, in turns.

use crate::program::{self, Results};
use crate::random_gpt2::{self, Shape};
use crate::{DeviceArguments, ProgramArguments, onnxruntime, process};
use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueHint;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchOnnxArguments {
    /// A Python to compare with, which has `onnxruntime`, or `torch` and `transformers`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// What to compare with. If not given: `onnxruntime` on the CPU, `transformers` on a GPU.
    #[arg(long)]
    peer: Option<Peer>,
    /// A small model instead of the one of 124 million parameters: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    Onnxruntime,
    Transformers,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::Onnxruntime => "Python's onnxruntime",
            Peer::Transformers => "transformers",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Peer::Onnxruntime => include_str!("bench_onnx.py"),
            Peer::Transformers => include_str!("bench_transformers.py"),
        }
    }
}

/// GPT-2 as it was published in its smallest size.
const GPT2: Shape = Shape { vocabulary: 50257, context: 1024, width: 768, layers: 12, heads: 12 };
const QUICK: Shape = Shape { vocabulary: 1024, context: 512, width: 128, layers: 4, heads: 4 };

/// What is computed. Documents and prompts have nothing in common, and all have one length: no side gains by prefixes or
/// loses by padding.
struct Work {
    documents: Vec<Vec<u32>>,
    /// The last tokens of a document, of which the log-likelihood is wanted.
    scored: usize,
    prompts: Vec<Vec<u32>>,
    new: usize,
    /// Documents of a batch.
    rows: usize,
}

/// What one side did: tokens a second, and the sum of all log-likelihoods.
#[derive(Debug, Clone, Copy)]
struct Measured {
    scoring: f64,
    generation: f64,
    sum: f64,
}

/// Most relative difference of the sum of all log-likelihoods.
const TOLERANCE: f64 = 1e-5;

/// Measures and prints a line for each side. Whether all got the same sums.
pub(crate) fn bench_onnx(arguments: &BenchOnnxArguments) -> Result<bool> {
    let program = program::find(&arguments.program)?;
    onnxruntime::provide()?;
    let directory = tempfile::tempdir()?;
    let (shape, name) = if arguments.quick { (QUICK, "a small GPT-2") } else { (GPT2, "GPT-2, 124M") };
    random_gpt2::write_model(&directory.path().join("start"), shape, 0)?;
    random_gpt2::write_tokenizer(&directory.path().join("start"), shape)?;
    let work = Work::new(shape);
    work.write(directory.path())?;
    let export = |operators: &str, logits: &str| json!({ "exporter": "onnx", "from": directory.path().join("start"), "operators": operators, "logits": logits });
    let exported = program::examine(
        &program,
        directory.path(),
        &json!({
            "name": "export",
            "export": { "standard": export("standard", "all"), "fused": export("fused", "wanted") },
        }),
    )?;
    let device = &arguments.device;
    let model = |plugin: &str, checkpoint: PathBuf| json!({ "plugin": plugin, "device": device.device, "checkpoint": checkpoint });
    let models = [
        ("candle", model("candle", directory.path().join("start"))),
        ("onnx", model("onnx", exported.path("export/standard"))),
        ("onnx, fused", model("onnx", exported.path("export/fused"))),
    ];
    let peer = arguments.peer.unwrap_or(if device.is_cpu() { Peer::Onnxruntime } else { Peer::Transformers });
    println!(
        "{name}, f32, {}: {} documents of {} tokens, the last {} scored; {} answers of {} tokens after {}",
        device.device,
        work.documents.len(),
        work.documents[0].len(),
        work.scored,
        work.prompts.len(),
        work.new,
        work.prompts[0].len()
    );
    let mut measured: Vec<(&str, Vec<Measured>)> = Vec::new();
    for round in 0..arguments.rounds {
        let mut add = |side: &'static str, value: Measured| match measured.iter_mut().find(|(name, _)| *name == side) {
            Some((_, values)) => values.push(value),
            None => measured.push((side, vec![value])),
        };
        for (side, model) in &models {
            add(
                side,
                work.examiner(
                    &program,
                    device,
                    directory.path(),
                    model,
                    &format!("{}-{round}", side.replace([' ', ','], "")),
                )?,
            );
        }
        if let Some(python) = &arguments.python {
            let (model, third) = match peer {
                Peer::Onnxruntime => (exported.path("export/standard/model.onnx"), threads().to_string()),
                Peer::Transformers => (directory.path().join("start"), device.device.clone()),
            };
            add(peer.name(), work.python(python, peer, directory.path(), &model, &third)?);
        }
    }
    print_table(&measured, peer)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn print_table(measured: &[(&str, Vec<Measured>)], compared: Peer) -> Result<bool> {
    let of = |values: &[Measured], pick: fn(&Measured) -> f64| median(values.iter().map(pick).collect());
    let peer = measured.iter().find(|(side, _)| *side == compared.name());
    let sum = peer.or(measured.first()).and_then(|(_, values)| values.first()).map_or(f64::NAN, |value| value.sum);
    println!(
        "{:<22} {:>16} {:>7} {:>16} {:>7}  {:>14}",
        "tokens/s (medians)", "scoring", "ratio", "generation", "ratio", "sum of scores"
    );
    let mut agree = true;
    for (side, values) in measured {
        let (scoring, generation) = (of(values, |value| value.scoring)?, of(values, |value| value.generation)?);
        let ratio = |ours: f64, pick: fn(&Measured) -> f64| -> Result<String> {
            Ok(match peer {
                Some((_, theirs)) => format!("{:.2}", ours / of(theirs, pick)?),
                None => "-".to_owned(),
            })
        };
        let same = values.iter().all(|value| ((value.sum - sum) / sum).abs() <= TOLERANCE);
        agree &= same;
        println!(
            "{side:<22} {scoring:>16.1} {:>7} {generation:>16.1} {:>7}  {:>14.3} {}",
            ratio(scoring, |value| value.scoring)?,
            ratio(generation, |value| value.generation)?,
            values.first().map_or(f64::NAN, |value| value.sum),
            if same { "" } else { "DIFFERS" }
        );
    }
    if peer.is_none() {
        println!("{}: not measured; name a Python that has it by `--python`", compared.name());
    }
    Ok(agree)
}

impl Work {
    fn new(shape: Shape) -> Work {
        // Token 0 ends a text; it stands nowhere.
        let text = |number: usize, tokens: usize| -> Vec<u32> {
            let token = |at: usize| 1 + (number * 104_729 + at * 7919 + at * at * 31) % (shape.vocabulary - 1);
            (0..tokens).map(|at| token(at) as u32).collect()
        };
        Work {
            documents: (0..16).map(|number| text(number, 257)).collect(),
            scored: 20,
            prompts: (0..16).map(|number| text(100 + number, 64)).collect(),
            new: 32,
            rows: 8,
        }
    }

    /// The files that both sides read.
    fn write(&self, directory: &Path) -> Result<()> {
        let words = |tokens: &[u32]| tokens.iter().map(|token| format!("t{token}")).collect::<Vec<_>>().join(" ");
        let lines = |rows: &mut dyn Iterator<Item = Value>| rows.map(|row| format!("{row}\n")).collect::<String>();
        let document = |tokens: &Vec<u32>| {
            let (context, scored) = tokens.split_at(tokens.len() - self.scored);
            json!({ "context": words(context), "continuation": format!(" {}", words(scored)) })
        };
        let scoring = lines(&mut self.documents.iter().map(document));
        process::write(&directory.join("score.jsonl"), scoring)?;
        let generation = lines(&mut self.prompts.iter().map(|prompt| json!({ "prompt": words(prompt) })));
        process::write(&directory.join("generate.jsonl"), generation)?;
        let ids = json!({
            "documents": self.documents, "scored": self.scored, "prompts": self.prompts, "new": self.new, "rows": self.rows
        });
        process::write(&directory.join("work.json"), ids.to_string())
    }

    /// The work by the program; its speed is what `summary.csv` says of model and harness together.
    fn examiner(
        &self,
        program: &Path,
        device: &DeviceArguments,
        directory: &Path,
        model: &Value,
        name: &str,
    ) -> Result<Measured> {
        let scorer = json!({ "name": "perplexity-choice", "normalize": "sum" });
        let scoring = |limit: usize| {
            json!({
                "plugin": "table", "path": directory.join("score.jsonl"), "prompt": "{{ context }}", "delimiter": "",
                "choices": ["{{ continuation }}"], "gold": 0, "metadata": [], "scorer": scorer, "limit": limit
            })
        };
        let mut model = model.clone();
        model["max_batch_tokens"] = (self.rows * 256).into();
        let results = program::examine(
            program,
            directory,
            &json!({
                "name": name,
                "plugins": device.plugins(),
                "models": { "gpt2": model },
                "datasets": {
                    // The first dataset pays for opening the model.
                    "first": scoring(1),
                    "score": scoring(self.documents.len()),
                    "generate": {
                        "plugin": "table", "path": directory.join("generate.jsonl"), "prompt": "{{ prompt }}", "gold": ["x"],
                        "stop": [], "max_new_tokens": self.new, "metadata": [],
                        "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
                    }
                },
                "evaluate": [{ "models": "all", "datasets": ["first", "score", "generate"] }]
            }),
        )?;
        let sums: Result<Vec<f64>> =
            results.samples("gpt2", "score")?.iter().map(|line| Ok(line.score()?.sum)).collect();
        let generated = results.samples("gpt2", "generate")?;
        let new: Result<Vec<usize>> = generated.iter().map(|line| Ok(line.generated()?.tokens.len())).collect();
        let read: usize = self.documents.iter().map(Vec::len).sum();
        Ok(Measured {
            scoring: read as f64 / seconds(&results, "score")?,
            generation: new?.iter().sum::<usize>() as f64 / seconds(&results, "generate")?,
            sum: sums?.iter().sum(),
        })
    }

    fn python(&self, python: &Path, peer: Peer, directory: &Path, model: &Path, third: &str) -> Result<Measured> {
        let mut command = Command::new(python);
        command.args(["-c", peer.script()]).arg(model).arg(directory.join("work.json")).arg(third);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start `{}`", python.display()))?;
        ensure!(output.status.success(), "`{}` ended with {}", python.display(), output.status);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        match numbers[..] {
            [scoring, generation, sum] => Ok(Measured { scoring, generation, sum }),
            _ => Err(anyhow!("expected three numbers of the script, found `{}`", text.trim_end())),
        }
    }
}

/// Seconds that a dataset took, by `summary.csv`.
fn seconds(results: &Results, dataset: &str) -> Result<f64> {
    let text = results.summary_text()?;
    let row = text.lines().find(|line| line.split(',').nth(3) == Some(dataset));
    let seconds = row.and_then(|row| row.rsplit(',').next()?.parse().ok());
    seconds.ok_or_else(|| anyhow!("`summary.csv` has no seconds of `{dataset}`"))
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    ensure!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Ok(if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 })
}
