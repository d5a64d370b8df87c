//! The same work for several programs: documents to score and prompts to answer, given in tokens.

use crate::program::{self, Results};
use crate::{DeviceArguments, process};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// What is computed. Documents and prompts have nothing in common, and all have one length: no side gains by prefixes or
/// loses by padding.
pub(crate) struct Work {
    pub(crate) documents: Vec<Vec<u32>>,
    /// The last tokens of a document, of which the log-likelihood is wanted.
    pub(crate) scored: usize,
    pub(crate) prompts: Vec<Vec<u32>>,
    pub(crate) new: usize,
    /// Documents of a batch.
    pub(crate) rows: usize,
    /// Prompts that a peer answers at a time.
    pub(crate) prompt_rows: usize,
}

/// What one side did: tokens a second, and the sum of all log-likelihoods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) scoring: f64,
    pub(crate) generation: f64,
    pub(crate) sum: f64,
}

/// What to compare with.
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
            Peer::Onnxruntime => include_str!("bench_onnx.py"),
            Peer::Transformers => include_str!("bench_transformers.py"),
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
    /// What the benches of models and plugins measure with.
    pub(crate) const SMALL: Size =
        Size { documents: 16, document_tokens: 257, prompts: 16, prompt_tokens: 64, new: 32, rows: 8, prompt_rows: 16 };
}

impl Work {
    pub(crate) fn new(vocabulary: usize, size: Size) -> Work {
        // Token 0 ends a text; it stands nowhere.
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

    /// The files that both sides read.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let words = |tokens: &[u32]| tokens.iter().map(|token| format!("t{token}")).collect::<Vec<_>>().join(" ");
        let lines = |rows: &mut dyn Iterator<Item = Value>| rows.map(|row| format!("{row}\n")).collect::<String>();
        let document = |tokens: &Vec<u32>| {
            let (context, scored) = tokens.split_at(tokens.len() - self.scored);
            json!({ "context": words(context), "continuation": format!(" {}", words(scored)) })
        };
        let scoring = lines(&mut self.documents.iter().map(document));
        process::write(&directory.join("score.jsonl"), scoring)?;
        let generation = lines(&mut self.prompts.iter().map(|prompt| json!({ "prompt": words(prompt) })));
        process::write(&directory.join("generate.jsonl"), generation)?;
        let ids = json!({
            "documents": self.documents, "scored": self.scored, "prompts": self.prompts, "new": self.new, "rows": self.rows,
            "prompt_rows": self.prompt_rows
        });
        process::write(&directory.join("work.json"), ids.to_string())
    }

    /// The work by the program; its speed is what `summary.csv` says of model and harness together.
    pub(crate) fn examiner(
        &self,
        program: &Path,
        device: &DeviceArguments,
        directory: &Path,
        model: &Value,
        name: &str,
    ) -> Result<Measured> {
        let scorer = json!({ "name": "perplexity-choice", "normalize": "sum" });
        let scoring = |limit: usize| {
            json!({
                "plugin": "table", "path": directory.join("score.jsonl"), "prompt": "{{ context }}", "delimiter": "",
                "choices": ["{{ continuation }}"], "gold": 0, "metadata": [], "scorer": scorer, "limit": limit
            })
        };
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
                    // The first dataset pays for opening the model.
                    "first": scoring(1),
                    "score": scoring(self.documents.len()),
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
        Ok(Measured {
            scoring: read as f64 / seconds(&results, "score")?,
            generation: new?.iter().sum::<usize>() as f64 / seconds(&results, "generate")?,
            sum: sums?.iter().sum(),
        })
    }

    pub(crate) fn python(
        &self,
        python: &Path,
        peer: Peer,
        directory: &Path,
        model: &Path,
        third: &str,
    ) -> Result<Measured> {
        let mut command = Command::new(python);
        command.args(["-c", peer.script()]).arg(model).arg(directory.join("work.json")).arg(third);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start `{}`", python.display()))?;
        ensure!(output.status.success(), "`{}` ended with {}", python.display(), output.status);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        match numbers[..] {
            [scoring, generation, sum] => Ok(Measured { scoring, generation, sum }),
            _ => Err(anyhow!("expected three numbers of the script, found `{}`", text.trim_end())),
        }
    }
}

/// Seconds that a dataset took, by `summary.csv`.
fn seconds(results: &Results, dataset: &str) -> Result<f64> {
    let text = results.summary_text()?;
    let row = text.lines().find(|line| line.split(',').nth(3) == Some(dataset));
    let seconds = row.and_then(|row| row.rsplit(',').next()?.parse().ok());
    seconds.ok_or_else(|| anyhow!("`summary.csv` has no seconds of `{dataset}`"))
}

pub(crate) fn median(mut values: Vec<f64>) -> Result<f64> {
    ensure!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Ok(if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 })
}

pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
