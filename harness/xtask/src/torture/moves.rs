//! Runs that are moved, copied or aimed at another run's directory, and products that are damaged.

use super::findings::{Findings, Setup};
use super::kills::undisturbed;
use super::results::{Results, Trace, contents};
use super::workload::{Attempt, Workload, run_to_end};
use crate::program::files::write;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How often a run is moved, copied or damaged.
const TRIES: u64 = 10;

/// A run is stopped at a random moment, or finished, and goes on under another name; the old one is gone.
pub(super) fn moved(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    elsewhere(setup, workload, |from, to| Ok(std::fs::rename(from, to)?))
}

/// The same with a copy, of which the original is deleted.
pub(super) fn copied(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    elsewhere(setup, workload, |from, to| {
        run_to_end(copy(from, to))?;
        Ok(std::fs::remove_dir_all(from)?)
    })
}

fn copy(from: &Path, to: &Path) -> Command {
    let mut command = Command::new("cp");
    command.arg("-r").arg(from).arg(to);
    command
}

fn elsewhere(setup: &mut Setup<'_>, workload: &Workload, carry: fn(&Path, &Path) -> Result<()>) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, whole) = undisturbed(&setup.program, setup.work, workload)?;
    let mut findings = Findings::default();
    for round in 0..TRIES {
        findings.tries += 1;
        let directory = |name: &str| setup.work.join(format!("{name}-{round}"));
        let before = Attempt { program: &setup.program, work: setup.work, directory: directory("before") };
        let mut child = before.start()?;
        if round > 0 {
            std::thread::sleep(whole.mul_f64(setup.random.below(1100) as f64 / 1000.0));
            child.kill()?;
        }
        child.wait()?;
        let mut trace = Trace::default();
        trace.mark(&before, &mut findings)?;
        let after = Attempt { directory: directory("after"), ..before };
        if !directory("before").exists() {
            // It was killed before it had a directory.
            continue;
        }
        carry(&directory("before"), &after.directory)?;
        std::fs::rename(directory("before").with_extension("trace"), after.trace())
            .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        let (status, stderr) = after.run()?;
        if !status.success() {
            findings.wrong(format!("elsewhere, the program ended with {status}: {}", stderr.trim_end()));
            continue;
        }
        if round == 0 && stderr.contains(" steps") {
            findings.wrong(format!("a finished training was done again: {}", stderr.trim_end()));
        }
        trace.check(&after, &mut findings)?;
        Results::read(&after, workload.products)?.compare(&undisturbed, &mut findings);
        std::fs::remove_dir_all(&after.directory)?;
    }
    Ok(findings)
}

/// Another suite is run into a finished run's directory: it is refused, and nothing changes. With `--replace` its results are those
/// that it has anywhere.
pub(super) fn replaced(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, _) = undisturbed(&setup.program, setup.work, workload)?;
    let directory = setup.work.join("undisturbed");
    let suite = std::fs::read_to_string(setup.work.join("suite.yaml"))?;
    write(&setup.work.join("other.yaml"), suite.replace("name: training", "name: other"))?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&setup.program);
        command.args(["run", "other.yaml", "--out"]).arg(&directory).args(arguments).current_dir(setup.work);
        run_to_end(command)
    };
    let mut findings = Findings::default();
    let before = contents(&directory)?;
    for arguments in [&[][..], &["--limit", "3"], &["--only", "choices"]] {
        findings.tries += 1;
        let (status, stderr) = run(arguments)?;
        if status.code() != Some(2) || !stderr.contains("--replace") {
            findings.wrong(format!("another suite's run ended with {status}: {}", stderr.trim_end()));
        }
        if contents(&directory)? != before {
            findings.wrong("a refused run changed files".to_owned());
        }
    }
    findings.tries += 1;
    let (status, stderr) = run(&["--replace"])?;
    if !status.success() {
        findings.wrong(format!("with `--replace`, the program ended with {status}: {}", stderr.trim_end()));
    }
    let replaced = Attempt { program: &setup.program, work: setup.work, directory };
    let mut results = Results::read(&replaced, workload.products)?;
    results.rename_suite("training");
    results.compare(&undisturbed, &mut findings);
    Ok(findings)
}

/// Files of a finished checkpoint are shortened, emptied, removed, or get another byte: it is made again, the same.
pub(super) fn damaged_products(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, _) = undisturbed(&setup.program, setup.work, workload)?;
    let attempt = Attempt { program: &setup.program, work: setup.work, directory: setup.work.join("undisturbed") };
    let mut findings = Findings::default();
    for round in 0..TRIES {
        findings.tries += 1;
        let product = attempt.directory.join(workload.products[0]);
        let files = contents(product.parent().unwrap_or(&product))?;
        let names: Vec<&PathBuf> = files.keys().collect();
        // The weights most of the time, else any file beside them.
        let path = match setup.random.below(2) {
            0 => product.clone(),
            _ => names[setup.random.below(names.len() as u64) as usize].clone(),
        };
        let mut bytes = std::fs::read(&path)?;
        let at = setup.random.below(bytes.len().max(1) as u64) as usize;
        match round % 4 {
            0 => std::fs::remove_file(&path)?,
            1 => std::fs::write(&path, b"")?,
            2 => std::fs::write(&path, &bytes[..at])?,
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x10;
                }
                std::fs::write(&path, &bytes)?;
            }
        }
        let (status, stderr) = attempt.run()?;
        if status.success() {
            Results::read(&attempt, workload.products)?.compare(&undisturbed, &mut findings);
        } else {
            let file = path.display();
            findings.wrong(format!("with `{file}` damaged, the program ended with {status}: {}", stderr.trim_end()));
        }
    }
    Ok(findings)
}
