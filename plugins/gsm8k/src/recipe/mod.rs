//! The recipe: a teacher answers the training split, and what is right becomes training data.
//!
//! The program asks, stores answers and writes the files; the rules here are what is asked, how it is judged, and what a row
//! says.

mod options;
mod select;
mod teacher;

use crate::dataset::{DELIMITER, Options as DatasetOptions, Split, on_hub, problems, sample};
use crate::prompt::Prompt;
use examiner_api::{
    AskReport, Host, Metadata, ModelInfo, Open, PluginError, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport,
    Result, RowsContent, RowsFile, Sample, Sampling, Sink, TaskYield, rows,
};
use select::Origin;
use serde_json::{Value, json};
use std::path::PathBuf;
use teacher::{JudgedAnswer, Teacher};

pub use options::{Keep, Options, TrainingForm};

/// Changes whenever the same answers would make other rows.
const RULES: u32 = 1;
const SCORER: &str = "answer-extraction";

/// A question to the teacher.
struct Question {
    /// The text alone.
    text: String,
    /// The right number.
    answer: String,
    /// What the teacher sees.
    prompt: String,
    /// The question as an examination asks it.
    sample: Sample,
}

/// A question as a scorer sees it.
fn sample_of(question: &Question, sampling: &Sampling) -> examiner_api::Question {
    let (sample, context) = (question.sample.clone(), question.prompt.clone());
    examiner_api::Question { sample, context, sampling: sampling.clone(), ..examiner_api::Question::default() }
}

/// The recipe, opened.
pub struct TeacherData {
    options: Options,
    host: Host,
    path: PathBuf,
    /// Changes whenever the file of questions does.
    data: String,
}

impl Open for TeacherData {
    type Options = Options;

    /// Reads every question once, so that a damaged file is found before the teacher is asked.
    fn open(options: Options, host: Host) -> Result<Self> {
        options.check()?;
        let path = host.fetch(&options.path.clone().unwrap_or_else(|| on_hub(Split::Train)))?;
        let mut count = 0;
        for problem in problems(&path)? {
            problem?;
            count += 1;
        }
        if count <= options.shots {
            let (shots, path) = (options.shots, path.display());
            let message = format!(
                "expected more than {shots} questions in `{path}`, of which {shots} are examples, found {count}"
            );
            return Err(PluginError::bad_input(message).with_help("lower `shots`, or name another file as `path`"));
        }
        let data = rows::fingerprint(&path)?;
        Ok(TeacherData { options, host, path, data })
    }
}

impl Recipe for TeacherData {
    fn info(&self) -> Result<RecipeInfo> {
        // Where the file lies decides nothing.
        let options = Options { path: None, ..self.options.clone() };
        let fingerprint = rows::digest([recipe_version(), self.data.clone(), json!(options).to_string()]);
        Ok(RecipeInfo { fingerprint: Some(fingerprint) })
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        std::fs::create_dir_all(&job.out).map_err(|error| PluginError::io("make the directory", &job.out, &error))?;
        let info = self.host.model(&job.teacher)?.info()?;
        if !info.can_generate {
            let message = format!("model `{}` cannot teach: it generates no text", job.teacher);
            return Err(PluginError::unsupported(message).with_help("name a model that can as `teacher`"));
        }
        let scorer = self.host.scorer(SCORER, self.options.judge.clone().unwrap_or_default())?;
        let sampling = self.options.sampling(job.seed);
        let inputs = self.inputs(&job, &info, &scorer.info()?.fingerprint, &sampling);
        let file = RowsFile { out: job.out.clone(), stem: self.options.stem(), inputs };
        if let Some(report) = self.host.find_rows(&file)? {
            self.host.info(format!("`{}` is there already; nobody is asked", report.rows.display()));
            let _ = sink.send(RecipeEvent { done: report.asked, total: report.asked, kept: report.kept });
            return Ok(report);
        }

        let questions = self.questions(job.limit)?;
        let teacher = Teacher {
            name: job.teacher.clone(),
            answers: file.answers(),
            scorer: &*scorer,
            sampling: &sampling,
            host: &self.host,
            dataset: &self.options.name,
            samples: self.options.samples.get(),
        };
        let (answers, asked) = teacher.answers_to(&questions, sink)?;
        let total = answers.iter().map(Vec::len).sum::<usize>() as u64;
        if let Some(warning) = asked.tolerate(self.options.allowed(total))? {
            self.host.warn(warning);
        }

        let shown = shown(&sampling);
        let origin = Origin { teacher: &info.name, sampling: &shown };
        let rows = select::rows(&questions, &answers, &self.options, &origin);
        if rows.is_empty() {
            let error = PluginError::bad_input(format!("none of {total} answers can be kept"));
            return Err(error.with_help("look at the answers in the `.answers.jsonl` file, and at `judge` and `keep`"));
        }
        let (counts, unsolved) = self.counts(&questions, &answers, rows.len() as u64);
        let details = details(&counts, &asked, &file);
        let (asked_for, kept) = (counts.asked, counts.kept);
        let report = RecipeReport { asked: asked_for, kept, yields: vec![counts], details, ..RecipeReport::default() };
        self.host.write_rows(&file, RowsContent { rows, unsolved, errors: asked.failed, report })
    }
}

impl TeacherData {
    /// All that the rows depend on.
    fn inputs(&self, job: &RecipeJob, teacher: &ModelInfo, scorer: &str, sampling: &Sampling) -> Value {
        let Options { shots, samples, keep, form, prompt, name, allow_errors, .. } = &self.options;
        json!({
            "recipe": recipe_version(),
            "data": self.data,
            "teacher": { "name": teacher.name, "fingerprint": teacher.fingerprint },
            "scorer": scorer,
            "sampling": sampling,
            "options": {
                "name": name, "shots": shots, "samples": samples, "keep": keep, "as": form, "prompt": prompt,
                "allow_errors": allow_errors
            },
            "seed": job.seed,
            "limit": job.limit,
        })
    }

    /// The questions, at most `limit` of them, each after the first `shots` others with their worked answers.
    fn questions(&self, limit: Option<u64>) -> Result<Vec<Question>> {
        let shots = self.options.shots;
        let as_shot = |problem: &crate::problem::Problem| {
            let question = Prompt::Cot.question(&problem.question);
            format!("{question}{DELIMITER}{}", Prompt::Cot.worked_answer(problem))
        };
        // One more than are shown: a question is not shown its own answer.
        let examples: Vec<(u64, String)> = problems(&self.path)?
            .take(shots + 1)
            .map(|problem| problem.map(|problem| (problem.index, as_shot(&problem))))
            .collect::<Result<_>>()?;
        let asked = DatasetOptions { split: Split::Train, prompt: Prompt::Cot, ..DatasetOptions::default() };
        let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let question = |problem: crate::problem::Problem| -> Result<Question> {
            let others = examples.iter().filter(|(index, _)| *index != problem.index).take(shots);
            let mut parts: Vec<&str> = others.map(|(_, example)| example.as_str()).collect();
            let last = Prompt::Cot.question(&problem.question);
            parts.push(&last);
            let prompt = parts.join("\n\n");
            let (text, answer) = (problem.question.clone(), problem.answer.clone());
            Ok(Question { text, answer, prompt, sample: sample(problem, &asked)? })
        };
        problems(&self.path)?.take(most).map(|problem| question(problem?)).collect()
    }

    /// The counts, and the questions that were answered but never right.
    fn counts(
        &self,
        questions: &[Question],
        answers: &[Vec<Option<JudgedAnswer>>],
        kept: u64,
    ) -> (TaskYield, Vec<Metadata>) {
        let given = || answers.iter().flatten().flatten();
        let is_unsolved = |answers: &[Option<JudgedAnswer>]| {
            answers.iter().any(Option::is_some) && answers.iter().flatten().all(|answer| !answer.right)
        };
        let unsolved = questions.iter().zip(answers).filter(|(_, answers)| is_unsolved(answers));
        let line = |(question, _): (&Question, _)| {
            let fields: [(&str, Value); 4] = [
                ("sample", json!(question.sample.id)),
                ("task", json!(self.options.name)),
                ("question", json!(question.text)),
                ("target", json!(question.answer)),
            ];
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let unsolved: Vec<Metadata> = unsolved.map(line).collect();
        let counts = TaskYield {
            task: self.options.name.clone(),
            questions: questions.len() as u64,
            asked: answers.iter().map(Vec::len).sum::<usize>() as u64,
            answered: given().filter(|answer| answer.extracted.is_some()).count() as u64,
            right: given().filter(|answer| answer.right).count() as u64,
            kept,
            unsolved: unsolved.len() as u64,
        };
        (counts, unsolved)
    }
}

fn recipe_version() -> String {
    format!("gsm8k {} {RULES}", env!("CARGO_PKG_VERSION"))
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
