//! The recipe: a teacher answers the training split, and what is right becomes training data.

use crate::dataset::{DELIMITER, Options as DatasetOptions, Split, on_hub, problems, sample};
use crate::problem::Problem;
use crate::prompt::Prompt;
use examiner_api::teacher_data::{Keep, TeacherData, TeacherOptions, TeacherQuestion, TrainingForm};
use examiner_api::{
    Host, Metadata, Open, PluginError, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, Result, Sink, rows,
    schemars,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Changes whenever the same answers would make other rows.
const RULES: u32 = 1;

/// What a suite can say of the recipe.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The file of questions: JSON lines, JSON, CSV or Parquet with the fields `question` and `answer`. Without it, the training
    /// split of `openai/gsm8k` on the Hugging Face hub.
    #[schemars(extend("format" = "path"))]
    pub path: Option<String>,
    /// How many other questions of the file, with their worked answers, the teacher sees before each question.
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
    /// How questions of rows are worded; the teacher always sees `cot`. A student is examined on the dataset with the same.
    pub prompt: Prompt,
    /// The data set's name in the names of files.
    pub name: String,
    /// Options of `answer-extraction` by which answers are judged; without it its defaults, as in an examination on the dataset.
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
            shots: 8,
            samples: NonZeroU32::MIN,
            temperature: None,
            max_new_tokens: 512,
            stop: Prompt::Cot.stop(),
            keep: Keep::Correct,
            form: TrainingForm::Reasoning,
            prompt: Prompt::Short,
            name: "gsm8k".to_owned(),
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
pub struct Gsm8kRecipe {
    options: Options,
    host: Host,
    path: PathBuf,
    /// Changes whenever the file of questions does.
    data: String,
}

impl Open for Gsm8kRecipe {
    type Options = Options;

    /// Reads every question once, so that a damaged file is found before the teacher is asked.
    fn open(options: Options, host: Host) -> Result<Self> {
        options.teacher().check()?;
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
        Ok(Gsm8kRecipe { options, host, path, data })
    }
}

impl Recipe for Gsm8kRecipe {
    fn info(&self) -> Result<RecipeInfo> {
        // Where the file lies decides nothing.
        let options = Options { path: None, ..self.options.clone() };
        let fingerprint = rows::digest([version(), self.data.clone(), json!(options).to_string()]);
        Ok(RecipeInfo { fingerprint: Some(fingerprint) })
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let inputs: [(&str, Value); 3] =
            [("recipe", json!(version())), ("data", json!(self.data)), ("prompt", json!(self.options.prompt))];
        let recipe = TeacherData {
            host: &self.host,
            options: self.options.teacher(),
            scorer: ("answer-extraction", self.options.judge.clone().unwrap_or_default()),
            inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            before_reasoning: DELIMITER.to_owned(),
            before_answer: DELIMITER.to_owned(),
        };
        recipe.make(&job, sink, || self.questions(job.limit))
    }
}

impl Gsm8kRecipe {
    /// The questions, at most `limit` of them, each after the first `shots` others with their worked answers.
    fn questions(&self, limit: Option<u64>) -> Result<Vec<TeacherQuestion>> {
        let shots = self.options.shots;
        let as_shot = |problem: &Problem| {
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
        let question = |problem: Problem| -> Result<TeacherQuestion> {
            let others = examples.iter().filter(|(index, _)| *index != problem.index).take(shots);
            let mut parts: Vec<&str> = others.map(|(_, example)| example.as_str()).collect();
            let last = Prompt::Cot.question(&problem.question);
            parts.push(&last);
            Ok(TeacherQuestion {
                prompt: parts.join("\n\n"),
                task: self.options.name.clone(),
                text: problem.question.clone(),
                answer: problem.answer.clone(),
                row_prompt: self.options.prompt.question(&problem.question),
                sample: sample(problem, &asked)?,
            })
        };
        problems(&self.path)?.take(most).map(|problem| question(problem?)).collect()
    }
}

fn version() -> String {
    format!("gsm8k {} {RULES}", env!("CARGO_PKG_VERSION"))
}
