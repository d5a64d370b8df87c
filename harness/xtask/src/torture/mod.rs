//! `cargo xtask torture`: runs are killed, damaged and deprived of resources, resumed, and compared with an undisturbed one.

mod damage;
mod faults;
mod findings;
mod kills;
mod moves;
mod resources;
mod results;
mod soak;
mod workload;

use crate::program::{self, ProgramArguments};
use crate::sample::Random;
use anyhow::{Result, ensure};
use findings::{Findings, Setup};
use std::io::Write;
use workload::Workload;

#[derive(Debug, clap::Args)]
pub(crate) struct TortureArguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Only scenarios whose name contains this (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often to kill in each scenario that kills.
    #[arg(long, value_name = "N", default_value_t = 30)]
    kills: u64,
    /// Instead of the scenarios: disturbs runs in every way for so many minutes.
    #[arg(long, value_name = "MINUTES")]
    soak: Option<u64>,
    /// Seed of the moments.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

type Scenario = (&'static str, fn(&mut Setup<'_>) -> Result<Findings>);

const SCENARIOS: [Scenario; 15] = [
    ("kill: harness alone (echo)", |setup| kills::kills(setup, &Workload::echo())),
    ("kill: scoring (candle)", |setup| kills::kills(setup, &Workload::scoring())),
    ("kill: generation (candle)", |setup| kills::kills(setup, &Workload::generation())),
    ("kill: training (candle)", |setup| kills::kills(setup, &Workload::training())),
    ("interrupt: scoring (candle)", |setup| kills::interrupts(setup, &Workload::scoring())),
    ("journal torn at any byte", |setup| damage::torn(setup, &Workload::echo())),
    ("journal with flipped bytes", |setup| damage::flipped(setup, &Workload::echo())),
    ("files that may not grow", |setup| resources::file_size(setup, &Workload::echo())),
    ("two runs in one directory", |setup| resources::two_at_once(setup, &Workload::scoring())),
    ("moved run", |setup| moves::moved(setup, &Workload::training())),
    ("copied run", |setup| moves::copied(setup, &Workload::training())),
    ("replaced run", |setup| moves::replaced(setup, &Workload::training())),
    ("damaged product", |setup| moves::damaged_products(setup, &Workload::training())),
    ("templates without end", faults::templates),
    ("faults of datasets and scorers", faults::roles),
];

/// Runs the scenarios and prints a line for each. Whether all of them hold.
pub(crate) fn torture(arguments: &TortureArguments) -> Result<bool> {
    let program = program::find(&arguments.program)?;
    let chosen =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| name.contains(only.as_str()));
    ensure!(SCENARIOS.iter().any(|(name, _)| chosen(name)), "no scenario has one of the names in its own");
    println!("{:<30} {:>6} {:>6} {:>6}", "scenario", "tries", "lost", "wrong");
    if let Some(minutes) = arguments.soak {
        let lasting = std::time::Duration::from_secs(60 * minutes);
        return report(&format!("soak, {minutes} minutes"), &soak::soak(&program, arguments.seed, lasting)?);
    }
    let mut all_hold = true;
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| chosen(name)) {
        let work = tempfile::tempdir()?;
        let random = Random::new(arguments.seed);
        let mut setup =
            Setup { program: program.clone(), work: work.path(), kills: arguments.kills, random, limits: None };
        all_hold &= report(name, &scenario(&mut setup)?)?;
    }
    Ok(all_hold)
}

/// Prints the line of a scenario. Whether it holds.
fn report(name: &str, findings: &Findings) -> Result<bool> {
    let holds = findings.lost == 0 && findings.wrong == 0 && findings.tries > 0;
    let result = if holds { "ok" } else { "FALLS SHORT" };
    println!("{name:<30} {:>6} {:>6} {:>6}  {result}", findings.tries, findings.lost, findings.wrong);
    std::io::stdout().flush()?;
    findings.notes.iter().for_each(|note| eprintln!("  {note}"));
    Ok(holds)
}
