//! The recipe, through the fake host.

use examiner_api::testing::FakeHost;
use examiner_api::{
    Answer, Answered, Ask, Dataset, ErrorCode, Flow, GenerateRequest, GenerateResult, Gold, Metadata, MetricInfo,
    Model, ModelInfo, Open, OpenRole, Outcome, PluginError, Question, Recipe, RecipeJob, RecipeReport, Response,
    Result, RoleKind, Sample, Scorer, ScorerInfo, Sink, Verdict,
};
use examiner_plugin_gsm8k::{Gsm8k, Gsm8kRecipe};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Five questions; the first and the last have the same text.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = [(2, 3), (4, 4), (10, 1), (7, 0), (2, 3)];
    let row = |(a, b): &(u64, u64)| {
        let worked = format!("{a} + {b} = <<{a}+{b}={0}>>{0}\n#### {0}", a + b);
        format!("{}\n", json!({ "question": format!("{a} apples and {b} more?"), "answer": worked }))
    };
    std::fs::write(folder.path().join("train.jsonl"), rows.iter().map(row).collect::<String>()).unwrap();
    folder
}

/// Adds, but for 10 and 1; records what it was asked.
#[derive(Clone)]
struct Teacher {
    asked: Arc<Mutex<Vec<GenerateRequest>>>,
    fails_at: Option<&'static str>,
}

impl Teacher {
    fn new(fails_at: Option<&'static str>) -> Self {
        Teacher { asked: Arc::default(), fails_at }
    }

    /// `train-0#1` for the second repetition of a sample, in the order of asking.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| format!("{}#{}", request.sample.id, request.sample.repeat)).collect()
    }
}

impl Model for Teacher {
    fn info(&self) -> Result<ModelInfo> {
        let (name, fingerprint) = ("a teacher".to_owned(), "weights 1".to_owned());
        Ok(ModelInfo { name, fingerprint, can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            self.asked.lock().unwrap().push(request.clone());
            let id = request.sample.id.as_str();
            let answer = match id {
                "train-0" | "train-4" => "5",
                "train-1" => "8",
                "train-2" => "12",
                _ => "7",
            };
            let more = " and so on".repeat(3 - request.sample.repeat as usize);
            let text = format!(" First the apples{more}.\nThe answer is {answer}.");
            let result = match self.fails_at == Some(id) {
                true => Err(PluginError::new(ErrorCode::Overloaded, "come back later")),
                false => Ok(GenerateResult { text, ..GenerateResult::default() }),
            };
            if sink.send(Response { id: request.id, result }) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// What stands after the last `answer is ` is the answer.
struct Judge;

impl Scorer for Judge {
    fn info(&self) -> Result<ScorerInfo> {
        let (name, aggregation) = ("accuracy".to_owned(), Default::default());
        let accuracy =
            MetricInfo { name, aggregation, higher_is_better: true, bounds: Some((0.0, 1.0)), ..MetricInfo::default() };
        Ok(ScorerInfo { metrics: vec![accuracy], fingerprint: "rule 1".to_owned(), ..ScorerInfo::default() })
    }

    fn requests(&self, _: &[Question]) -> Result<Vec<Vec<Ask>>> {
        Err(PluginError::unsupported("asks nothing"))
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let verdict = |item: &Answered| {
            let [Answer::Generate(answer)] = &item.answers[..] else { panic!("expected one answer") };
            let Gold::Text(golds) = &item.question.sample.gold else { panic!("expected a text") };
            let found = answer.text.rsplit_once("answer is ").map(|(_, after)| after.trim_end_matches('.').to_owned());
            let right = found.as_ref().is_some_and(|found| golds.contains(found));
            Verdict {
                outcome: Outcome::Scored,
                metrics: [("accuracy".to_owned(), f64::from(u8::from(right)))].into(),
                extracted: found,
                ..Verdict::default()
            }
        };
        Ok(items.iter().map(verdict).collect())
    }
}

fn open(host: &FakeHost, options: Value) -> Result<Gsm8kRecipe> {
    let mut all = json!({ "path": "train.jsonl", "shots": 1 });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    Gsm8kRecipe::open(serde_json::from_value(all).unwrap(), host.host())
}

fn make(folder: &Path, teacher: &Teacher, options: Value, limit: Option<u64>) -> Result<RecipeReport> {
    let host = FakeHost::in_dir(folder);
    host.offer(RoleKind::Model, "teacher", OpenRole::Model(Box::new(teacher.clone())));
    host.offer(RoleKind::Scorer, "answer-extraction", OpenRole::Scorer(Box::new(Judge)));
    let job = RecipeJob { teacher: "teacher".to_owned(), out: folder.join("data"), limit, seed: 1 };
    open(&host, options)?.make(job, &|_| Flow::Continue)
}

fn rows(path: &Path) -> Vec<Metadata> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(path: &Path) -> Vec<String> {
    rows(path).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_right_is_kept_once() {
    let folder = folder();
    let teacher = Teacher::new(None);
    let report = make(folder.path(), &teacher, json!({}), None).unwrap();
    assert_eq!(report.rows, folder.path().join("data/F_gsm8k_1shot_1aug.jsonl"));
    assert_eq!(ids(&report.rows), ["train-0-0", "train-1-0", "train-3-0"], "the last has the text of the first");
    let counts = &report.yields[0];
    assert_eq!((counts.questions, counts.asked, counts.right, counts.kept, counts.unsolved), (5, 5, 4, 3, 1));
    assert_eq!((report.asked, report.kept), (5, 3));
    let unsolved = rows(&folder.path().join("data/F_gsm8k_1shot_1aug.unsolved.jsonl"));
    assert_eq!((&unsolved[0]["sample"], &unsolved[0]["target"]), (&json!("train-2"), &json!("11")));
}

#[test]
fn the_teacher_sees_other_questions_worked_and_a_row_says_all_that_it_is_made_of() {
    let folder = folder();
    let teacher = Teacher::new(None);
    let report = make(folder.path(), &teacher, json!({ "shots": 2 }), None).unwrap();
    let asked = teacher.asked.lock().unwrap();
    let expected = "Question: 2 apples and 3 more?\nAnswer: Let's think step by step. 2 + 3 = 5\nThe answer is 5.\n\nQuestion: 10 \
                    apples and 1 more?\nAnswer: Let's think step by step. 10 + 1 = 11\nThe answer is 11.\n\nQuestion: 4 apples \
                    and 4 more?\nAnswer: Let's think step by step.";
    assert_eq!(asked[1].prompt, expected, "its own answer is not among them");
    let expected = json!({
        "id": "train-1-0",
        "prompt": "Q: 4 apples and 4 more?\nA:",
        "completion": " First the apples and so on and so on and so on.\nThe answer is 8.",
        "sample": "train-1",
        "task": "gsm8k",
        "question": "4 apples and 4 more?",
        "reasoning": "First the apples and so on and so on and so on.\nThe answer is 8.",
        "answer": "8",
        "teacher": "a teacher",
        "sampling": {
            "temperature": 0, "max_new_tokens": 512, "stop": ["Question:", "</s>", "<|im_end|>"], "seed": 1
        },
    });
    assert_eq!(Value::Object(rows(&report.rows).remove(1)), expected);
}

#[test]
fn samples_are_those_of_an_examination_on_the_training_split() {
    let folder = folder();
    let options = json!({ "path": "train.jsonl", "split": "train", "prompt": "cot" });
    let mut dataset =
        Gsm8k::open(serde_json::from_value(options).unwrap(), FakeHost::in_dir(folder.path()).host()).unwrap();
    let samples = Mutex::new(Vec::new());
    let take = |sample: Sample| {
        samples.lock().unwrap().push(sample.id);
        Flow::Continue
    };
    dataset.samples(&take).unwrap();
    let teacher = Teacher::new(None);
    make(folder.path(), &teacher, json!({}), None).unwrap();
    let asked: Vec<String> = teacher.asked.lock().unwrap().iter().map(|request| request.sample.id.clone()).collect();
    assert_eq!(asked, samples.into_inner().unwrap());
}

#[test]
fn another_choice_among_several_samples_asks_nothing() {
    let folder = folder();
    let teacher = Teacher::new(None);
    let report = make(folder.path(), &teacher, json!({ "samples": 2, "as": "answers" }), Some(2)).unwrap();
    assert_eq!((ids(&report.rows), teacher.asked().len()), (vec!["train-0-0".to_owned(), "train-1-0".to_owned()], 4));
    let report = make(folder.path(), &teacher, json!({ "samples": 2, "keep": { "k-best": 1 } }), Some(2)).unwrap();
    assert_eq!(ids(&report.rows), ["train-0-1", "train-1-1"], "the shortest of each");
    assert_eq!(teacher.asked().len(), 4);
    make(folder.path(), &teacher, json!({ "samples": 2, "keep": { "k-best": 1 } }), None).unwrap();
    assert_eq!(teacher.asked().len(), 10, "of all questions only the other three are asked");
}

#[test]
fn a_failure_is_asked_again_and_not_published() {
    let folder = folder();
    let error = make(folder.path(), &Teacher::new(Some("train-1")), json!({}), None).unwrap_err();
    assert_eq!(error.message, "1 of 5 questions were not answered: 1 x come back later");
    assert!(!folder.path().join("data/F_gsm8k_1shot_1aug.jsonl").exists());
    let report = make(folder.path(), &Teacher::new(Some("train-1")), json!({ "allow_errors": 0.5 }), None).unwrap();
    assert_eq!(ids(&report.rows), ["train-0-0", "train-3-0"]);
    let teacher = Teacher::new(None);
    make(folder.path(), &teacher, json!({ "allow_errors": 0.5 }), None).unwrap();
    assert_eq!(teacher.asked(), ["train-1#0"]);
    let again = Teacher::new(None);
    make(folder.path(), &again, json!({ "allow_errors": 0.5 }), None).unwrap();
    assert_eq!(again.asked().len(), 0, "what is there already is not made again");
}

#[test]
fn its_fingerprint_follows_the_file_and_the_options() {
    let folder = folder();
    let host = FakeHost::in_dir(folder.path());
    let fingerprint = |options: Value| open(&host, options).unwrap().info().unwrap().fingerprint.unwrap();
    let expected = fingerprint(json!({}));
    assert_eq!(fingerprint(json!({ "path": folder.path().join("train.jsonl") })), expected, "wherever the file lies");
    assert_ne!(fingerprint(json!({ "shots": 2 })), expected);
    let text = std::fs::read_to_string(folder.path().join("train.jsonl")).unwrap();
    std::fs::write(folder.path().join("train.jsonl"), text.replace("apples", "pears")).unwrap();
    assert_ne!(fingerprint(json!({})), expected);
    let error = open(&host, json!({ "shots": 5 })).err().unwrap();
    assert!(error.message.contains("expected more than 5 questions"), "{error}");
}
