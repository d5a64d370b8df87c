//! What recipes share in which a teacher answers the questions of a benchmark and its right answers become training rows.
//!
//! The recipe says what is asked, how an answer is judged and how a row is worded; here is the rest. What the rows depend on
//! is worked out first: if rows of the same inputs are stored already, nobody is asked. Otherwise the program asks what has
//! no stored answer yet, all answers are judged, and the files are published together. Answers are stored apart from the
//! rows, so that another way to select among them asks nobody.

mod asking;
mod options;
mod select;
mod yields;

pub use options::{Keep, TeacherOptions, TrainingForm};

use crate::{
    AskReport, Host, Metadata, ModelInfo, PluginError, RecipeEvent, RecipeJob, RecipeReport, Result, RowsContent,
    RowsFile, Sample, Sampling, Sink, TaskYield,
};
use asking::Teacher;
use select::Origin;
use serde_json::{Value, json};

/// A question to a teacher.
#[derive(Debug, Clone)]
pub struct TeacherQuestion {
    /// The question as an examination asks it. Its id is unique in the recipe.
    pub sample: Sample,
    /// What the teacher sees: the question, after worked examples where there are any.
    pub prompt: String,
    /// The task that it is counted for.
    pub task: String,
    /// The question's text alone. Of questions of one task with the same text, one has rows.
    pub text: String,
    /// The right answer.
    pub answer: String,
    /// The prompt of its training rows.
    pub row_prompt: String,
}

/// A question with what the teacher answered, repetition by repetition; none where there is no answer.
struct AnsweredQuestion {
    question: TeacherQuestion,
    answers: Vec<Option<JudgedAnswer>>,
}

/// An answer that was judged.
#[derive(Debug, Clone)]
struct JudgedAnswer {
    /// What the teacher wrote.
    text: String,
    /// The answer as it was found in it; none where there is none.
    extracted: Option<String>,
    /// Whether it is right.
    right: bool,
}

/// A recipe of this kind.
pub struct TeacherData<'a> {
    /// Asks models and writes files.
    pub host: &'a Host,
    /// What a suite says of asking and selecting.
    pub options: TeacherOptions,
    /// The scorer that judges answers, and its options. Its first metric is 1 where an answer is right.
    pub scorer: (&'a str, Metadata),
    /// What the rows depend on besides the options above, the teacher, the scorer and the job: the version of the recipe's
    /// rules, the hash of the questions.
    pub inputs: Metadata,
    /// What stands before the teacher's text in a completion.
    pub before_reasoning: String,
    /// What stands before a bare answer in a completion.
    pub before_answer: String,
}

impl TeacherData<'_> {
    /// Makes the files of the job. `questions` is called only where no such rows are stored.
    ///
    /// # Errors
    /// The teacher generates no text, more questions than allowed have no answer, an answer cannot be judged, no answer can be
    /// kept, or a file cannot be written.
    pub fn make(
        &self,
        job: &RecipeJob,
        sink: &dyn Sink<RecipeEvent>,
        questions: impl FnOnce() -> Result<Vec<TeacherQuestion>>,
    ) -> Result<RecipeReport> {
        std::fs::create_dir_all(&job.out).map_err(|error| PluginError::io("make the directory", &job.out, &error))?;
        let info = self.host.model(&job.teacher)?.info()?;
        if !info.can_generate {
            let message = format!("model `{}` cannot teach: it generates no text", job.teacher);
            return Err(PluginError::unsupported(message).with_help("name a model that can as `teacher`"));
        }
        let (scorer, scorer_options) = &self.scorer;
        let scorer = self.host.scorer(scorer, scorer_options.clone())?;
        let sampling = self.options.sampling(job.seed);
        let inputs = self.inputs(job, &info, &scorer.info()?.fingerprint, &sampling);
        let file = RowsFile { out: job.out.clone(), stem: self.options.stem(), inputs };
        if let Some(report) = self.host.find_rows(&file)? {
            self.host.info(format!("`{}` is there already; nobody is asked", report.rows.display()));
            let _ = sink.send(RecipeEvent { done: report.asked, total: report.asked, kept: report.kept });
            return Ok(report);
        }

        let teacher = Teacher {
            name: job.teacher.clone(),
            answers: file.answers(),
            scorer: &*scorer,
            sampling: &sampling,
            host: self.host,
            dataset: &self.options.name,
            samples: self.options.samples.get(),
        };
        let (answered, asked) = teacher.ask(questions()?, sink)?;
        let total = answered.iter().map(|question| question.answers.len() as u64).sum();
        if let Some(warning) = asked.tolerate(self.options.allowed(total))? {
            self.host.warn(warning);
        }

        let rows = select::rows(&answered, self, &Origin { teacher: &info.name, sampling: &recorded(&sampling) });
        if rows.is_empty() {
            let error = PluginError::bad_input(format!("none of {total} answers can be kept"));
            return Err(error.with_help("look at the answers in the `.answers.jsonl` file, and at `judge` and `keep`"));
        }
        let yields = yields::yields(&answered, &rows);
        let total = TaskYield::total(&yields);
        let details = details(&total, &asked, &file);
        let report = RecipeReport { asked: total.asked, kept: total.kept, yields, details, ..RecipeReport::default() };
        let content = RowsContent { rows, unsolved: yields::unsolved(&answered), errors: asked.failed, report };
        self.host.write_rows(&file, content)
    }

    /// All that the rows depend on.
    fn inputs(&self, job: &RecipeJob, teacher: &ModelInfo, scorer: &str, sampling: &Sampling) -> Value {
        let TeacherOptions { name, shots, samples, keep, form, allow_errors, .. } = &self.options;
        let mut inputs = self.inputs.clone();
        let own = [
            ("teacher", json!({ "name": teacher.name, "fingerprint": teacher.fingerprint })),
            ("scorer", json!(scorer)),
            ("sampling", json!(sampling)),
            (
                "options",
                json!({
                    "name": name, "shots": shots, "samples": samples, "keep": keep, "as": form,
                    "allow_errors": allow_errors
                }),
            ),
            ("seed", json!(job.seed)),
            ("limit", json!(job.limit)),
        ];
        inputs.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
        inputs.into_iter().collect()
    }
}

/// The sampling as it is recorded in a row.
fn recorded(sampling: &Sampling) -> Value {
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
