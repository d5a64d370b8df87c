//! `cargo xtask bench families`: scoring and generating with a Llama, beside transformers' at the same weights in the same
//! run.

use crate::checkpoints::llama::write_model;
use crate::checkpoints::shapes::{LLAMA_101M, LLAMA_QUICK};
use crate::program::files::write;
use crate::program::{self, ProgramArguments};
use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueHint;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct FamiliesArguments {
    /// A Python that has `torch` and `transformers`, to compare with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// A small model instead of the one of 100 million parameters: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Questions that are scored.
    #[arg(long, default_value_t = 64)]
    questions: usize,
    /// How many of them transformers scores; its speed does not depend on the number, and it is slow.
    #[arg(long, default_value_t = 8)]
    python_questions: usize,
    #[command(flatten)]
    program: ProgramArguments,
}

/// Tokens that all questions begin with, as many as five worked examples have.
const PREAMBLE: usize = 600;
/// Requests of a batch, and tokens of an answer.
const ANSWERS: (usize, usize) = (16, 64);
const SCRIPT: &str = include_str!("families.py");

/// The results of one program.
struct Measurement {
    seconds: f64,
    results: Vec<Value>,
}

/// Measures and prints a line for each kind of work.
pub(crate) fn bench(arguments: &FamiliesArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let work = tempfile::tempdir()?;
    let model = work.path().join("model");
    let parameters = write_model(&model, if arguments.quick { LLAMA_QUICK } else { LLAMA_101M })?;
    let preamble: String = (0..PREAMBLE).map(|at| letter(at * at + 7 * at)).collect();
    // No space at the end: it would be scored with the options.
    let question = |index: usize| -> String {
        (0..30 + index % 21).map(|at| letter(at * 31 + index * index)).chain(['?']).collect()
    };
    let choices = |index: usize| -> Vec<String> {
        (0..4).map(|choice| (0..4 + (index + choice) % 5).map(|at| letter(at + 5 * choice + index)).collect()).collect()
    };
    let row = |index: usize, before: &str| json!({ "prompt": format!("{before}{}", question(index)), "choices": choices(index) });
    let rows = |count: usize, before: &str| -> Vec<Value> { (0..count).map(|index| row(index, before)).collect() };
    println!("a Llama of {:.0}M parameters, f32, CPU", parameters as f64 / 1e6);
    println!("{:<44} {:>12} {:>14} {:>7}", "", "examiner", "transformers", "ratio");

    let setup = Setup { program, work: work.path().to_owned(), model, python: arguments.python.clone() };
    let scored = rows(arguments.questions, &preamble);
    let ours = setup.examiner("score", &scored)?;
    let theirs = setup.transformers("score", &scored[..arguments.python_questions.min(scored.len())])?;
    let name = format!("scoring after {PREAMBLE} tokens, options/s");
    report(&name, &ours, theirs.as_ref(), |side| side.results.len() as f64)?;
    for (name, before) in [("a preamble", preamble.as_str()), ("nothing", "")] {
        let asked = rows(ANSWERS.0, before);
        let ours = setup.examiner("generate", &asked)?;
        let theirs = setup.transformers("generate", &asked)?;
        let name = format!("{} answers after {name}, tokens/s", ANSWERS.0);
        report(&name, &ours, theirs.as_ref(), |side| {
            side.results.iter().filter_map(Value::as_array).map(Vec::len).sum::<usize>() as f64
        })?;
    }
    Ok(())
}

/// A lower-case letter or a space.
fn letter(number: usize) -> char {
    match number % 27 {
        26 => ' ',
        index => char::from(b'a' + index as u8),
    }
}

fn report(
    name: &str,
    ours: &Measurement,
    theirs: Option<&Measurement>,
    count: impl Fn(&Measurement) -> f64,
) -> Result<()> {
    let speed = |side: &Measurement| count(side) / side.seconds;
    let Some(theirs) = theirs else {
        println!("{name:<44} {:>12.1} {:>14} {:>7}", speed(ours), "-", "-");
        return Ok(());
    };
    println!("{name:<44} {:>12.1} {:>14.1} {:>7.2}", speed(ours), speed(theirs), speed(ours) / speed(theirs));
    // With random weights the two best tokens may be nearly equal, and answers then differ; sums may not.
    let differing = ours.results.iter().zip(&theirs.results).filter(|(ours, theirs)| match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            (a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN)).abs() > 2e-3
        }
        (ours, theirs) => ours != theirs,
    });
    let (differing, all) = (differing.count(), theirs.results.len());
    let most = if theirs.results.iter().all(Value::is_number) { 0 } else { all / 4 };
    ensure!(differing <= most, "{differing} of {all} results differ: the two programs did not do the same");
    println!("{:<44} {:>12}", "  same results", format!("{}/{all}", all - differing));
    Ok(())
}

struct Setup {
    program: PathBuf,
    work: PathBuf,
    model: PathBuf,
    python: Option<PathBuf>,
}

impl Setup {
    fn examiner(&self, kind: &str, rows: &[Value]) -> Result<Measurement> {
        let path = self.write_rows(kind, rows)?;
        let choices: Vec<String> = (0..4).map(|choice| format!("{{{{ choices[{choice}] }}}}")).collect();
        let dataset = match kind {
            "score" => json!({
                "plugin": "table", "path": path, "prompt": "{{ prompt }}", "delimiter": "", "choices": choices,
                "gold": 0, "metadata": [], "scorer": { "name": "perplexity-choice", "normalize": "sum" }
            }),
            _ => json!({
                "plugin": "table", "path": path, "prompt": "{{ prompt }}", "gold": ["-"], "stop": [],
                "max_new_tokens": ANSWERS.1, "metadata": [],
                "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }),
        };
        let name = format!("{kind}-{}", rows.first().map_or(0, |row| row.to_string().len()));
        let results = program::examine(
            &self.program,
            &self.work,
            &json!({
                "name": name,
                "models": { "llama": { "plugin": "candle", "checkpoint": self.model, "device": "cpu" } },
                "datasets": { "rows": dataset },
                "evaluate": [{ "models": "all", "datasets": "all" }]
            }),
        )?;
        let seconds = results.seconds("rows")?;
        let mut found = Vec::new();
        for sample in results.samples("llama", "rows")? {
            for answer in &sample.answers {
                found.push(match answer {
                    program::Answer::Score(score) => json!(score.sum),
                    program::Answer::Generate(generated) => json!(generated.tokens),
                });
            }
        }
        Ok(Measurement { seconds, results: found })
    }

    fn transformers(&self, kind: &str, rows: &[Value]) -> Result<Option<Measurement>> {
        #[derive(Deserialize)]
        struct Output {
            seconds: f64,
            results: Vec<Value>,
        }
        let Some(python) = &self.python else { return Ok(None) };
        let path = self.write_rows(kind, rows)?;
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).arg(&self.model).arg(path).arg(kind);
        command.args([ANSWERS.0, ANSWERS.1].map(|number| number.to_string())).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("cannot start `{}`", python.display()))?;
        ensure!(output.status.success(), "`{}` ended with {}", python.display(), output.status);
        let text = String::from_utf8(output.stdout)?;
        let last = text.lines().last().ok_or_else(|| anyhow!("`{}` printed nothing", python.display()))?;
        let Output { seconds, results } = serde_json::from_str(last)?;
        Ok(Some(Measurement { seconds, results }))
    }

    fn write_rows(&self, kind: &str, rows: &[Value]) -> Result<PathBuf> {
        let path = Path::join(&self.work, format!("{kind}.jsonl"));
        write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>())?;
        Ok(path)
    }
}
