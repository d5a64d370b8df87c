//! Questions with short answers from a file of rows. Put your own data in its place.

use examiner_api::rows::{self, Row};
use examiner_api::serde::Deserialize;
use examiner_api::serde_json::{Value, json};
use examiner_api::{
    Dataset, DatasetInfo, Flow, Gold, Host, Metadata, Open, Plugin, PluginError, Result, Sample,
    Sampling, Shot, Sink, schemars, serde,
};
use std::path::PathBuf;
use std::sync::Arc;

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change a sample.
const VERSION: u32 = 1;

/// What a suite may say of the dataset. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// The file of questions: JSON lines, JSON, CSV or TSV with the fields `id`, `subject`,
    /// `question` and `answer`.
    #[schemars(extend("format" = "path"))] // A relative path begins at the suite's file.
    path: String,
    /// What stands before each question.
    #[serde(default = "question")]
    before: String,
}

fn question() -> String {
    "Question: ".to_owned()
}

/// The dataset.
pub struct Questions {
    options: Options,
    path: PathBuf,
    count: u64,
    fingerprint: String,
}

impl Open for Questions {
    type Options = Options;

    // Every row is read once, so that a damaged file is found before a model is asked.
    fn open(options: Options, host: Host) -> Result<Self> {
        let path = host.fetch(&options.path)?;
        let mut count = 0;
        for row in rows::read(&path, None)? {
            sample(row?, &options)?;
            count += 1;
        }
        if count == 0 {
            return Err(PluginError::bad_input(format!(
                "`{}` has no questions",
                path.display()
            )));
        }
        // The content of the file, and what makes questions of it. Where the file lies decides nothing.
        let wording = json!({ "version": VERSION, "before": options.before }).to_string();
        let fingerprint = rows::digest([rows::fingerprint(&path)?, wording]);
        Ok(Questions {
            options,
            path,
            count,
            fingerprint,
        })
    }
}

impl Dataset for Questions {
    fn info(&self) -> Result<DatasetInfo> {
        let stop = vec!["\n".to_owned()];
        Ok(DatasetInfo {
            fingerprint: self.fingerprint.clone(),
            rows: Some(self.count),
            scorer: Some("answer-extraction".to_owned()),
            sampling: Sampling {
                max_new_tokens: 32,
                stop,
                ..Sampling::default()
            },
            ..DatasetInfo::default()
        })
    }

    // With the id of its row, so that no question is shown its own answer.
    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        let shot = |row: Result<Row>| {
            let row = row?;
            let answer = format!(" {}", text(&row, "answer")?);
            let Sample { id, prompt, .. } = sample(row, &self.options)?;
            Ok(Shot {
                id: Some(id),
                prompt,
                answer,
            })
        };
        rows::read(&self.path, None)?.map(shot).collect()
    }

    // One after the other, in the order of the file: memory does not grow with it.
    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        for row in rows::read(&self.path, None)? {
            if sink.send(sample(row?, &self.options)?) == Flow::Stop {
                break; // Nobody wants the rest.
            }
        }
        Ok(())
    }
}

/// The question of a row.
fn sample(row: Row, options: &Options) -> Result<Sample> {
    // Each sample needs an id of its own, the same in every run.
    let id = text(&row, "id")?;
    Ok(Sample {
        prompt: format!("{}{}\nAnswer:", options.before, text(&row, "question")?),
        delimiter: " ".to_owned(),
        gold: Gold::text(text(&row, "answer")?),
        subset: Some(text(&row, "subject")?),
        // What travels with every request: `replay` finds recorded answers by it.
        metadata: Arc::new(Metadata::from_iter([("id".to_owned(), id.clone().into())])),
        document: Value::Object(row.fields),
        id,
        ..Sample::default()
    })
}

/// The text in a field of a row.
fn text(row: &Row, field: &str) -> Result<String> {
    match row.fields.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        found => {
            let found = found.map_or("no such field".to_owned(), |value| format!("`{value}`"));
            let place = row.place();
            let message = format!("{place}: expected a text in the field `{field}`, found {found}");
            Err(PluginError::bad_input(message))
        }
    }
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .dataset::<Questions>(NAME, "Questions with short answers, from a file of rows.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{ErrorCode, OpenRole, RoleKind};
    use std::sync::Mutex;

    /// The dataset as the program opens it: by its name, with the options of a suite. Relative paths
    /// begin at the crate.
    fn open(options: Value) -> Result<Box<dyn Dataset>> {
        let options = options.as_object().unwrap().clone();
        let host = FakeHost::in_dir(env!("CARGO_MANIFEST_DIR")).host();
        match plugin().open(RoleKind::Dataset, NAME, options, host)? {
            OpenRole::Dataset(dataset) => Ok(dataset),
            _ => panic!("the plugin opened another role"),
        }
    }

    fn samples(dataset: &mut dyn Dataset, most: usize) -> Vec<Sample> {
        let samples = Mutex::new(Vec::new());
        let receive = |sample: Sample| {
            let mut samples = samples.lock().unwrap();
            samples.push(sample);
            if samples.len() < most {
                Flow::Continue
            } else {
                Flow::Stop
            }
        };
        dataset.samples(&receive).unwrap();
        samples.into_inner().unwrap()
    }

    #[test]
    fn rows_become_questions() {
        let mut dataset = open(json!({ "path": "data/questions.jsonl" })).unwrap();
        let found = samples(&mut *dataset, usize::MAX);
        assert_eq!(dataset.info().unwrap().rows, Some(found.len() as u64));
        assert_eq!(
            found[0].prompt,
            "Question: What is the capital of France?\nAnswer:"
        );
        assert_eq!(found[0].gold, Gold::text("Paris"));
        assert_eq!(
            samples(&mut *dataset, usize::MAX),
            found,
            "the same at each call"
        );
        assert_eq!(
            samples(&mut *dataset, 2).len(),
            2,
            "it stops when it is told to"
        );
        let shots = dataset.few_shot_pool().unwrap();
        assert_eq!(
            (shots[0].id.as_deref(), &*shots[0].answer),
            (Some("france"), " Paris")
        );
    }

    #[test]
    fn options_decide_the_fingerprint_and_wrong_ones_are_refused() {
        let fingerprint = |before: &str| {
            let options = json!({ "path": "data/questions.jsonl", "before": before });
            open(options).unwrap().info().unwrap().fingerprint
        };
        assert_eq!(fingerprint("Question: "), fingerprint("Question: "));
        assert_ne!(fingerprint("Question: "), fingerprint("Q: "));
        let refused = |options| open(options).err().unwrap().code;
        assert_eq!(
            refused(json!({ "path": "data/none.jsonl" })),
            ErrorCode::NotFound
        );
        assert_eq!(
            refused(json!({ "paht": "data/questions.jsonl" })),
            ErrorCode::BadOptions
        );
    }

    #[test]
    fn a_row_that_is_no_question_is_named() {
        let path = std::env::temp_dir().join(format!("{NAME}-{}.csv", std::process::id()));
        std::fs::write(
            &path,
            "id,subject,question,answer\n1,sums,1+1?,2\n2,sums,,4\n",
        )
        .unwrap();
        let error = open(json!({ "path": path })).err().unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.starts_with("line 3 of"), "{error}");
    }
}
