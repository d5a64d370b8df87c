//! llama.cpp on the same files of quantized weights, with the same number of threads, built for this machine.

use super::choices::question_texts;
use super::evaluations::run_suite;
use super::result::{Pair, PeerResult, Scores};
use super::setup::{Model, Precision, Setup, smollm2};
use crate::bench::work::{Size, Work, median, threads};
use crate::program::files::write;
use crate::program::measure::{self, Usage};
use crate::program::process::command_line;
use crate::real_models;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// As `llama-quantize` calls them.
const NUMBER_TYPES: [&str; 3] = ["Q4_0", "Q8_0", "Q4_K_M"];

/// Prompts, of which the last token is scored; and one answer.
const ONE: Size =
    Size { documents: 8, document_tokens: 513, prompts: 1, prompt_tokens: 1, new: 128, rows: 2, prompt_rows: 1 };
/// Answers to many prompts at once.
const MANY: Size =
    Size { documents: 1, document_tokens: 32, prompts: 64, prompt_tokens: 120, new: 128, rows: 8, prompt_rows: 64 };
/// Tokens of a window of `llama-perplexity`, which scores what comes after the first half and one more.
const WINDOW: usize = 512;
const SCORED: usize = WINDOW / 2 - 1;
/// By how much perplexities may differ, as a part of them: llama.cpp rounds what it multiplies by the weights to 8 bits.
const TOLERANCE: f64 = 0.02;
/// Scoring may take 1.3 times the memory.
const MEMORY: [f64; 2] = [0.77, 0.77];

const TOKENS: &str = "
import json, sys, tokenizers
text = open(sys.argv[2], encoding='utf-8').read()
print(json.dumps(tokenizers.Tokenizer.from_file(sys.argv[1]).encode(text, add_special_tokens=False).ids))
";

/// Whether its programs are there.
pub(super) fn is_built() -> bool {
    real_models::llama_cpp_for_this_machine().join("llama-perplexity").is_file()
}

/// Measures speed and memory with each number type.
pub(super) fn llama_cpp(setup: &Setup) -> Result<Vec<PeerResult>> {
    let model = smollm2(setup)?;
    real_models::build_llama_cpp_for_this_machine(&NUMBER_TYPES)?;
    let directory = setup.work.join("llama-cpp");
    let works = Works::write(setup, &model, &directory)?;
    let mut results = Vec::new();
    for number_type in NUMBER_TYPES {
        let file = real_models::quantized(number_type);
        let mut measured = Measured::default();
        for _ in 0..setup.rounds {
            for precision in setup.precisions {
                let name = format!("{number_type}-{}-{}", precision.name(), measured.theirs.len());
                let ours = works.examiner(setup, &model, &directory, &file, *precision, &name)?;
                precision.pick(&mut measured.highest, &mut measured.medium).push(ours);
            }
            measured.theirs.push(works.llama_cpp(setup, &directory, &file)?);
        }
        results.extend(measured.lines(&works, &format!("{} {number_type}", model.name))?);
    }
    Ok(results)
}

/// What one program took.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Tokens a second.
    prompts: f64,
    one_answer: f64,
    many_answers: f64,
    scoring: Usage,
    perplexity: f64,
}

/// The requests.
struct Works {
    one: Work,
    many: Work,
    /// The windows of a text.
    windows: Work,
    text: PathBuf,
}

impl Works {
    fn write(setup: &Setup, model: &Model, directory: &Path) -> Result<Self> {
        let (new, prompts, windows) = if setup.quick { (32, 16, 4) } else { (MANY.new, MANY.prompts, 16) };
        let one = Work { scored: 1, ..Work::new(model.vocabulary, Size { new, ..ONE }) };
        let many = Work::new(model.vocabulary, Size { new, prompts, ..MANY });
        let text = directory.join("text.txt");
        write(&text, question_texts(setup)?.join("\n"))?;
        let mut command = Command::new(&setup.python);
        command.args(["-c", TOKENS]).arg(model.checkpoint.join("tokenizer.json")).arg(&text);
        let tokens: Vec<u32> = serde_json::from_str(&output(&mut command)?)?;
        let documents: Vec<_> = tokens.chunks_exact(WINDOW).take(windows).map(<[u32]>::to_vec).collect();
        ensure!(documents.len() == windows, "the text has {} tokens, fewer than {windows} windows", tokens.len());
        let windows = Work { documents, scored: SCORED, prompts: Vec::new(), new: 0, rows: 8, prompt_rows: 1 };
        for (name, work) in [("one", &one), ("many", &many), ("windows", &windows)] {
            work.write(&directory.join(name))?;
        }
        Ok(Works { one, many, windows, text })
    }

    fn examiner(
        &self,
        setup: &Setup,
        model: &Model,
        directory: &Path,
        file: &Path,
        precision: Precision,
        name: &str,
    ) -> Result<Figures> {
        let mut suite_model = setup.candle(file, precision);
        suite_model["tokenizer"] = json!(model.words.join("tokenizer.json"));
        suite_model["add_bos"] = false.into();
        let run = |work: &Work, part: &str| {
            work.examiner(&setup.program, &setup.device, &directory.join(part), &suite_model, name)
        };
        let (one, many) = (run(&self.one, "one")?, run(&self.many, "many")?);
        suite_model["max_batch_tokens"] = (self.windows.rows * 256).into();
        let name = format!("windows-{name}");
        let suite = json!({
            "name": name,
            "models": { "model": suite_model },
            "datasets": { "score": Work::scoring(&directory.join("windows"), self.windows.documents.len()) },
            "evaluate": [{ "models": "all", "datasets": "all" }]
        });
        let (scoring, results) = run_suite(setup, &name, &suite)?;
        let sums: Result<Vec<f64>> =
            results.samples("model", "score")?.iter().map(|line| Ok(line.score()?.sum)).collect();
        let scored = (self.windows.documents.len() * SCORED) as f64;
        Ok(Figures {
            prompts: one.scoring,
            one_answer: one.generation,
            many_answers: many.generation,
            scoring,
            perplexity: (-sums?.iter().sum::<f64>() / scored).exp(),
        })
    }

    fn llama_cpp(&self, setup: &Setup, directory: &Path, file: &Path) -> Result<Figures> {
        #[derive(Deserialize)]
        struct Bench {
            n_prompt: usize,
            avg_ts: f64,
        }
        #[derive(Deserialize)]
        struct Batched {
            t: f64,
        }
        let (threads, new) = (threads().to_string(), self.many.new);
        let command = |program: &str| {
            let mut command = Command::new(real_models::llama_cpp_for_this_machine().join(program));
            command.arg("-m").arg(file).args(["-t", &threads]).current_dir(directory);
            command
        };
        let repetitions = if setup.quick { "1" } else { "3" };
        let mut bench = command("llama-bench");
        bench.args(["-p", "512", "-n", &new.to_string(), "-r", repetitions, "-o", "json"]);
        let bench: Vec<Bench> = serde_json::from_str(&output(&mut bench)?)?;
        let speed = |is_prompt: bool| {
            let line = bench.iter().find(|line| (line.n_prompt > 0) == is_prompt);
            line.map(|line| line.avg_ts).ok_or_else(|| anyhow!("`llama-bench` measured something else"))
        };
        let (prompts, tokens) = (self.many.prompts.len(), MANY.prompt_tokens);
        let mut batched = command("llama-batched-bench");
        batched.args(["-npp", &tokens.to_string(), "-ntg", &new.to_string(), "-npl", &prompts.to_string()]);
        batched.args(["-c", &(prompts * (tokens + new)).to_string(), "--output-format", "jsonl"]);
        let said = output(&mut batched)?;
        let line = said.lines().find_map(|line| serde_json::from_str::<Batched>(line).ok());
        let batched = line.with_context(|| format!("`llama-batched-bench` said no time:\n{said}"))?;
        let mut perplexity = command("llama-perplexity");
        perplexity.arg("-f").arg(&self.text).args(["-c", &WINDOW.to_string()]);
        perplexity.args(["--chunks", &self.windows.documents.len().to_string()]);
        let (scoring, said) = measure::run_with_output(&mut perplexity)?;
        // `[1]45.8,[2]34.2,`: the perplexity of all windows so far.
        let estimate = said.rsplit(']').next().and_then(|rest| rest.split(',').next()?.trim().parse().ok());
        Ok(Figures {
            prompts: speed(true)?,
            one_answer: speed(false)?,
            many_answers: (prompts * new) as f64 / batched.t,
            scoring,
            perplexity: estimate.with_context(|| format!("`llama-perplexity` said no estimate:\n{said}"))?,
        })
    }
}

/// All rounds.
#[derive(Default)]
struct Measured {
    highest: Vec<Figures>,
    medium: Vec<Figures>,
    theirs: Vec<Figures>,
}

impl Measured {
    fn lines(&self, works: &Works, name: &str) -> Result<Vec<PeerResult>> {
        type Compare = fn(f64, f64, f64) -> Pair;
        let line = |what: String,
                    unit,
                    pick: fn(&Figures) -> f64,
                    compare: Compare,
                    wanted: [f64; 2],
                    scored: bool|
         -> Result<PeerResult> {
            let of = |figures: &[Figures]| median(figures.iter().map(pick).collect());
            let theirs = of(&self.theirs)?;
            let perplexity = |figures: &[Figures]| figures.first().map_or(f64::NAN, |figures| figures.perplexity);
            let pair = |figures: &[Figures], wanted: f64| -> Result<Option<Pair>> {
                if figures.is_empty() {
                    return Ok(None);
                }
                let pair = compare(of(figures)?, theirs, wanted);
                let (ours, theirs) = (perplexity(figures), perplexity(&self.theirs));
                let scores = Scores { ours, theirs, tolerance: theirs * TOLERANCE };
                Ok(Some(if scored { pair.with_scores(scores) } else { pair }))
            };
            let (highest, medium) = (pair(&self.highest, wanted[0])?, pair(&self.medium, wanted[1])?);
            Ok(PeerResult { what: format!("{name}: {what}"), peer: "llama.cpp".to_owned(), unit, highest, medium })
        };
        let (prompts, new) = (works.many.prompts.len(), works.many.new);
        let (many, one) = (format!("{prompts} answers of {new} after 120"), format!("1 answer of {new}"));
        let windows = format!("perplexity, {} x {WINDOW}", works.windows.documents.len());
        Ok(vec![
            line(
                "prompts of 512".to_owned(),
                "tokens/s",
                |figures| figures.prompts,
                Pair::of_speeds,
                [1.0, 1.5],
                false,
            )?,
            line(one, "tokens/s", |figures| figures.one_answer, Pair::of_speeds, [1.0, 1.0], false)?,
            line(many, "tokens/s", |figures| figures.many_answers, Pair::of_speeds, [2.0, 3.0], false)?,
            line(windows.clone(), "s", |figures| figures.scoring.seconds, Pair::of_costs, [1.0, 1.5], true)?,
            line(
                format!("{windows}, memory"),
                "MiB",
                |figures| figures.scoring.peak_mib,
                Pair::of_costs,
                MEMORY,
                true,
            )?,
        ])
    }
}

/// What a program says on stdout.
fn output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` ended with {}:\n{stderr}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
