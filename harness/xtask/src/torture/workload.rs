//! The suites that are disturbed, their data, and how they are run.

use crate::checkpoints::shapes::GPT2_TORTURE;
use crate::checkpoints::{gpt2, tokenizers};
use crate::program::files::{to_json_lines, write};
use crate::sample::Random;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A suite with its data.
pub(super) struct Workload {
    suite: Value,
    data: fn(&Path) -> Result<()>,
    /// Files of the run, besides `summary.csv` and `samples`, that must be the same in every byte.
    pub(super) products: &'static [&'static str],
}

impl Workload {
    /// Thousands of questions to the echo model, which takes no time.
    pub(super) fn echo() -> Self {
        let suite = json!({
            "name": "echo",
            "models": { "echo": { "plugin": "echo" } },
            "datasets": { "sums": {
                "plugin": "table", "path": "sums.jsonl", "prompt": "{{ question }}\nAnswer:", "gold": "answer",
                "scorer": { "name": "answer-extraction", "extract": "last-number" }
            } },
            "evaluate": [{ "models": "all", "datasets": "all" }]
        });
        let data = |work: &Path| {
            let row = |n: u64| json!({ "question": format!("How many are {n} and {}?", n % 7), "answer": (n % 7).to_string() });
            write(&work.join("sums.jsonl"), to_json_lines((0..6000).map(row)))
        };
        Workload { suite, data, products: &[] }
    }

    /// Log-likelihoods of a small GPT-2.
    pub(super) fn scoring() -> Self {
        let datasets = json!({ "choices": {
            "plugin": "table", "path": "choices.jsonl", "prompt": "{{ prompt }}", "choices": "{{ choices }}", "gold": "gold",
            "gold_is": "index", "scorer": { "name": "perplexity-choice", "normalize": ["sum", "chars"] }
        } });
        Workload::gpt2("scoring", datasets, |work| {
            let mut random = Random::new(2);
            let mut row = |_| {
                let choices: Vec<String> = (0..4).map(|_| words(&mut random, 3)).collect();
                json!({ "prompt": words(&mut random, 24), "choices": choices, "gold": random.below(4) })
            };
            write(&work.join("choices.jsonl"), to_json_lines((0..1500).map(&mut row)))
        })
    }

    /// Sampled answers of a small GPT-2.
    pub(super) fn generation() -> Self {
        let datasets = json!({ "answers": {
            "plugin": "table", "path": "prompts.jsonl", "prompt": "{{ prompt }}", "gold": "gold", "repeats": 2,
            "generation": { "max_new_tokens": 24, "temperature": 1.0 },
            "scorer": { "name": "answer-extraction", "extract": "last-number" }
        } });
        Workload::gpt2("generation", datasets, |work| {
            let mut random = Random::new(3);
            let mut row = |_| json!({ "prompt": words(&mut random, 16), "gold": "17" });
            write(&work.join("prompts.jsonl"), to_json_lines((0..250).map(&mut row)))
        })
    }

    fn gpt2(name: &str, datasets: Value, rows: fn(&Path) -> Result<()>) -> Self {
        let suite = json!({
            "name": name, "seed": 5, "models": { "gpt2": { "plugin": "candle", "checkpoint": "gpt2", "device": "cpu" } },
            "datasets": datasets, "evaluate": [{ "models": "all", "datasets": "all" }]
        });
        Workload { suite, data: rows, products: &[] }
    }

    /// A training, and an evaluation of the trained model.
    pub(super) fn training() -> Self {
        let mut workload = Workload::scoring();
        workload.suite["name"] = "training".into();
        workload.suite["models"] = json!({
            "gpt2": { "plugin": "candle", "checkpoint": "gpt2", "device": "cpu" },
            "trained": { "plugin": "candle", "checkpoint": "${train.one}", "device": "cpu" }
        });
        workload.suite["train"] = json!({ "one": {
            "trainer": "candle", "from": "gpt2", "data": "rows.jsonl", "device": "cpu", "max_steps": 60, "batch_rows": 8,
            "lr": 1e-3, "checkpoint_every": 4
        } });
        workload.suite["datasets"]["choices"]["limit"] = 200.into();
        workload.suite["evaluate"] = json!([{ "models": ["trained"], "datasets": "all" }]);
        workload.data = |work| {
            (Workload::scoring().data)(work)?;
            let mut random = Random::new(4);
            let mut row = |n: u64| json!({ "id": n.to_string(), "prompt": words(&mut random, 12), "completion": format!(" {}", words(&mut random, 12)) });
            write(&work.join("rows.jsonl"), to_json_lines((0..400).map(&mut row)))
        };
        workload.products = &["train/one/checkpoints/step-000060/model.safetensors"];
        workload
    }

    /// Writes the suite and its data.
    pub(super) fn write_files(&self, work: &Path) -> Result<()> {
        gpt2::write_model(&work.join("gpt2"), GPT2_TORTURE, 0)?;
        tokenizers::write_words(&work.join("gpt2"), GPT2_TORTURE.vocabulary)?;
        (self.data)(work)?;
        write(&work.join("suite.yaml"), serde_yaml::to_string(&self.suite)?)
    }
}

/// A run of a workload that is disturbed, in a directory of its own.
pub(super) struct Attempt<'a> {
    pub(super) program: &'a Path,
    pub(super) work: &'a Path,
    /// The run's directory.
    pub(super) directory: PathBuf,
}

impl Attempt<'_> {
    /// The file in which workers record the samples they are asked for.
    pub(super) fn trace(&self) -> PathBuf {
        self.directory.with_extension("trace")
    }

    /// The command that starts the run, or resumes it.
    pub(super) fn command(&self) -> Command {
        self.command_within(None)
    }

    /// The same after a command of the shell that sets a limit: `ulimit -f 100`.
    pub(super) fn command_within(&self, limit: Option<&str>) -> Command {
        let mut command = match limit {
            Some(limit) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\"")).arg(self.program);
                command
            }
            None => Command::new(self.program),
        };
        command.args(["run", "suite.yaml", "--out"]).arg(&self.directory).current_dir(self.work);
        self.configured(command)
    }

    fn configured(&self, mut command: Command) -> Command {
        command.env("EXAMINER_TRACE", self.trace()).env("TMPDIR", self.work);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end, and returns the program's stderr.
    pub(super) fn run(&self) -> Result<(ExitStatus, String)> {
        run_to_end(self.command())
    }

    pub(super) fn start(&self) -> Result<Child> {
        self.start_within(None)
    }

    pub(super) fn start_within(&self, limit: Option<&str>) -> Result<Child> {
        // Nothing reads stderr before the end, and a pipe would fill up: hence a file.
        let stderr = std::fs::File::create(self.directory.with_extension("stderr"))?;
        self.command_within(limit).stderr(stderr).spawn().context("cannot start the program")
    }
}

/// Runs a command to its end.
pub(super) fn run_to_end(mut command: Command) -> Result<(ExitStatus, String)> {
    let output = command.output().context("cannot start the program")?;
    Ok((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn words(random: &mut Random, count: usize) -> String {
    let words: Vec<String> =
        (0..count).map(|_| format!("t{}", 1 + random.below(GPT2_TORTURE.vocabulary as u64 - 1))).collect();
    words.join(" ")
}
