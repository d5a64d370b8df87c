//! `cargo xtask bench-families`: scoring and generating with a Llama, beside transformers' at the same weights in the same
//! run.

use crate::random_llama::{Shape, write_model};
use crate::{ProgramArguments, process, program};
use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueHint;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchFamiliesArguments {
    /// A Python that has `torch` and `transformers`, to compare with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// A small model instead of the one of 100 million parameters: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Questions that are scored.
    #[arg(long, default_value_t = 64)]
    questions: usize,
    /// So many of them transformers scores; its speed does not depend on how many there are, and it takes its time.
    #[arg(long, default_value_t = 8)]
    python_questions: usize,
    #[command(flatten)]
    program: ProgramArguments,
}

/// 101 million parameters.
const LLAMA: Shape =
    Shape { vocabulary: 16_384, context: 1024, width: 768, inner: 2048, layers: 12, heads: 12, kv_heads: 4 };
const QUICK: Shape = Shape { vocabulary: 512, context: 1024, width: 128, inner: 256, layers: 4, heads: 4, kv_heads: 2 };
/// What all questions begin with, in tokens: five worked examples, say.
const PREAMBLE: usize = 600;
/// Requests that are answered at the same time, and tokens of an answer.
const ANSWERS: (usize, usize) = (16, 64);
const SCRIPT: &str = include_str!("bench_families.py");

/// What one side did.
struct Side {
    seconds: f64,
    results: Vec<Value>,
}

/// Measures and prints a line for each kind of work.
pub(crate) fn bench_families(arguments: &BenchFamiliesArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let work = tempfile::tempdir()?;
    let model = work.path().join("model");
    let parameters = write_model(&model, if arguments.quick { QUICK } else { LLAMA })?;
    let preamble: String = (0..PREAMBLE).map(|at| letter(at * at + 7 * at)).collect();
    // No space at the end: it would be scored with the options.
    let question = |place: usize| -> String {
        (0..30 + place % 21).map(|at| letter(at * 31 + place * place)).chain(['?']).collect()
    };
    let choices = |place: usize| -> Vec<String> {
        (0..4).map(|choice| (0..4 + (place + choice) % 5).map(|at| letter(at + 5 * choice + place)).collect()).collect()
    };
    let row = |place: usize, before: &str| json!({ "prompt": format!("{before}{}", question(place)), "choices": choices(place) });
    let rows = |count: usize, before: &str| -> Vec<Value> { (0..count).map(|place| row(place, before)).collect() };
    println!("a Llama of {:.0}M parameters, f32, CPU", parameters as f64 / 1e6);
    println!("{:<44} {:>12} {:>14} {:>7}", "", "examiner", "transformers", "ratio");

    let bench = Bench { program, work: work.path().to_owned(), model, python: arguments.python.clone() };
    let scored = rows(arguments.questions, &preamble);
    let ours = bench.examiner("score", &scored)?;
    let theirs = bench.transformers("score", &scored[..arguments.python_questions.min(scored.len())])?;
    let name = format!("scoring after {PREAMBLE} tokens, options/s");
    report(&name, &ours, theirs.as_ref(), |side| side.results.len() as f64)?;
    for (name, before) in [("a preamble", preamble.as_str()), ("nothing", "")] {
        let asked = rows(ANSWERS.0, before);
        let ours = bench.examiner("generate", &asked)?;
        let theirs = bench.transformers("generate", &asked)?;
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
        place => char::from(b'a' + place as u8),
    }
}

fn report(name: &str, ours: &Side, theirs: Option<&Side>, count: impl Fn(&Side) -> f64) -> Result<()> {
    let speed = |side: &Side| count(side) / side.seconds;
    let Some(theirs) = theirs else {
        println!("{name:<44} {:>12.1} {:>14} {:>7}", speed(ours), "-", "-");
        return Ok(());
    };
    println!("{name:<44} {:>12.1} {:>14.1} {:>7.2}", speed(ours), speed(theirs), speed(ours) / speed(theirs));
    // Of random weights the two best tokens may be as good as equal, and answers then go different ways; sums may not.
    let differing = ours.results.iter().zip(&theirs.results).filter(|(ours, theirs)| match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            (a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN)).abs() > 2e-3
        }
        (ours, theirs) => ours != theirs,
    });
    let (differing, all) = (differing.count(), theirs.results.len());
    let most = if theirs.results.iter().all(Value::is_number) { 0 } else { all / 4 };
    ensure!(differing <= most, "{differing} of {all} results differ: the two sides did not do the same");
    println!("{:<44} {:>12}", "  same results", format!("{}/{all}", all - differing));
    Ok(())
}

struct Bench {
    program: PathBuf,
    work: PathBuf,
    model: PathBuf,
    python: Option<PathBuf>,
}

impl Bench {
    fn examiner(&self, kind: &str, rows: &[Value]) -> Result<Side> {
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
        let text = results.summary_text()?;
        let (header, row) = text.split_once('\n').context("an empty summary")?;
        let place = header.split(',').position(|column| column == "seconds").context("no column `seconds`")?;
        let seconds = row.lines().next().and_then(|row| row.split(',').nth(place)).context("no row")?.parse()?;
        let mut found = Vec::new();
        for sample in results.samples("llama", "rows")? {
            for answer in &sample.answers {
                found.push(match answer {
                    program::Answer::Score(score) => json!(score.sum),
                    program::Answer::Generate(generated) => json!(generated.tokens),
                });
            }
        }
        Ok(Side { seconds, results: found })
    }

    fn transformers(&self, kind: &str, rows: &[Value]) -> Result<Option<Side>> {
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
        let last = text.lines().last().ok_or_else(|| anyhow!("`{}` said nothing", python.display()))?;
        let Output { seconds, results } = serde_json::from_str(last)?;
        Ok(Some(Side { seconds, results }))
    }

    fn write_rows(&self, kind: &str, rows: &[Value]) -> Result<PathBuf> {
        let path = Path::join(&self.work, format!("{kind}.jsonl"));
        process::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>())?;
        Ok(path)
    }
}
