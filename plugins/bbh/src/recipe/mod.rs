//! The recipe: a teacher answers the benchmark's questions, and what is right becomes training data.
//!
//! What the rows depend on is worked out from the options, the benchmark's files and the teacher. If rows of the same inputs
//! stand there already, nobody is asked. Otherwise the program asks what is not answered yet, all answers are judged, and
//! the files are published together. Answers are kept apart from what is made of them, so that another way to choose among
//! them costs nothing.

mod judge;
mod options;
mod questions;
mod select;
mod teacher;
mod yields;

use crate::benchmark::{Benchmark, Reading};
use crate::judging;
use crate::wording::Form;
use examiner_api::{
    AskReport, Host, Metadata, ModelInfo, Open, PluginError, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport,
    Result, RowsContent, RowsFile, Sampling, Sink, TaskYield, rows,
};
use select::Origin;
use serde_json::{Value, json};
use teacher::Teacher;

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
    fn info(&self) -> Result<RecipeInfo> {
        // Where the files lie decides nothing.
        let options = Options { path: None, prompts: None, ..self.options.clone() };
        let fingerprint =
            rows::digest([recipe_version(), self.benchmark.fingerprint.clone(), json!(options).to_string()]);
        Ok(RecipeInfo { fingerprint: Some(fingerprint) })
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        std::fs::create_dir_all(&job.out).map_err(|error| PluginError::io("make the directory", &job.out, &error))?;
        let info = self.host.model(&job.teacher)?.info()?;
        if !info.can_generate {
            let message = format!("model `{}` cannot teach: it generates no text", job.teacher);
            return Err(PluginError::unsupported(message).with_help("name a model that can as `teacher`"));
        }
        let scorer = self.host.scorer(judging::scorer(Form::Cot), self.options.judge())?;
        let sampling = self.options.sampling(job.seed);
        let inputs = self.inputs(&job, &info, &scorer.info()?.fingerprint, &sampling);
        let file = RowsFile { out: job.out.clone(), stem: self.options.stem(), inputs };
        if let Some(report) = self.host.find_rows(&file)? {
            self.host.info(format!("`{}` is there already; nobody is asked", report.rows.display()));
            let _ = sink.send(RecipeEvent { done: report.asked, total: report.asked, kept: report.kept });
            return Ok(report);
        }

        let questions = questions::all(&self.benchmark, &self.options, &job, &sampling);
        let (name, answers) = (job.teacher.clone(), file.answers());
        let teacher = Teacher { name, answers, scorer: &*scorer, sampling: &sampling, host: &self.host };
        let (judged, asked) = teacher.answers_to(&questions, sink)?;
        if let Some(warning) = asked.tolerate(self.options.allowed(questions.len() as u64))? {
            self.host.warn(warning);
        }

        let judged = questions::grouped(&questions, judged, self.options.samples.get() as usize);
        let shown = shown(&sampling);
        let origin = Origin { teacher: &info.name, sampling: &shown };
        let rows = select::rows(&judged, self.options.keep, self.options.form, &origin);
        if rows.is_empty() {
            let error = PluginError::bad_input(format!("none of {} answers can be kept", questions.len()));
            return Err(error.with_help("look at the answers in the `.answers.jsonl` file, and at `judge` and `keep`"));
        }
        let yields = yields::yields(&judged, &rows);
        let total = TaskYield::total(&yields);
        let details = details(&total, &asked, &file);
        let report = RecipeReport { asked: total.asked, kept: total.kept, yields, details, ..RecipeReport::default() };
        let content = RowsContent { rows, unsolved: yields::unsolved(&judged), errors: asked.failed, report };
        self.host.write_rows(&file, content)
    }
}

impl TeacherData {
    /// All that the rows depend on.
    fn inputs(&self, job: &RecipeJob, teacher: &ModelInfo, scorer: &str, sampling: &Sampling) -> Value {
        let Options { shots, samples, keep, form, name, allow_errors, .. } = &self.options;
        json!({
            "recipe": recipe_version(),
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
}

fn recipe_version() -> String {
    format!("bbh {} {RULES}", env!("CARGO_PKG_VERSION"))
}

/// The sampling as it is recorded in a row.
fn shown(sampling: &Sampling) -> Value {
    let Sampling { max_new_tokens, temperature, stop, seed, .. } = sampling;
    // A float of 32 bits as it was typed: 0.7, not 0.699999988.
    let temperature: Value = serde_json::from_str(&temperature.to_string()).unwrap_or(json!(temperature));
    json!({ "temperature": temperature, "max_new_tokens": max_new_tokens, "stop": stop, "seed": seed })
}

fn details(counts: &TaskYield, asked: &AskReport, file: &RowsFile) -> Metadata {
    let numbers = [
        ("questions", counts.questions),
        ("asked", counts.asked),
        ("answered", counts.answered),
        ("right", counts.right),
        ("kept", counts.kept),
        ("unsolved", counts.unsolved),
        ("errors", asked.failed),
    ];
    let files = [("yield", file.yields()), ("unsolved_questions", file.unsolved()), ("answers", file.answers())];
    let numbers = numbers.into_iter().map(|(name, number)| (name.to_owned(), json!(number)));
    numbers.chain(files.into_iter().map(|(name, path)| (name.to_owned(), json!(path)))).collect()
}
