//! `cargo xtask bench overhead`: what the harness itself costs, with a model that costs nothing.

use super::work::median;
use crate::program::files::write;
use crate::program::measure::{self, Usage};
use crate::program::process::command_line;
use crate::program::{self, ProgramArguments};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct OverheadArguments {
    /// Fewer repetitions, and no million samples: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    program: ProgramArguments,
}

/// Starts, of which the median is reported.
const STARTS: usize = 20;
/// Repetitions of commands that do more, of which the median is reported.
const REPETITIONS: usize = 9;
/// Stages of the suites that are planned and run again, and samples of each stage.
const FINISHED: [(usize, usize); 3] = [(1, 5), (100, 5), (100, 200)];
/// Longest time for a finished suite of 100 stages with few samples each.
const FINISHED_MS_MAX: f64 = 100.0;
/// Numbers of samples. The second fills every queue between reader, model and writer, and all that is in memory before it is written
/// to temporary files, so that memory does not grow from there on.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Longest time for a start.
const START_MS_MAX: f64 = 20.0;
/// Longest time of the harness for a sample, at the second size.
const SAMPLE_US_MAX: f64 = 25.0;
/// Most memory of a run over the largest number of samples, and most by which it may be above that of the second, which differs by
/// some MiB from run to run.
const PEAK_MIB_MAX: f64 = 200.0;
const GROWTH_MIB_MAX: f64 = 10.0;

/// Measures and prints a table.
pub(crate) fn bench(arguments: &OverheadArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let (starts, repetitions) = if arguments.quick { (STARTS / 4, REPETITIONS / 3) } else { (STARTS, REPETITIONS) };
    let start = median_ms(starts, || {
        let mut command = Command::new(&program);
        command.arg("--help");
        command
    })?;
    println!("start-up: `examiner --help`, median of {starts}: {start:.1} ms (target: below {START_MS_MAX} ms)");
    let work = tempfile::tempdir()?;
    println!("\na suite of which everything is finished, with the echo model, median of {repetitions}");
    println!("{:>9} {:>17} {:>9} {:>13}", "stages", "samples of each", "plan ms", "run again ms");
    for (stages, samples) in FINISHED {
        let [plan, run] = finished_ms(&program, work.path(), stages, samples, repetitions)?;
        println!("{stages:>9} {samples:>17} {plan:>9.0} {run:>13.0}");
    }
    println!("(target: below {FINISHED_MS_MAX} ms for {} stages of {} samples)", FINISHED[1].0, FINISHED[1].1);
    println!("\nharness with the echo model: table, generate, answer-extraction, journal, samples, summary");
    println!("{:>9} {:>9} {:>16} {:>11} {:>14}", "samples", "seconds", "us per sample", "samples/s", "peak MiB");
    let mut peaks = Vec::new();
    for size in SIZES.into_iter().take(if arguments.quick { 2 } else { SIZES.len() }) {
        let Usage { seconds, peak_mib } = overhead(&program, work.path(), size)?;
        let (per_sample, rate) = (seconds * 1e6 / size as f64, size as f64 / seconds);
        println!("{size:>9} {seconds:>9.2} {per_sample:>16.1} {rate:>11.0} {peak_mib:>14.1}");
        peaks.push(peak_mib);
    }
    println!(
        "(target: below {SAMPLE_US_MAX} us per sample and {PEAK_MIB_MAX} MiB, and from {} samples on no more than {GROWTH_MIB_MAX} MiB more)",
        SIZES[1]
    );
    if let [_, few, many] = peaks[..] {
        println!("from {} to {} samples memory grows by {:.1} MiB", SIZES[1], SIZES[2], many - few);
    }
    Ok(())
}

/// The median time from a command's start to its end.
fn median_ms(repetitions: usize, command: impl Fn() -> Command) -> Result<f64> {
    let mut times = Vec::with_capacity(repetitions);
    for _ in 0..repetitions {
        let mut command = command();
        let began = Instant::now();
        let output = command.output().context("cannot start the program")?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(output.status.success(), "`{}` ended with {}", command_line(&command), output.status);
    }
    median(times)
}

/// The times of `plan` and `run` on a finished suite; each stage is a dataset of its own.
fn finished_ms(program: &Path, work: &Path, stages: usize, samples: usize, repetitions: usize) -> Result<[f64; 2]> {
    let work = work.join(format!("finished-{stages}x{samples}"));
    let rows = work.join("rows.jsonl");
    let row = |index| json!({ "question": format!("question {index}"), "answer": format!("question {index}") });
    write(&rows, (0..samples).map(|index| format!("{}\n", row(index))).collect::<String>())?;
    let dataset = |stage: usize| {
        let options = json!({
            "plugin": "table", "path": rows, "prompt": "{{ question }}", "gold": "answer", "stop": [], "max_new_tokens": 8 + stage,
            "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
        });
        (format!("stage-{stage}"), options)
    };
    let suite = json!({
        "name": "finished",
        "models": { "echo": { "plugin": "echo" } },
        "datasets": (0..stages).map(dataset).collect::<serde_json::Map<_, _>>(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let path = work.join("suite.yaml");
    write(&path, serde_yaml::to_string(&suite)?)?;
    let command = |name: &str| {
        let mut command = Command::new(program);
        command.arg(name).arg(&path).arg("--out").arg(work.join("run"));
        command
    };
    // The first run does the work and is not measured.
    let run = median_ms(1, || command("run")).and_then(|_| median_ms(repetitions, || command("run")))?;
    Ok([median_ms(repetitions, || command("plan"))?, run])
}

/// A whole run over `size` samples.
fn overhead(program: &Path, work: &Path, size: usize) -> Result<Usage> {
    let rows = work.join(format!("{size}.jsonl"));
    let row = |index: usize| {
        let (a, b) = (index % 97, index % 89);
        json!({ "question": format!("Sample {index}: how many are {a} and {b}?"), "answer": (a + b).to_string() })
    };
    write(&rows, (0..size).map(|index| format!("{}\n", row(index))).collect::<String>())?;
    let suite = json!({
        "name": format!("overhead-{size}"),
        "models": { "echo": { "plugin": "echo" } },
        "datasets": {
            "sums": {
                "plugin": "table", "path": rows, "prompt": "{{ question }}\nAnswer:", "gold": "answer",
                "scorer": { "name": "answer-extraction", "extract": "last-number" }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let path = work.join(format!("{size}.yaml"));
    write(&path, serde_yaml::to_string(&suite)?)?;
    let mut command = Command::new(program);
    measure::run(command.arg("run").arg(&path).arg("--out").arg(work.join(format!("out-{size}"))))
}
