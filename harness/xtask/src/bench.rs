//! `cargo xtask bench`: what the harness itself costs, with a model that costs nothing.

use crate::{ProgramArguments, process, program};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    program: ProgramArguments,
}

/// Starts that the median is of.
const STARTS: usize = 20;
/// The smallest fills every queue between reader, model and writer; what memory grows by from there is kept for each sample.
const SIZES: [usize; 3] = [10_000, 100_000, 500_000];
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
    println!("{:>9} {:>9} {:>16} {:>14}", "samples", "seconds", "us per sample", "peak MiB");
    let work = tempfile::tempdir()?;
    for size in SIZES {
        let (seconds, peak_kib) = overhead(&program, work.path(), size)?;
        let per_sample = seconds * 1e6 / size as f64;
        println!("{size:>9} {seconds:>9.2} {per_sample:>16.1} {:>14.1}", peak_kib as f64 / 1024.0);
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

/// Seconds and peak memory in KiB of a whole run over `size` samples.
fn overhead(program: &Path, work: &Path, size: usize) -> Result<(f64, u64)> {
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
    let began = Instant::now();
    let mut command = Command::new(program);
    command.arg("run").arg(&path).arg("--out").arg(work.join(format!("out-{size}")));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start the program")?;
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(high_water_kib(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.success(), "`{}` ended with {status}", process::said(&command));
    Ok((seconds, peak_kib))
}

/// The most memory that a process has held, `VmHWM` of Linux.
fn high_water_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
