//! Questions of CommonsenseQA for models in ONNX: as rows of a suite, by this program, and by Python's ONNX Runtime on the same file.

use super::comparison::Comparison;
use super::setup::{Setup, write_rows};
use crate::program::files::json_lines;
use crate::program::process::{root, run};
use crate::program::{Answer, Results};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many are asked.
pub(super) const QUESTIONS: usize = 100;

/// The questions that are asked.
pub(super) struct Questions(PathBuf);

#[derive(Deserialize)]
struct Question {
    question: String,
    choices: Vec<String>,
    answer: usize,
}

/// What the script says of a question.
#[derive(Deserialize)]
struct Scored {
    /// In nats, one for each choice.
    loglikelihoods: Vec<f64>,
}

impl Questions {
    /// Writes the rows.
    pub(super) fn write(setup: &Setup) -> Result<Self> {
        let all: Vec<Question> = json_lines(&setup.shared("oracle/lm_eval/csqa_flat.jsonl"))?;
        let path = setup.work.join("onnx-questions.jsonl");
        let row = |row: &Question| {
            let choices: Vec<String> = row.choices.iter().map(|choice| format!(" {choice}")).collect();
            json!({ "context": format!("Question: {}\nAnswer:", row.question), "choices": choices, "answer": row.answer })
        };
        // Choices that are equal are asked for once.
        let is_plain = |row: &&Question| row.choices.iter().collect::<BTreeSet<_>>().len() == row.choices.len();
        write_rows(&path, all.iter().filter(is_plain).take(QUESTIONS).map(row))?;
        Ok(Questions(path))
    }

    /// The section `datasets` of a suite, with one dataset, `csqa`.
    pub(super) fn datasets(&self) -> Value {
        json!({ "csqa": {
            "plugin": "table", "path": self.0, "prompt": "{{ context }}", "delimiter": "", "choices": "choices",
            "gold": "answer", "gold_is": "index", "scorer": { "name": "perplexity-choice", "normalize": "sum" }
        } })
    }

    /// How a model's log-likelihoods agree with those of Python's ONNX Runtime on the same file. `directory` is its checkpoint's.
    pub(super) fn same_file(
        &self,
        python: &Path,
        (graph, directory): (&Path, &Path),
        (results, model): (&Results, &str),
        mut comparison: Comparison,
        tolerance: f64,
    ) -> Result<Comparison> {
        let scores = graph.with_extension("scores.jsonl");
        let mut script = Command::new(python);
        script.arg(root().join("harness/xtask/src/verify/onnx_score.py"));
        run(script.args([graph, directory, &self.0, &scores]))?;
        let theirs: Vec<Scored> = json_lines(&scores)?;
        for (ours, theirs) in choices(results, model)?.iter().zip(&theirs) {
            comparison.numbers(ours, &theirs.loglikelihoods, tolerance);
        }
        Ok(comparison.requiring(QUESTIONS))
    }
}

/// The log-likelihoods of all choices, question by question.
pub(super) fn choices(results: &Results, model: &str) -> Result<Vec<Vec<f64>>> {
    let sum = |answer: &Answer| match answer {
        Answer::Score(score) => Ok(score.sum),
        Answer::Generate(_) => bail!("a choice has no log-likelihood"),
    };
    let samples = results.samples(model, "csqa")?;
    samples.iter().map(|sample| sample.answers.iter().map(sum).collect()).collect()
}
