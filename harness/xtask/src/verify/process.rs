//! The tiny GPT-2 as a Python program that runs it through transformers, against the same recorded rows, and beside the plugin
//! `candle` in one suite that is killed in the middle.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use super::transformers;
use crate::program::process::{command_line, root, target};
use crate::program::{Results, python, run_suite};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ENVIRONMENT: &str = "process-python";
const PACKAGES: [&str; 2] = ["torch==2.15.0", "transformers==5.23.0"];
/// The variable by which Python finds the package that is not installed.
const PYTHON_PATH: &str = "PYTHONPATH";
/// So many bytes of a journal are some tens of samples.
const JOURNAL_BYTES: u64 = 100_000;

/// Whether there is a Python with the packages: they take gigabytes, and are installed only for those who ask for this group.
pub(super) fn is_available() -> bool {
    target().join(ENVIRONMENT).join("ready").is_file()
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let python = match &setup.python {
        Some(python) => std::path::absolute(python)?,
        None => python::environment(ENVIRONMENT, &PACKAGES)?,
    };
    let model = json!({
        "plugin": "process",
        // One thread: the sums of several have another order, and on a busy machine they wait for each other.
        "command": ["env", format!("{PYTHON_PATH}={}", package().display()), "OMP_NUM_THREADS=1", python,
            example("transformers_model.py")],
        "files": [setup.shared("models/tiny-gpt2")]
    });
    let mut lines = transformers::agreement(setup, "process", &json!({ "models": { "tiny": model } }))?;
    lines.extend(beside_candle(setup, &model)?);
    Ok(lines)
}

fn package() -> PathBuf {
    root().join("python/examiner-plugin/src")
}

fn example(name: &str) -> PathBuf {
    root().join("python/examples").join(name)
}

/// Both models in one suite, once undisturbed and once killed in the middle.
fn beside_candle(setup: &Setup, process: &Value) -> Result<Vec<Comparison>> {
    let suite = |name: &str| {
        json!({
            "name": name,
            "models": { "candle": setup.tiny_gpt2(), "process": process },
            "datasets": { "continuation": {
                "plugin": "table", "path": setup.shared("oracle/tiny-gpt2/loglikelihood.jsonl"), "prompt": "{{ context }}",
                "delimiter": "", "choices": ["{{ continuation }}"], "gold": 0, "metadata": [],
                "scorer": { "name": "perplexity-choice", "normalize": "sum" }
            } },
            "evaluate": [{ "models": "all", "datasets": "all" }]
        })
    };
    let undisturbed = setup.examine(&suite("process-undisturbed"))?;
    let (candle, process) =
        (undisturbed.samples("candle", "continuation")?, undisturbed.samples("process", "continuation")?);
    let mut sums = Comparison::new("process beside candle: log-likelihood (1e-3)");
    let mut tokens = Comparison::new("process beside candle: tokens");
    for (ours, theirs) in pairs(&candle, &process)? {
        let (ours, theirs) = (ours.score()?, theirs.score()?);
        sums.numbers(&[theirs.sum], &[ours.sum], 1e-3);
        tokens.row(ours.tokens == theirs.tokens && ours.scored_tokens == theirs.scored_tokens);
    }

    let disturbed = suite("process-disturbed");
    kill_in_the_middle(setup, &disturbed)?;
    let run = run_suite(&setup.program, &setup.work, &disturbed, &[])?;
    ensure!(run.status == Some(0), "the resumed run ended with {:?}:\n{}", run.status, run.stderr.trim_end());
    ensure!(run.stderr.contains("going on in"), "the killed run was not gone on with:\n{}", run.stderr.trim_end());
    let mut resumed = Comparison::new("process, killed and resumed: samples");
    for model in ["candle", "process"] {
        let lines =
            |results: &Results| std::fs::read_to_string(results.path(&format!("samples/{model}/continuation.jsonl")));
        let (whole, again) = (lines(&undisturbed)?, lines(&run.results)?);
        for (one, other) in pairs(&whole.lines().collect::<Vec<_>>(), &again.lines().collect::<Vec<_>>())? {
            resumed.row(one == other);
        }
    }
    Ok(vec![tokens, sums, resumed])
}

/// Starts a suite, and kills the program when the Python model has answered some samples.
fn kill_in_the_middle(setup: &Setup, suite: &Value) -> Result<()> {
    let name = suite["name"].as_str().unwrap_or_default();
    let path = setup.work.join(format!("{name}.yaml"));
    std::fs::write(&path, serde_yaml::to_string(suite)?)?;
    let directory = setup.work.join(name);
    let mut command = Command::new(&setup.program);
    command.arg("run").arg(&path).arg("--out").arg(&directory).current_dir(&setup.work);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", command_line(&command)))?;
    let began = Instant::now();
    while bytes_below(&directory.join("journal/process")) < JOURNAL_BYTES {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the run ended with {status} before it could be killed");
        }
        ensure!(began.elapsed() < Duration::from_secs(300), "the Python model has answered nothing in 5 minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn bytes_below(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
