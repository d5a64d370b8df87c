//! `cargo xtask bench`: what the harness itself costs, with a model that costs nothing.

use crate::bench_work::median;
use crate::measure::{self, Taken};
use crate::{ProgramArguments, process, program};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    program: ProgramArguments,
}

/// Starts that the median is of.
const STARTS: usize = 20;
/// Repetitions that a median is of where a command does more.
const REPETITIONS: usize = 9;
/// Stages of the suites that are planned, and run, once more, and samples of each stage.
const FINISHED: [(usize, usize); 3] = [(1, 5), (100, 5), (100, 200)];
/// Most time that a suite may take of which everything is finished: 100 stages of few samples.
const FINISHED_MS_MAX: f64 = 100.0;
/// The smallest fills every queue between reader, model and writer; what memory grows by from there is kept for each sample.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Most time that a start may take.
const START_MS_MAX: f64 = 20.0;
/// Most time that the harness may take for a sample, at the larger size.
const SAMPLE_US_MAX: f64 = 50.0;

/// Measures and prints a table.
pub(crate) fn bench(arguments: &BenchArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let start = median_ms(STARTS, || {
        let mut command = Command::new(&program);
        command.arg("--help");
        command
    })?;
    println!("start-up: `examiner --help`, median of {STARTS}: {start:.1} ms (target: below {START_MS_MAX} ms)");
    let work = tempfile::tempdir()?;
    println!("\na suite of which everything is finished, with the echo model, median of {REPETITIONS}");
    println!("{:>9} {:>17} {:>9} {:>13}", "stages", "samples of each", "plan ms", "run again ms");
    for (stages, samples) in FINISHED {
        let [plan, run] = finished_ms(&program, work.path(), stages, samples)?;
        println!("{stages:>9} {samples:>17} {plan:>9.0} {run:>13.0}");
    }
    println!("(target: below {FINISHED_MS_MAX} ms for {} stages of {} samples)", FINISHED[1].0, FINISHED[1].1);
    println!("\nharness with the echo model: table, generate, answer-extraction, journal, samples, summary");
    println!("{:>9} {:>9} {:>16} {:>11} {:>14}", "samples", "seconds", "us per sample", "samples/s", "peak MiB");
    for size in SIZES {
        let Taken { seconds, peak_mib } = overhead(&program, work.path(), size)?;
        let (per_sample, rate) = (seconds * 1e6 / size as f64, size as f64 / seconds);
        println!("{size:>9} {seconds:>9.2} {per_sample:>16.1} {rate:>11.0} {peak_mib:>14.1}");
    }
    println!("(target: below {SAMPLE_US_MAX} us per sample at {}, and memory that hardly grows)", SIZES[1]);
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
        ensure!(output.status.success(), "`{}` ended with {}", process::said(&command), output.status);
    }
    median(times)
}

/// What `plan` and `run` take over a finished suite of so many stages, each a dataset of its own with so many samples.
fn finished_ms(program: &Path, work: &Path, stages: usize, samples: usize) -> Result<[f64; 2]> {
    let work = work.join(format!("finished-{stages}x{samples}"));
    let rows = work.join("rows.jsonl");
    let row = |place| json!({ "question": format!("question {place}"), "answer": format!("question {place}") });
    process::write(&rows, (0..samples).map(|place| format!("{}\n", row(place))).collect::<String>())?;
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
    process::write(&path, serde_yaml::to_string(&suite)?)?;
    let command = |name: &str| {
        let mut command = Command::new(program);
        command.arg(name).arg(&path).arg("--out").arg(work.join("run"));
        command
    };
    // What is measured is not the run that does the work.
    let run = median_ms(1, || command("run")).and_then(|_| median_ms(REPETITIONS, || command("run")))?;
    Ok([median_ms(REPETITIONS, || command("plan"))?, run])
}

/// A whole run over `size` samples.
fn overhead(program: &Path, work: &Path, size: usize) -> Result<Taken> {
    let rows = work.join(format!("{size}.jsonl"));
    let row = |place: usize| {
        let (a, b) = (place % 97, place % 89);
        json!({ "question": format!("Sample {place}: how many are {a} and {b}?"), "answer": (a + b).to_string() })
    };
    process::write(&rows, (0..size).map(|place| format!("{}\n", row(place))).collect::<String>())?;
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
    process::write(&path, serde_yaml::to_string(&suite)?)?;
    let mut command = Command::new(program);
    measure::whole(command.arg("run").arg(&path).arg("--out").arg(work.join(format!("out-{size}"))))
}
