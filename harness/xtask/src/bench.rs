//! `cargo xtask bench`: what the harness itself costs, with a model that costs nothing.

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
/// The smallest fills every queue between reader, model and writer; what memory grows by from there is kept for each sample.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Most time that a start may take.
const START_MS_MAX: f64 = 20.0;
/// Most time that the harness may take for a sample, at the larger size.
const SAMPLE_US_MAX: f64 = 50.0;

/// Measures and prints a table.
pub(crate) fn bench(arguments: &BenchArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let start = start_ms(&program)?;
    println!("start-up: `examiner --help`, median of {STARTS}: {start:.1} ms (target: below {START_MS_MAX} ms)");
    println!("\nharness with the echo model: table, generate, answer-extraction, journal, samples, summary");
    println!("{:>9} {:>9} {:>16} {:>11} {:>14}", "samples", "seconds", "us per sample", "samples/s", "peak MiB");
    let work = tempfile::tempdir()?;
    for size in SIZES {
        let Taken { seconds, peak_mib } = overhead(&program, work.path(), size)?;
        let (per_sample, rate) = (seconds * 1e6 / size as f64, size as f64 / seconds);
        println!("{size:>9} {seconds:>9.2} {per_sample:>16.1} {rate:>11.0} {peak_mib:>14.1}");
    }
    println!("(target: below {SAMPLE_US_MAX} us per sample at {}, and memory that hardly grows)", SIZES[1]);
    Ok(())
}

fn start_ms(program: &Path) -> Result<f64> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let began = Instant::now();
        let output = Command::new(program).arg("--help").output().context("cannot start the program")?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(output.status.success(), "`examiner --help` ended with {}", output.status);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[STARTS / 2 - 1] + times[STARTS / 2]) / 2.0)
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
