//! `cargo xtask quickstart`: from a fresh clone to a model that was taught and examined, without a network.

mod effect;

use crate::program::files::write;
use crate::program::process::{root, run};
use crate::{program, sample};
use anyhow::{Context, Result, ensure};
use effect::Effect;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seed of the suite's data.
const WORLD: u64 = 1;
/// The suite's seeds for which the effect is tested.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// For how many of them it must be there.
const ENOUGH: usize = 4;

#[derive(Debug, Default, clap::Args)]
pub(crate) struct QuickstartArguments {
    /// Run the suite with five seeds, one after the other, and print for each how student and vanilla compare.
    #[arg(long)]
    seeds: bool,
}

/// The directory of the bundled sample.
pub(crate) fn data() -> PathBuf {
    root().join("data/quickstart")
}

/// Writes the data that the suite teaches and examines with.
pub(crate) fn write_world() -> Result<()> {
    for (path, text) in sample::world(WORLD) {
        write(&data().join("world").join(path), text)?;
    }
    Ok(())
}

/// Builds the program, writes the data and runs the suite. Whether the effect is there.
pub(crate) fn quickstart(arguments: &QuickstartArguments) -> Result<bool> {
    let program = program::build()?;
    write_world()?;
    if arguments.seeds {
        return with_seeds(&program);
    }
    run(Command::new(program).args(["run", "configs/quickstart.yaml", "--fresh"]))?;
    let effects = Effect::read(&root().join("outputs/latest"))?;
    effects.iter().for_each(|effect| println!("{effect}"));
    Ok(effects.iter().all(Effect::is_there))
}

/// Runs each seed in a directory of its own, so that no run reuses another's results.
fn with_seeds(program: &Path) -> Result<bool> {
    let work = tempfile::tempdir()?;
    let mut there = 0;
    for seed in SEEDS {
        let directory = work.path().join(seed.to_string());
        std::fs::create_dir(&directory)?;
        let mut command = Command::new(program);
        command.arg("run").arg(root().join("configs/quickstart.yaml")).args(["--out", "run"]);
        command.arg("--set").arg(format!("seed={seed}"));
        command.arg("--set").arg(format!("data={}", data().join("world").display()));
        // Beside the run, and not in place of the figure of the quickstart itself.
        command.args(["--set", "report.figure=figs/result.svg"]);
        let status = command.current_dir(&directory).status().context("cannot start the program")?;
        ensure!(status.success(), "the run with seed {seed} ended with {status}");
        let effects = Effect::read(&directory.join("run"))?;
        effects.iter().for_each(|effect| println!("seed {seed}: {effect}"));
        there += usize::from(effects.iter().all(Effect::is_there));
    }
    let holds = there >= ENOUGH;
    let result = if holds { "ok" } else { "FALLS SHORT" };
    println!("the effect is there for {there} of {} seeds, at least {ENOUGH} expected: {result}", SEEDS.len());
    Ok(holds)
}
