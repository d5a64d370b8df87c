//! Each role in Python, by the package.

use crate::{options, python, script};
use examiner_api::testing::FakeHost;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, Dataset, ErrorCode, Flow, GenerateResult, Gold, Model, Open, OpenRole, Outcome,
    Question, Recipe, RecipeEvent, RecipeJob, Response, RoleKind, Sample, ScoreResult, Scorer, Shot, TrainEvent,
    TrainJob, Trainer,
};
use examiner_plugin_process::{ProcessDataset, ProcessModel, ProcessRecipe, ProcessScorer, ProcessTrainer};
use examiner_test_support::model::{generate, loglikelihood, prompt, responses};
use examiner_test_support::needs;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn open<R: Open<Options = examiner_plugin_process::Options>>(given: Value, host: &FakeHost) -> R {
    R::open(options(json!({ "command": python(&script("roles.py")), "options": given })), host.host()).unwrap()
}

#[needs(python)]
#[test]
fn a_model_answers_and_what_it_prints_harms_nothing() {
    let mut model: ProcessModel = open(json!({ "offset": 1 }), &FakeHost::new());
    let info = model.info().unwrap();
    assert_eq!((&*info.name, info.can_score, info.can_generate), ("adder", true, true));
    let answers = generate(&mut model, vec![prompt(5, "2 + 2", 8), prompt(9, "3 + 4", 8)]);
    assert_eq!((&*answers[&5].text, &*answers[&9].text), ("5", "8"));
    // An exception is the error of its request.
    let asked = vec![prompt(0, "2 + 2", 8), prompt(1, "two", 8), prompt(2, "0 + 0", 8)];
    let (answers, end) = responses(|sink| model.generate(asked, sink));
    assert_eq!((end, answers.len()), (Ok(()), 3));
    assert!(answers[&0].is_ok() && answers[&2].is_ok());
    let error = answers[&1].clone().unwrap_err();
    assert!(error.code == ErrorCode::Other && error.message.starts_with("ValueError: "), "{error}");
}

#[needs(python)]
#[test]
fn a_batch_is_answered_as_far_as_it_goes() {
    let mut model: ProcessModel = open(json!({}), &FakeHost::new());
    let texts = [" a", " none", " b", " break", " c"];
    let requests = texts.iter().zip(0..).map(|(text, id)| loglikelihood(id, "x", text)).collect();
    let (answers, end) = responses::<ScoreResult>(|sink| model.score(requests, sink));
    assert_eq!((answers.len(), answers[&0].clone().unwrap().sum), (3, -1.5));
    let refused = answers[&1].clone().unwrap_err();
    assert_eq!((refused.code, refused.help.as_deref()), (ErrorCode::BadInput, Some("use another")));
    assert_eq!(end.unwrap_err().message, "KeyError: 'break'");
    // The program goes on.
    assert_eq!(generate(&mut model, vec![prompt(0, "1 + 1", 8)])[&0].text, "2");
}

#[needs(python)]
#[test]
fn a_model_that_is_told_to_stop_stops() {
    let mut model: ProcessModel = open(json!({ "sleep_s": 0.05 }), &FakeHost::new());
    let requests = (0..1000).map(|id| prompt(id, "1 + 1", 8)).collect();
    let began = Instant::now();
    let seen = Mutex::new(0);
    let end = model.generate(requests, &|_: Response<GenerateResult>| {
        *seen.lock().unwrap() += 1;
        Flow::Stop
    });
    assert_eq!(end, Ok(()));
    let seen = seen.into_inner().unwrap();
    assert!((1..20).contains(&seen), "{seen}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(generate(&mut model, vec![prompt(0, "1 + 1", 8)])[&0].text, "2");
}

#[needs(python)]
#[test]
fn an_interrupt_ends_a_program_that_does_not_listen() {
    let host = FakeHost::new();
    let mut model: ProcessModel = open(json!({ "sleep_s": 60.0 }), &host);
    let cancelling = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        host.cancel();
        Instant::now()
    });
    let (answers, end) = responses::<GenerateResult>(|sink| model.generate(vec![prompt(0, "1 + 1", 8)], sink));
    let ended = Instant::now();
    assert_eq!((answers.len(), end.unwrap_err().code), (0, ErrorCode::Cancelled));
    let took = ended - cancelling.join().unwrap();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[needs(python)]
#[test]
fn a_dataset_sends_samples_and_examples() {
    let mut dataset: ProcessDataset = open(json!({ "rows": 3 }), &FakeHost::new());
    let samples = Mutex::new(Vec::new());
    dataset
        .samples(&|sample: Sample| {
            samples.lock().unwrap().push((sample.id, sample.prompt, sample.gold));
            Flow::Continue
        })
        .unwrap();
    let expected = |n: u32| (n.to_string(), format!("{n} + {n}"), Gold::text((2 * n).to_string()));
    assert_eq!(samples.into_inner().unwrap(), [expected(0), expected(1), expected(2)]);
    let shot = Shot { id: Some("shot".to_owned()), prompt: "1 + 1".to_owned(), answer: " 2".to_owned() };
    assert_eq!(dataset.few_shot_pool().unwrap(), [shot]);
    let error = dataset.training_samples("reasoning", &|_: Sample| Flow::Continue).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadOptions);
}

#[needs(python)]
#[test]
fn a_scorer_asks_judges_and_adds_up() {
    let scorer: ProcessScorer = open(json!({}), &FakeHost::new());
    let info = scorer.info().unwrap();
    assert!(info.asks_generate && !info.asks_score && !info.fingerprint.is_empty());
    assert_eq!(info.metrics[1].aggregation, Aggregation::Corpus);
    assert_eq!(info.metrics[0].bounds, Some((0.0, 1.0)));
    let question = |gold: &str| Question {
        sample: Sample { gold: Gold::text(gold), ..Sample::default() },
        context: "1 + 1".to_owned(),
        ..Question::default()
    };
    let asks = scorer.requests(&[question("2"), question("3")]).unwrap();
    assert!(matches!(&asks[1][..], [Ask::Generate { prompt, .. }] if prompt == "1 + 1"), "{asks:?}");
    let answered = |gold: &str| Answered {
        question: question(gold),
        answers: vec![Answer::Generate(GenerateResult { text: "2".to_owned(), ..GenerateResult::default() })],
    };
    let verdicts = scorer.score(&[answered("2"), answered("5")]).unwrap();
    assert_eq!(verdicts[0].metrics["exact"], 1.0);
    assert_eq!((&verdicts[1].statistics["mse"][..], &verdicts[1].outcome), (&[9.0][..], &Outcome::Scored));
    assert_eq!(scorer.corpus("mse", &[vec![9.0], vec![0.0]]).unwrap(), 4.5);
}

#[needs(python)]
#[test]
fn a_trainer_trains() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    std::fs::write(&rows, "{}\n{}\n{}\n").unwrap();
    let mut trainer: ProcessTrainer = open(json!({}), &FakeHost::new());
    trainer.check(None).unwrap();
    assert_eq!(trainer.check(Some("nowhere")).unwrap_err().code, ErrorCode::NotFound);
    let job = TrainJob { rows, out: folder.path().to_owned(), from: Some("here".to_owned()), ..TrainJob::default() };
    let events = Mutex::new(Vec::new());
    let report = trainer.train(job, &|event: TrainEvent| {
        events.lock().unwrap().push((event.step, event.steps, event.loss));
        Flow::Continue
    });
    let report = report.unwrap();
    assert_eq!((report.steps, &report.details["from"]), (3, &json!("here")));
    assert_eq!(events.into_inner().unwrap(), [(1, 3, Some(1.0)), (2, 3, Some(0.5)), (3, 3, Some(1.0 / 3.0))]);
    assert!(folder.path().join("weights").is_file());
}

#[needs(python)]
#[test]
fn a_recipe_asks_the_teacher_and_writes_rows() {
    let (folder, host) = (tempfile::tempdir().unwrap(), FakeHost::new());
    let teacher: ProcessModel = open(json!({}), &FakeHost::new());
    host.offer(RoleKind::Model, "teacher", OpenRole::Model(Box::new(teacher)));
    let mut recipe: ProcessRecipe = open(json!({}), &host);
    assert!(recipe.info().unwrap().fingerprint.is_some());
    let job = RecipeJob { teacher: "teacher".to_owned(), out: folder.path().to_owned(), ..RecipeJob::default() };
    let events = Mutex::new(Vec::new());
    let sink = |event: RecipeEvent| {
        events.lock().unwrap().push((event.done, event.kept));
        Flow::Continue
    };
    let report = recipe.make(job.clone(), &sink).unwrap();
    assert_eq!((report.asked, report.kept), (4, 4));
    let rows = std::fs::read_to_string(&report.rows).unwrap();
    let last: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert_eq!(last, json!({ "id": "3", "prompt": "3 + 3", "completion": " 6", "task": "sum" }));
    // The rows are found again, and nobody is asked.
    assert_eq!(recipe.make(job, &sink).unwrap(), report);
    assert_eq!(events.into_inner().unwrap(), [(4, 4)]);
}
