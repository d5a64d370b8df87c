//! The benchmark as it is read from its files.

use crate::official::Official;
use crate::question::{self, TaskQuestion};
use crate::source::Source;
use crate::tasks::Tasks;
use crate::wording::{DELIMITER, Form};
use examiner_api::{Gold, Host, PluginError, Result, Sample, rows};
use serde_json::{Value, json};
use std::sync::Arc;

/// The tasks that were chosen.
pub(crate) struct Benchmark {
    pub(crate) tasks: Vec<Task>,
    /// Changes whenever a file does that something was read from.
    pub(crate) fingerprint: String,
}

/// One task.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) questions: Vec<TaskQuestion>,
    /// Its description and worked examples; read only where they are wanted.
    pub(crate) official: Option<Official>,
}

/// The authors wrote so many examples for each task.
pub(crate) const MOST_SHOTS: usize = 3;

/// What to read.
pub(crate) struct Reading<'a> {
    pub(crate) path: Option<&'a str>,
    pub(crate) prompts: Option<&'a str>,
    pub(crate) tasks: &'a Tasks,
    /// So many worked examples will stand before each question.
    pub(crate) shots: usize,
}

impl Benchmark {
    /// Reads every file that is needed, so that a damaged one is found before any model is asked.
    pub(crate) fn read(reading: &Reading<'_>, host: &Host) -> Result<Self> {
        let shots = reading.shots;
        if shots > MOST_SHOTS {
            let message = format!("expected at most {MOST_SHOTS} worked examples, found {shots}");
            return Err(PluginError::bad_options(message).with_help("the authors wrote three for each task"));
        }
        let source = Source::find(reading.path, reading.prompts, host)?;
        let names = reading.tasks.chosen(|| source.found())?;
        let mut tasks = Vec::with_capacity(names.len());
        let mut hashes = Vec::new();
        for (name, done) in names.iter().zip(0..) {
            host.progress("read the tasks", done, Some(names.len() as u64), "tasks");
            let path = source.questions(name, host)?;
            hashes.extend([name.clone(), rows::fingerprint(&path)?]);
            let questions = question::read(&path, name)?;
            let official = match shots {
                0 => None,
                _ => {
                    let path = source.prompt(name, host)?;
                    hashes.push(rows::fingerprint(&path)?);
                    Some(enough(Official::read(&path)?, shots, name)?)
                }
            };
            tasks.push(Task { name: name.clone(), questions, official });
        }
        Ok(Benchmark { tasks, fingerprint: rows::digest(hashes) })
    }
}

fn enough(official: Official, shots: usize, task: &str) -> Result<Official> {
    match official.examples.len() {
        found if found < shots => {
            Err(PluginError::bad_input(format!("expected {shots} worked examples for `{task}`, found {found}")))
        }
        _ => Ok(official),
    }
}

impl Task {
    /// A question as a sample; none where options are asked for, but the right answer is not among them.
    pub(crate) fn sample(&self, question: &TaskQuestion, form: Form, shots: usize) -> Option<Sample> {
        let (choices, gold) = match form {
            Form::Cot | Form::Answers => (Vec::new(), Gold::text(question.target.clone())),
            Form::Choices => {
                let options = question.options()?;
                let right = options.iter().position(|option| *option == question.target)?;
                (options.into_iter().map(str::to_owned).collect(), Gold::Choice(right))
            }
        };
        let metadata: [(&str, Value); 3] =
            [("task", (&*self.name).into()), ("index", question.index.into()), ("question", (&*question.input).into())];
        Some(Sample {
            id: question.id(),
            prompt: form.prompt(self.official.as_ref(), &question.input, shots),
            delimiter: DELIMITER.to_owned(),
            choices,
            gold,
            subset: Some(self.name.clone()),
            cluster: question.cluster.clone(),
            document: json!({ "input": question.input, "target": question.target }),
            metadata: Arc::new(metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ..Sample::default()
        })
    }
}
