//! Training data from a teacher: it answers questions, and what is right becomes rows. Put your own
//! questions in their place.

use examiner_api::rows::{self, Row};
use examiner_api::serde::{Deserialize, Serialize};
use examiner_api::serde_json::{Value, json};
use examiner_api::teacher_data::{
    Keep, TeacherData, TeacherOptions, TeacherQuestion, TrainingForm,
};
use examiner_api::{
    Gold, Host, Metadata, Open, Plugin, PluginError, Recipe, RecipeEvent, RecipeInfo, RecipeJob,
    RecipeReport, Result, Sample, Sink, schemars, serde,
};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change a question or a row.
const VERSION: u32 = 1;

/// What a suite may say of the recipe. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// The file of questions: JSON lines, JSON, CSV or TSV with the fields `id`, `question` and
    /// `answer`.
    #[schemars(extend("format" = "path"))] // A relative path begins at the suite's file.
    #[serde(skip_serializing)] // Where the file lies decides nothing.
    path: String,
    /// How often each question is asked: several times at temperature 0.7, once at 0.
    #[serde(default = "once")]
    samples: NonZeroU32,
    /// Which answers are kept.
    #[serde(default = "correct")]
    keep: Keep,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn correct() -> Keep {
    Keep::Correct
}

/// The recipe.
pub struct RightAnswers {
    options: Options,
    host: Host,
    path: PathBuf,
    /// The hash of the questions.
    data: String,
}

impl Open for RightAnswers {
    type Options = Options;

    // Every row is read once, so that a damaged file is found before the teacher is asked.
    fn open(options: Options, host: Host) -> Result<Self> {
        let path = host.fetch(&options.path)?;
        let data = rows::fingerprint(&path)?;
        let recipe = RightAnswers {
            options,
            host,
            path,
            data,
        };
        if recipe.questions(None)?.is_empty() {
            let path = recipe.path.display();
            return Err(PluginError::bad_input(format!("`{path}` has no questions")));
        }
        Ok(recipe)
    }
}

impl Recipe for RightAnswers {
    // By it a run knows that rows are current without following the recipe.
    fn info(&self) -> Result<RecipeInfo> {
        let decisive = json!({ "version": VERSION, "options": self.options }).to_string();
        Ok(RecipeInfo {
            fingerprint: Some(rows::digest([decisive, self.data.clone()])),
        })
    }

    // The program asks what was never answered, stores the answers, and writes the files.
    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let inputs = [
            ("recipe", json!([NAME, VERSION])),
            ("data", json!(self.data)),
        ];
        let data = TeacherData {
            host: &self.host,
            options: TeacherOptions {
                name: NAME.to_owned(), // Part of the names of files.
                shots: 0,
                samples: self.options.samples,
                temperature: None,
                max_new_tokens: 64,
                stop: vec!["\n".to_owned()],
                keep: self.options.keep,
                form: TrainingForm::Reasoning,
                allow_errors: 0.0,
            },
            scorer: ("answer-extraction", Metadata::new()),
            inputs: inputs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            before_reasoning: " ".to_owned(),
            before_answer: " ".to_owned(),
        };
        data.make(&job, sink, || self.questions(job.limit))
    }
}

impl RightAnswers {
    /// The questions of the file, at most `limit` of them.
    fn questions(&self, limit: Option<u64>) -> Result<Vec<TeacherQuestion>> {
        let most = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        rows::read(&self.path, None)?
            .take(most)
            .map(|row| question(row?))
            .collect()
    }
}

/// The question of a row.
fn question(row: Row) -> Result<TeacherQuestion> {
    let (id, text, answer) = (
        text(&row, "id")?,
        text(&row, "question")?,
        text(&row, "answer")?,
    );
    let prompt = format!("Question: {text}\nAnswer:");
    let sample = Sample {
        // Each needs an id of its own, the same in every run.
        id: id.clone(),
        prompt: prompt.clone(),
        delimiter: " ".to_owned(),
        gold: Gold::text(answer.clone()),
        // What travels with every request: `replay` finds recorded answers by it.
        metadata: Arc::new(Metadata::from_iter([("id".to_owned(), id.into())])),
        document: Value::Object(row.fields),
        ..Sample::default()
    };
    let (task, row_prompt) = ("capitals".to_owned(), prompt.clone());
    Ok(TeacherQuestion {
        sample,
        prompt,
        task,
        text,
        answer,
        row_prompt,
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
        .recipe::<RightAnswers>(NAME, "A teacher's right answers to questions of a file.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{
        Answer, Answered, Ask, ErrorCode, Flow, GenerateRequest, GenerateResult, Model, ModelInfo,
        OpenRole, Outcome, Question, Response, RoleKind, Scorer, ScorerInfo, Verdict,
    };

    /// Answers every question alike.
    struct Parisian;

    impl Model for Parisian {
        fn info(&self) -> Result<ModelInfo> {
            let (name, fingerprint) = ("parisian".to_owned(), "parisian 1".to_owned());
            Ok(ModelInfo {
                name,
                fingerprint,
                can_generate: true,
                ..ModelInfo::default()
            })
        }

        fn generate(
            &mut self,
            requests: Vec<GenerateRequest>,
            sink: &dyn Sink<Response<GenerateResult>>,
        ) -> Result<()> {
            for request in requests {
                let text = "Paris".to_owned();
                let result = GenerateResult {
                    text,
                    ..GenerateResult::default()
                };
                let _ = sink.send(Response::ok(request.id, result));
            }
            Ok(())
        }
    }

    /// Takes a whole answer for what counts: in place of the program's own scorer.
    struct Whole;

    impl Scorer for Whole {
        fn info(&self) -> Result<ScorerInfo> {
            let metric = examiner_api::MetricInfo {
                name: "accuracy".to_owned(),
                aggregation: examiner_api::Aggregation::Mean,
                higher_is_better: true,
                bounds: Some((0.0, 1.0)),
                ..examiner_api::MetricInfo::default()
            };
            let fingerprint = "whole 1".to_owned();
            Ok(ScorerInfo {
                metrics: vec![metric],
                fingerprint,
                ..ScorerInfo::default()
            })
        }

        fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
            Ok(questions.iter().map(|_| Vec::new()).collect())
        }

        fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
            let verdict = |item: &Answered| {
                let Answer::Generate(answer) = &item.answers[0] else {
                    panic!("no text")
                };
                let right = item.question.sample.gold == Gold::text(answer.text.clone());
                Verdict {
                    outcome: Outcome::Scored,
                    metrics: [("accuracy".to_owned(), f64::from(u8::from(right)))].into(),
                    extracted: Some(answer.text.clone()),
                    ..Verdict::default()
                }
            };
            Ok(items.iter().map(verdict).collect())
        }
    }

    /// The recipe as the program opens it: by its name, with the options of a suite. Relative paths
    /// begin at the crate.
    fn open(options: Value) -> Result<Box<dyn Recipe>> {
        let host = FakeHost::in_dir(env!("CARGO_MANIFEST_DIR"));
        host.offer(
            RoleKind::Model,
            "teacher",
            OpenRole::Model(Box::new(Parisian)),
        );
        host.offer(
            RoleKind::Scorer,
            "answer-extraction",
            OpenRole::Scorer(Box::new(Whole)),
        );
        let options = options.as_object().unwrap().clone();
        match plugin().open(RoleKind::Recipe, NAME, options, host.host())? {
            OpenRole::Recipe(recipe) => Ok(recipe),
            _ => panic!("the plugin opened another role"),
        }
    }

    #[test]
    fn right_answers_become_rows() {
        let out = std::env::temp_dir().join(format!("{NAME}-{}", std::process::id()));
        let job = RecipeJob {
            teacher: "teacher".to_owned(),
            out,
            ..RecipeJob::default()
        };
        let mut recipe = open(json!({ "path": "data/questions.jsonl" })).unwrap();
        let report = recipe
            .make(job.clone(), &|_: RecipeEvent| Flow::Continue)
            .unwrap();
        assert_eq!((report.asked, report.kept), (6, 1));
        let row = rows::read(&report.rows, None)
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(row.fields["completion"], " Paris");
        assert_eq!(
            row.fields["prompt"],
            "Question: What is the capital of France?\nAnswer:"
        );
        std::fs::remove_dir_all(&job.out).unwrap();
    }

    #[test]
    fn options_decide_the_fingerprint_and_wrong_ones_are_refused() {
        let fingerprint = |keep: &str| {
            let options = json!({ "path": "data/questions.jsonl", "keep": keep });
            open(options).unwrap().info().unwrap().fingerprint.unwrap()
        };
        assert_eq!(fingerprint("correct"), fingerprint("correct"));
        assert_ne!(fingerprint("correct"), fingerprint("all"));
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
}
