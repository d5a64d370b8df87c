//! The recipe: a teacher answers the benchmark's questions, and what is right becomes training data.

use crate::benchmark::{Benchmark, MOST_SHOTS, Reading, Task};
use crate::judging;
use crate::official::OPENING;
use crate::question::TaskQuestion;
use crate::tasks::Tasks;
use crate::wording::{DELIMITER, Form};
use examiner_api::teacher_data::{Keep, TeacherData, TeacherOptions, TeacherQuestion, TrainingForm};
use examiner_api::{
    Host, Metadata, Open, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, Result, Sink, rows, schemars,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::num::NonZeroU32;

/// Changes whenever the same answers would make other rows.
const RULES: u32 = 1;

/// What a suite can say of the recipe.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The directory of the benchmark's `*.json` files, as of the dataset.
    #[schemars(extend("format" = "path"))]
    pub path: Option<String>,
    /// The directory of the official chain-of-thought prompts, as of the dataset.
    #[schemars(extend("format" = "path"))]
    pub prompts: Option<String>,
    /// Which tasks the questions are from.
    pub tasks: Tasks,
    /// How many of its task's official examples the teacher sees before each question.
    #[schemars(range(max = 3))]
    pub shots: usize,
    /// How often each question is asked.
    pub samples: NonZeroU32,
    /// The teacher's temperature. Without it 0 for one sample, 0.7 for several.
    #[schemars(range(min = 0))]
    pub temperature: Option<f32>,
    /// Most new tokens of an answer.
    pub max_new_tokens: u32,
    /// What ends an answer.
    pub stop: Vec<String>,
    /// Which answers are kept.
    pub keep: Keep,
    /// What a row teaches.
    #[serde(rename = "as")]
    pub form: TrainingForm,
    /// The data set's name in the names of files.
    pub name: String,
    /// Options of `answer-extraction` by which answers are judged; without it those of the dataset, which are the rule of
    /// the benchmark's authors.
    pub judge: Option<Metadata>,
    /// How many questions may be left without an answer while the data is still published: below 1 a share of those
    /// asked, from 1 a number.
    #[schemars(range(min = 0))]
    pub allow_errors: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            path: None,
            prompts: None,
            tasks: Tasks::default(),
            shots: MOST_SHOTS,
            samples: NonZeroU32::MIN,
            temperature: None,
            max_new_tokens: 1024,
            stop: judging::stop(),
            keep: Keep::Correct,
            form: TrainingForm::Reasoning,
            name: "bbh".to_owned(),
            judge: None,
            allow_errors: 0.0,
        }
    }
}

impl Options {
    fn teacher(&self) -> TeacherOptions {
        TeacherOptions {
            name: self.name.clone(),
            shots: self.shots,
            samples: self.samples,
            temperature: self.temperature,
            max_new_tokens: self.max_new_tokens,
            stop: self.stop.clone(),
            keep: self.keep,
            form: self.form,
            allow_errors: self.allow_errors,
        }
    }
}

/// The recipe, opened.
pub struct BbhRecipe {
    options: Options,
    host: Host,
    benchmark: Benchmark,
}

impl Open for BbhRecipe {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        options.teacher().check()?;
        let reading = Reading {
            path: options.path.as_deref(),
            prompts: options.prompts.as_deref(),
            tasks: &options.tasks,
            shots: options.shots,
        };
        let benchmark = Benchmark::read(&reading, &host)?;
        Ok(BbhRecipe { options, host, benchmark })
    }
}

impl Recipe for BbhRecipe {
    fn info(&self) -> Result<RecipeInfo> {
        // Where the files lie decides nothing.
        let options = Options { path: None, prompts: None, ..self.options.clone() };
        let fingerprint = rows::digest([version(), self.benchmark.fingerprint.clone(), json!(options).to_string()]);
        Ok(RecipeInfo { fingerprint: Some(fingerprint) })
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let judge = self.options.judge.clone().unwrap_or_else(|| judging::scorer_options(Form::Cot));
        let tasks: Vec<&String> = self.benchmark.tasks.iter().map(|task| &task.name).collect();
        let inputs: [(&str, Value); 3] =
            [("recipe", json!(version())), ("benchmark", json!(self.benchmark.fingerprint)), ("tasks", json!(tasks))];
        let recipe = TeacherData {
            host: &self.host,
            options: self.options.teacher(),
            scorer: (judging::scorer(Form::Cot), judge),
            inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            before_reasoning: format!("{DELIMITER}{OPENING}\n"),
            before_answer: DELIMITER.to_owned(),
        };
        recipe.make(&job, sink, || Ok(self.questions(job.limit)))
    }
}

impl BbhRecipe {
    /// At most `limit` questions of each task, task by task.
    fn questions(&self, limit: Option<u64>) -> Vec<TeacherQuestion> {
        let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let of_task = |task: &Task| -> Vec<TeacherQuestion> {
            task.questions.iter().take(most).filter_map(|question| self.question(task, question)).collect()
        };
        self.benchmark.tasks.iter().flat_map(of_task).collect()
    }

    fn question(&self, task: &Task, question: &TaskQuestion) -> Option<TeacherQuestion> {
        Some(TeacherQuestion {
            sample: task.sample(question, Form::Cot, 0)?,
            prompt: Form::Cot.prompt(task.official.as_ref(), &question.input, self.options.shots),
            task: task.name.clone(),
            text: question.input.clone(),
            answer: question.target.clone(),
            row_prompt: Form::Answers.question(&question.input),
        })
    }
}

fn version() -> String {
    format!("bbh {} {RULES}", env!("CARGO_PKG_VERSION"))
}
