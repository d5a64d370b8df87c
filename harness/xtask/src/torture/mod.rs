//! `cargo xtask torture`: runs are killed, damaged and starved, gone on with, and held against an undisturbed one.

mod damage;
mod evidence;
mod kills;
mod starve;
mod subject;

use crate::sample::Random;
use crate::{ProgramArguments, program};
use anyhow::{Result, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use subject::Subject;

#[derive(Debug, clap::Args)]
pub(crate) struct TortureArguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Only scenarios in whose name this stands (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Kill this often in each scenario that kills.
    #[arg(long, value_name = "N", default_value_t = 30)]
    kills: u64,
    /// Choose other moments.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Where a scenario does its work.
struct Ground<'a> {
    program: PathBuf,
    work: &'a Path,
    kills: u64,
    random: Random,
}

/// What a scenario found.
#[derive(Debug, Default)]
struct Found {
    tries: u64,
    /// Samples that are missing in the end, and finished ones that were asked again.
    lost: u64,
    /// Results that differ from the undisturbed run's, workers that outlived the program, other exit statuses than
    /// promised.
    wrong: u64,
    /// What it was, for people.
    notes: Vec<String>,
}

impl Found {
    fn wrong(&mut self, note: String) {
        self.wrong += 1;
        self.notes.push(note);
    }
}

type Scenario = (&'static str, fn(&mut Ground<'_>) -> Result<Found>);

const SCENARIOS: [Scenario; 9] = [
    ("kill: harness alone (echo)", |ground| kills::kills(ground, &Subject::echo())),
    ("kill: scoring (candle)", |ground| kills::kills(ground, &Subject::scoring())),
    ("kill: generation (candle)", |ground| kills::kills(ground, &Subject::generation())),
    ("kill: training (candle)", |ground| kills::kills(ground, &Subject::training())),
    ("interrupt: scoring (candle)", |ground| kills::interrupts(ground, &Subject::scoring())),
    ("journal torn at any byte", |ground| damage::torn(ground, &Subject::echo())),
    ("journal with flipped bytes", |ground| damage::flipped(ground, &Subject::echo())),
    ("files that may not grow", |ground| starve::file_size(ground, &Subject::echo())),
    ("two runs in one directory", |ground| starve::two_at_once(ground, &Subject::scoring())),
];

/// Runs the scenarios and prints a line for each. Whether all of them hold.
pub(crate) fn torture(arguments: &TortureArguments) -> Result<bool> {
    let program = program::find(&arguments.program)?;
    let chosen =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| name.contains(only.as_str()));
    ensure!(SCENARIOS.iter().any(|(name, _)| chosen(name)), "no scenario has one of the names in its own");
    println!("{:<30} {:>6} {:>6} {:>6}", "scenario", "tries", "lost", "wrong");
    let mut all_hold = true;
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| chosen(name)) {
        let work = tempfile::tempdir()?;
        let random = Random::new(arguments.seed);
        let mut ground = Ground { program: program.clone(), work: work.path(), kills: arguments.kills, random };
        let found = scenario(&mut ground)?;
        let holds = found.lost == 0 && found.wrong == 0 && found.tries > 0;
        let result = if holds { "ok" } else { "FALLS SHORT" };
        println!("{name:<30} {:>6} {:>6} {:>6}  {result}", found.tries, found.lost, found.wrong);
        std::io::stdout().flush()?;
        found.notes.iter().for_each(|note| eprintln!("  {note}"));
        all_hold &= holds;
    }
    Ok(all_hold)
}
