//! The data as a dataset.

use crate::choices;
use crate::problem::Problem;
use crate::prompt::Prompt;
use examiner_api::{
    ANSWERS_FORM, Dataset, DatasetInfo, Flow, Gold, Host, Open, PluginError, Result, Sample, Sampling, Shot, Sink,
    rows, schemars,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which half of the data the questions are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// 1,319 questions.
    #[default]
    Test,
    /// 7,473 questions.
    Train,
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Split::Test => "test",
            Split::Train => "train",
        })
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A free answer, in which the number is looked for.
    #[default]
    Free,
    /// One of several numbers, the right one among them, by likelihood.
    Choices,
}

/// What a suite can say of the dataset.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The file of questions: JSON lines, JSON, CSV or Parquet with the fields `question` and `answer`. Without it, the
    /// split of `openai/gsm8k` on the Hugging Face hub.
    #[schemars(extend("format" = "path"))]
    pub path: Option<String>,
    /// Which split the questions belong to. Part of their ids, and the default of `path`.
    pub split: Split,
    /// The file that few-shot examples are taken from. Without it, the training split of `openai/gsm8k` on the hub, or
    /// the questions themselves for `split: train`.
    #[schemars(extend("format" = "path"))]
    pub train: Option<String>,
    /// How questions and few-shot answers are worded.
    pub prompt: Prompt,
    /// What is asked for.
    #[serde(rename = "as")]
    pub form: Form,
    /// How many wrong numbers stand beside the right one, for `as: choices`.
    #[schemars(range(min = 1, max = 9))]
    pub distractors: usize,
    /// Seed by which the wrong numbers are chosen, and the index of the right one among them.
    pub distractor_seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            path: None,
            split: Split::default(),
            train: None,
            prompt: Prompt::default(),
            form: Form::default(),
            distractors: 3,
            distractor_seed: 0,
        }
    }
}

impl Options {
    fn scorer(&self) -> &'static str {
        match self.form {
            Form::Free => "answer-extraction",
            Form::Choices => "perplexity-choice",
        }
    }

    fn check(&self) -> Result<()> {
        let distractors = self.distractors;
        if !(1..=MOST_DISTRACTORS).contains(&distractors) {
            let message = format!("expected 1 to {MOST_DISTRACTORS} `distractors`, found {distractors}");
            return Err(PluginError::bad_options(message));
        }
        if self.form == Form::Choices && self.prompt == Prompt::Cot {
            return Err(PluginError::bad_options(
                "`as: choices` scores bare numbers, but `prompt: cot` asks for steps",
            )
            .with_help("leave `prompt` out, or ask with `as: free`"));
        }
        Ok(())
    }
}

/// More would stand far from any mistake.
const MOST_DISTRACTORS: usize = 9;

/// The dataset, opened.
pub struct Gsm8k {
    options: Options,
    host: Host,
    questions: PathBuf,
    rows: u64,
    fingerprint: String,
}

impl Open for Gsm8k {
    type Options = Options;

    /// Reads every question once, so that a damaged file is found before any model is asked.
    fn open(options: Options, host: Host) -> Result<Self> {
        let questions = host.fetch(&options.path.clone().unwrap_or_else(|| on_hub(options.split)))?;
        let mut rows = 0;
        options.check()?;
        for problem in problems(&questions)? {
            sample(problem?, &options)?;
            rows += 1;
        }
        if rows == 0 {
            return Err(PluginError::bad_input(format!("`{}` has no questions", questions.display())));
        }
        let train = match &options.train {
            Some(train) => rows::fingerprint(&host.fetch(train)?)?,
            None => String::new(),
        };
        let wording = match options.form {
            Form::Free => json!([options.split, options.prompt]),
            Form::Choices => {
                let (count, seed) = (options.distractors, options.distractor_seed);
                json!([options.split, options.prompt, "choices", choices::RULES, count, seed])
            }
        };
        let wording = wording.to_string();
        let fingerprint = rows::digest([rows::fingerprint(&questions)?, train, wording]);
        Ok(Gsm8k { options, host, questions, rows, fingerprint })
    }
}

impl Dataset for Gsm8k {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(DatasetInfo {
            fingerprint: self.fingerprint.clone(),
            version: self.options.prompt.version(),
            rows: Some(self.rows),
            scorer: Some(self.options.scorer().to_owned()),
            sampling: Sampling { max_new_tokens: 256, stop: self.options.prompt.stop(), ..Sampling::default() },
            forms: FORMS.map(str::to_owned).to_vec(),
            ..DatasetInfo::default()
        })
    }

    /// The training rows. They are fetched now and not before: without few-shot examples nobody needs them.
    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        let path = match (&self.options.train, self.options.split) {
            (Some(train), _) => self.host.fetch(train)?,
            (None, Split::Train) => self.questions.clone(),
            (None, Split::Test) => self.host.fetch(&on_hub(Split::Train)).map_err(|error| {
                error.with_help("set `train` to a file of questions and answers to take few-shot examples from")
            })?,
        };
        let prompt = self.options.prompt;
        let is_of_questions = path == self.questions;
        problems(&path)?
            .map(|problem| {
                let problem = problem?;
                let answer = match self.options.form {
                    Form::Free => prompt.worked_answer(&problem),
                    Form::Choices => problem.answer.clone(),
                };
                Ok(Shot {
                    // An example of another file is not the question of the same number.
                    id: is_of_questions.then(|| format!("{}-{}", self.options.split, problem.index)),
                    prompt: prompt.question(&problem.question),
                    answer: format!("{DELIMITER}{answer}"),
                })
            })
            .collect()
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.send(&self.options, sink)
    }

    /// As answers a model learns what an examination asks for, otherwise the number, free or as one of several.
    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        let form = match form {
            ANSWERS_FORM => self.options.form,
            other => serde_json::from_value(json!(other))
                .map_err(|_| PluginError::bad_options(format!("GSM8K has no form `{other}`")))?,
        };
        let options = Options { form, ..self.options.clone() };
        options.check()?;
        self.send(&options, sink)
    }
}

/// The forms to learn from.
const FORMS: [&str; 3] = [ANSWERS_FORM, "free", "choices"];

impl Gsm8k {
    fn send(&self, options: &Options, sink: &dyn Sink<Sample>) -> Result<()> {
        for problem in problems(&self.questions)? {
            if sink.send(sample(problem?, options)?) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// What stands between a question and its answer.
pub(crate) const DELIMITER: &str = " ";

/// Where a split lies on the hub.
pub(crate) fn on_hub(split: Split) -> String {
    format!("hf://datasets/openai/gsm8k/main/{split}-00000-of-00001.parquet")
}

/// The problems of a file.
pub(crate) fn problems(path: &Path) -> Result<impl Iterator<Item = Result<Problem>> + use<>> {
    Ok(rows::read(path, None)?.map(|row| Problem::of(row?)))
}

/// A problem as it is asked.
pub(crate) fn sample(problem: Problem, options: &Options) -> Result<Sample> {
    let id = format!("{}-{}", options.split, problem.index);
    let (choices, gold) = match options.form {
        Form::Free => (Vec::new(), Gold::text(&problem.answer)),
        Form::Choices => {
            let (choices, right) = choices::choices(&problem, &id, options.distractors, options.distractor_seed)?;
            (choices, Gold::Choice(right))
        }
    };
    let metadata =
        [("index", json!(problem.index)), ("split", json!(options.split)), ("question", json!(problem.question))];
    Ok(Sample {
        id,
        prompt: options.prompt.question(&problem.question),
        delimiter: DELIMITER.to_owned(),
        choices,
        gold,
        metadata: Arc::new(metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        document: problem.document.into(),
        ..Sample::default()
    })
}
