//! The recipe: a teacher answers the benchmark's questions, and what is right becomes training data.
//!
//! What a run needs is worked out from its options, the benchmark's files and the teacher: the *identity*. If data of this
//! identity stands there already, nobody is asked. Otherwise every question is looked up among the answers written down so
//! far, the rest is asked, all answers are judged anew, and the files are published together. Answers are kept apart from
//! what is made of them, so that another way to choose among them costs nothing.

mod answers;
mod ask;
mod judge;
mod options;
mod plan;
mod product;
mod select;
mod session;
mod yields;

use crate::benchmark::{Benchmark, Reading};
use crate::judging;
use crate::wording::Form;
use answers::Answers;
use ask::Failures;
use examiner_api::{
    Host, Metadata, ModelInfo, Open, PluginError, Recipe, RecipeEvent, RecipeJob, RecipeReport, Result, Sampling, Sink,
    TrainingRow, rows,
};
use product::{Contents, Identity, Product};
use select::Origin;
use serde_json::{Value, json};
use session::Session;
use yields::{Counts, Yield};

pub use options::{Keep, Options, TrainingForm};

/// Changes whenever the same answers would make other rows.
const RULES: u32 = 1;

/// The recipe, opened.
pub struct TeacherData {
    options: Options,
    host: Host,
    benchmark: Benchmark,
}

impl Open for TeacherData {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        options.check()?;
        let reading = Reading {
            path: options.path.as_deref(),
            prompts: options.prompts.as_deref(),
            tasks: &options.tasks,
            shots: options.shots,
        };
        let benchmark = Benchmark::read(&reading, &host)?;
        Ok(TeacherData { options, host, benchmark })
    }
}

impl Recipe for TeacherData {
    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        std::fs::create_dir_all(&job.out).map_err(|error| PluginError::io("make the directory", &job.out, &error))?;
        let teacher = self.host.model(&job.teacher)?;
        let info = teacher.info()?;
        if !info.can_generate {
            let message = format!("model `{}` cannot teach: it generates no text", job.teacher);
            return Err(PluginError::unsupported(message).with_help("name a model that can as `teacher`"));
        }
        let scorer = self.host.scorer(judging::scorer(Form::Cot), self.options.judge())?;
        let sampling = self.options.sampling(job.seed);
        let product = Product::new(&job.out, self.options.stem());
        let inputs = self.inputs(&job, &info, &scorer.info()?.fingerprint, &sampling);
        let identity = rows::digest([inputs.to_string()]);
        if let Some(standing) = product.standing(&identity) {
            self.host.info(format!("`{}` is there already; nobody is asked", product.rows().display()));
            let made = report(&product, standing.report);
            let _ = sink.send(RecipeEvent { done: made.asked, total: made.asked, kept: made.kept });
            return Ok(made);
        }

        let plan = plan::plan(&self.benchmark, &self.options, &job, &info, &sampling);
        let answers = Answers::open(&product.answers(), &self.host)?;
        let mut session = Session { teacher, scorer, sampling, answers, failures: Failures::default() };
        let judged = session.answered(&plan, &self.host, sink)?;
        let Session { failures, sampling, .. } = session;
        self.tolerate(&failures, plan.len() as u64)?;

        let questions = plan::grouped(&plan, judged, self.options.samples.get() as usize);
        let shown = shown(&sampling);
        let origin = Origin { teacher: &info.name, sampling: &shown };
        let rows = select::rows(&questions, self.options.keep, self.options.form, &origin);
        let yields = Yield::of(&questions, &rows);
        if rows.is_empty() {
            let error = PluginError::bad_input(format!("none of {} answers can be kept", plan.len()));
            return Err(error.with_help("look at the answers in the `.answers.jsonl` file, and at `judge` and `keep`"));
        }
        let contents = Contents { rows: lines(&rows)?, yields: yields.csv(), unsolved: yields.unsolved_lines() };
        let details = details(&yields.total(), &failures, &product);
        let errors = failures.count;
        let identity = Identity { identity, blake3: String::new(), inputs, report: details.clone(), errors };
        product.publish(&contents, identity, &self.host)?;
        Ok(report(&product, details))
    }
}

impl TeacherData {
    /// All that the rows depend on.
    fn inputs(&self, job: &RecipeJob, teacher: &ModelInfo, scorer: &str, sampling: &Sampling) -> Value {
        let Options { shots, samples, keep, form, name, allow_errors, .. } = &self.options;
        json!({
            "recipe": format!("bbh {} {RULES}", env!("CARGO_PKG_VERSION")),
            "benchmark": self.benchmark.fingerprint,
            "tasks": self.benchmark.tasks.iter().map(|task| &task.name).collect::<Vec<_>>(),
            "teacher": { "name": teacher.name, "fingerprint": teacher.fingerprint },
            "scorer": scorer,
            "sampling": sampling,
            "options": {
                "name": name, "shots": shots, "samples": samples, "keep": keep, "as": form, "allow_errors": allow_errors
            },
            "seed": job.seed,
            "limit": job.limit,
        })
    }

    /// Data of which a part is missing is not published silently.
    fn tolerate(&self, failures: &Failures, asked: u64) -> Result<()> {
        let missing = failures.count;
        let said = format!("{missing} of {asked} questions were not answered: {}", failures.said());
        match missing {
            0 => Ok(()),
            _ if missing <= self.options.allowed(asked) => {
                self.host.warn(format!("{said}; the data is published without them, as `allow_errors` says"));
                Ok(())
            }
            _ => Err(PluginError::new(failures.code(), said).with_help(
                "run again to ask just these; `allow_errors` publishes the data without so many of them, or a share",
            )),
        }
    }
}

/// What a row says of how the teacher answered.
fn shown(sampling: &Sampling) -> Value {
    let Sampling { max_new_tokens, temperature, stop, seed, .. } = sampling;
    // A float of 32 bits as it was typed: 0.7, not 0.699999988.
    let temperature: Value = serde_json::from_str(&temperature.to_string()).unwrap_or(json!(temperature));
    json!({ "temperature": temperature, "max_new_tokens": max_new_tokens, "stop": stop, "seed": seed })
}

fn lines(rows: &[TrainingRow]) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        let line = serde_json::to_string(row).map_err(|error| {
            PluginError::bad_input(format!("row `{}` cannot be written as JSON", row.id)).with_cause(&error)
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn details(counts: &Counts, failures: &Failures, product: &Product) -> Metadata {
    let Counts { questions, asked, answered, right, kept, unsolved } = counts;
    let numbers = [
        ("questions", questions),
        ("asked", asked),
        ("answered", answered),
        ("right", right),
        ("kept", kept),
        ("unsolved", unsolved),
        ("errors", &failures.count),
    ];
    let files =
        [("yield", product.yields()), ("unsolved_questions", product.unsolved()), ("answers", product.answers())];
    let numbers = numbers.into_iter().map(|(name, number)| (name.to_owned(), json!(number)));
    numbers.chain(files.into_iter().map(|(name, path)| (name.to_owned(), json!(path)))).collect()
}

fn report(product: &Product, details: Metadata) -> RecipeReport {
    let number = |name: &str| details.get(name).and_then(Value::as_u64).unwrap_or_default();
    RecipeReport { rows: product.rows(), asked: number("asked"), kept: number("kept"), details }
}
