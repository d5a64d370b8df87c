//! The same work for several programs: documents to score and prompts to answer, given in tokens.

use crate::program::files::write;
use crate::program::{self, DeviceArguments};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// The requests. Documents and prompts share no prefix, and all have one length: no program gains by prefixes or loses by
/// padding.
pub(crate) struct Work {
    pub(crate) documents: Vec<Vec<u32>>,
    /// How many tokens at the end of a document are scored.
    pub(crate) scored: usize,
    pub(crate) prompts: Vec<Vec<u32>>,
    pub(crate) new: usize,
    /// Documents of a batch.
    pub(crate) rows: usize,
    /// Prompts that a peer answers at a time.
    pub(crate) prompt_rows: usize,
}

/// The result of one program: tokens a second, and the sum of all log-likelihoods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    pub(crate) scoring: f64,
    pub(crate) generation: f64,
    pub(crate) sum: f64,
}

/// The program to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Onnxruntime,
    Transformers,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Onnxruntime => "Python's onnxruntime",
            Peer::Transformers => "transformers",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Peer::Onnxruntime => include_str!("onnx.py"),
            Peer::Transformers => include_str!("transformers.py"),
        }
    }
}

/// How much of each kind of work there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) documents: usize,
    pub(crate) document_tokens: usize,
    pub(crate) prompts: usize,
    pub(crate) prompt_tokens: usize,
    pub(crate) new: usize,
    /// Documents of a batch.
    pub(crate) rows: usize,
    /// Prompts that a peer answers at a time.
    pub(crate) prompt_rows: usize,
}

impl Size {
    /// The size for the benches of models and plugins.
    pub(crate) const SMALL: Size =
        Size { documents: 16, document_tokens: 257, prompts: 16, prompt_tokens: 64, new: 32, rows: 8, prompt_rows: 16 };
}

impl Work {
    pub(crate) fn new(vocabulary: usize, size: Size) -> Work {
        // Token 0 ends a text; no document has it.
        let text = |number: usize, tokens: usize| -> Vec<u32> {
            let token = |at: usize| 1 + (number * 104_729 + at * 7919 + at * at * 31) % (vocabulary - 1);
            (0..tokens).map(|at| token(at) as u32).collect()
        };
        Work {
            documents: (0..size.documents).map(|number| text(number, size.document_tokens)).collect(),
            scored: 20,
            prompts: (0..size.prompts).map(|number| text(100 + number, size.prompt_tokens)).collect(),
            new: size.new,
            rows: size.rows,
            prompt_rows: size.prompt_rows,
        }
    }

    /// Writes the files that both programs read.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let words = |tokens: &[u32]| tokens.iter().map(|token| format!("t{token}")).collect::<Vec<_>>().join(" ");
        let lines = |rows: &mut dyn Iterator<Item = Value>| rows.map(|row| format!("{row}\n")).collect::<String>();
        let document = |tokens: &Vec<u32>| {
            let (context, scored) = tokens.split_at(tokens.len() - self.scored);
            json!({ "context": words(context), "continuation": format!(" {}", words(scored)) })
        };
        let scoring = lines(&mut self.documents.iter().map(document));
        write(&directory.join("score.jsonl"), scoring)?;
        let generation = lines(&mut self.prompts.iter().map(|prompt| json!({ "prompt": words(prompt) })));
        write(&directory.join("generate.jsonl"), generation)?;
        let ids = json!({
            "documents": self.documents, "scored": self.scored, "prompts": self.prompts, "new": self.new, "rows": self.rows,
            "prompt_rows": self.prompt_rows
        });
        write(&directory.join("work.json"), ids.to_string())
    }

    /// The first documents as a dataset of a suite.
    pub(crate) fn scoring(directory: &Path, limit: usize) -> Value {
        json!({
            "plugin": "table", "path": directory.join("score.jsonl"), "prompt": "{{ context }}", "delimiter": "",
            "choices": ["{{ continuation }}"], "gold": 0, "metadata": [], "limit": limit,
            "scorer": { "name": "perplexity-choice", "normalize": "sum" }
        })
    }

    /// The work by Examiner; its speed is that of model and harness together, from `summary.csv`.
    pub(crate) fn examiner(
        &self,
        program: &Path,
        device: &DeviceArguments,
        directory: &Path,
        model: &Value,
        name: &str,
    ) -> Result<Throughput> {
        let mut model = model.clone();
        model["max_batch_tokens"] = (self.rows * 256).into();
        let results = program::examine(
            program,
            directory,
            &json!({
                "name": name,
                "plugins": device.plugins(),
                "models": { "gpt2": model },
                "datasets": {
                    // The time of the first dataset includes opening the model.
                    "first": Work::scoring(directory, 1),
                    "score": Work::scoring(directory, self.documents.len()),
                    "generate": {
                        "plugin": "table", "path": directory.join("generate.jsonl"), "prompt": "{{ prompt }}", "gold": ["x"],
                        "stop": [], "max_new_tokens": self.new, "metadata": [],
                        "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
                    }
                },
                "evaluate": [{ "models": "all", "datasets": ["first", "score", "generate"] }]
            }),
        )?;
        let sums: Result<Vec<f64>> =
            results.samples("gpt2", "score")?.iter().map(|line| Ok(line.score()?.sum)).collect();
        let generated = results.samples("gpt2", "generate")?;
        let new: Result<Vec<usize>> = generated.iter().map(|line| Ok(line.generated()?.tokens.len())).collect();
        let read: usize = self.documents.iter().map(Vec::len).sum();
        Ok(Throughput {
            scoring: read as f64 / results.seconds("score")?,
            generation: new?.iter().sum::<usize>() as f64 / results.seconds("generate")?,
            sum: sums?.iter().sum(),
        })
    }

    /// The same work by a script in Python, with what it takes after model and work.
    pub(crate) fn python(
        &self,
        python: &Path,
        peer: Peer,
        directory: &Path,
        model: &Path,
        arguments: &[&str],
    ) -> Result<Throughput> {
        let mut command = Command::new(python);
        command.args(["-c", peer.script()]).arg(model).arg(directory.join("work.json")).args(arguments);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start `{}`", python.display()))?;
        ensure!(output.status.success(), "`{}` ended with {}", python.display(), output.status);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        match numbers[..] {
            [scoring, generation, sum] => Ok(Throughput { scoring, generation, sum }),
            _ => Err(anyhow!("expected three numbers from the script, found `{}`", text.trim_end())),
        }
    }
}

/// The median of measurements.
pub(crate) fn median(mut values: Vec<f64>) -> Result<f64> {
    ensure!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Ok(if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 })
}

/// The number of threads for other programs.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
