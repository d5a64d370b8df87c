//! Templates that ask for more than there is, and datasets and scorers that end or block their process.

use super::findings::{Findings, Setup};
use super::workload::run_to_end;
use crate::program::files::write;
use crate::program::process::{cargo, root, run, target};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

const BOMBS: &str = include_str!("../../../test-support/template-bombs.txt");
/// What no process may take more of, in the shell's units: KiB, and seconds of a processor.
const BOUNDS: &str = "ulimit -v 4194304; ulimit -t 30";

fn examine(setup: &Setup<'_>, suite: &str, bounds: &str) -> Result<(Option<i32>, String)> {
    write(&setup.work.join("suite.yaml"), suite)?;
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{bounds}; exec \"$0\" \"$@\"")).arg(&setup.program).current_dir(setup.work);
    command.args(["run", "suite.yaml", "--out", "run", "--fresh"]);
    let (status, stderr) = run_to_end(command)?;
    Ok((status.code(), stderr))
}

/// Each is an error of its dataset, in processes that may have 4 GiB of addresses and 30 s.
pub(super) fn templates(setup: &mut Setup<'_>) -> Result<Findings> {
    write(&setup.work.join("rows.jsonl"), "{\"a\": 1}\n")?;
    let mut findings = Findings::default();
    for bomb in BOMBS.lines() {
        findings.tries += 1;
        let suite = format!(
            "name: t\nmodels:\n  m: {{ plugin: echo }}\ndatasets:\n  d: {{ plugin: table, path: rows.jsonl, prompt: '{}', gold: a }}\n\
             evaluate:\n  - {{ models: m, datasets: d }}\n",
            bomb.replace('\'', "''")
        );
        let (status, stderr) = examine(setup, &suite, BOUNDS)?;
        if status != Some(1) || !stderr.contains("failed: evaluate/m/d: ") {
            findings.wrong(format!("`{bomb}`: status {status:?}: {}", stderr.trim_end()));
        }
    }
    Ok(findings)
}

/// Faults of the tests' own plugin: each costs what it must cost, and the rest of the run is as it would be.
pub(super) fn roles(setup: &mut Setup<'_>) -> Result<Findings> {
    let library = fixture()?;
    let suite = |dataset: &str, scorer: &str, isolate: &str| {
        let library = library.display();
        format!(
            "name: t\nplugins: {{ fixture: {{ path: {library} }} }}\nisolate: {isolate}\nmodels: {{ m: {{ plugin: adder }} }}\n\
             datasets:\n  bad: {{ plugin: numbers, rows: 10{dataset}{scorer} }}\n  good: {{ plugin: numbers, rows: 10 }}\n\
             evaluate:\n  - {{ models: m, datasets: [bad, good] }}\n"
        )
    };
    let faults = ["exit", "abort", "segfault", "killed", "panic", "garbage", "print", "sleep"];
    let mut findings = Findings::default();
    for fault in faults {
        let isolate = if fault == "sleep" { "{ deadline_s: 1 }" } else { "true" };
        for is_scorer in [false, true] {
            findings.tries += 1;
            let (dataset, scorer) = match is_scorer {
                false => (format!(", fault: {fault}, at: 3"), String::new()),
                true => (String::new(), format!(", scorer: {{ name: comparer, fault: {fault}, at: 3 }}")),
            };
            let (status, stderr) = examine(setup, &suite(&dataset, &scorer, isolate), "true")?;
            let expected = if fault == "print" { 0 } else { 1 };
            let rows = std::fs::read_to_string(setup.work.join("run/summary.csv")).unwrap_or_default();
            let whole = |dataset: &str| rows.lines().find(|row| row.starts_with(&format!("t,run,m,{dataset},")));
            let good = whole("good").is_some_and(|row| row.contains(",accuracy,1.0,") && row.contains(",10,10,0,0,"));
            let bad = whole("bad").is_some_and(|row| match (fault, is_scorer) {
                ("print", _) => row.contains(",10,10,0,0,"),
                (_, true) => row.contains(",10,9,0,1,"),
                (_, false) => row.contains(",failed,"),
            });
            if status != Some(expected) || !good || !bad {
                let role = if is_scorer { "scorer" } else { "dataset" };
                findings.wrong(format!("{role}, {fault}: status {status:?}\n{rows}{}", stderr.trim_end()));
            }
        }
    }
    Ok(findings)
}

/// The plugin of the program's tests, built.
fn fixture() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--workspace", "--example", "fixture"]))?;
    Ok(root().join(target()).join("release/examples").join(library("fixture")))
}

/// What a library is called here.
fn library(name: &str) -> PathBuf {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    Path::new(&format!("{prefix}{name}{suffix}")).to_owned()
}
