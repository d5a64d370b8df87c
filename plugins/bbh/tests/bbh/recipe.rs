use crate::fixture::{RecipeRun, Teacher, benchmark, overloaded, rows, says};
use examiner_api::{ErrorCode, Flow, PluginError, RecipeEvent};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    benchmark(folder.path());
    folder
}

fn ids(path: &Path) -> Vec<String> {
    rows(path).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_right_is_kept_once() {
    let folder = folder();
    let run = RecipeRun::new(folder.path());
    let teacher = Teacher::new(says);
    let report = run.make(&teacher).unwrap();
    assert_eq!(report.rows, folder.path().join("data/F_bbh_3shot_1aug.jsonl"));
    let right = ["navigate-0-0", "snarks-0-0", "snarks-2-0"];
    let numbers = (0..3).map(|index| format!("multistep_arithmetic_two-{index}-0"));
    // The teacher contradicts itself about one walk; the first that is kept stays.
    assert_eq!(ids(&report.rows), right.into_iter().map(str::to_owned).chain(numbers).collect::<Vec<_>>());
    assert_eq!((report.asked, report.kept), (9, 6));
    let details = |name: &str| report.details[name].as_u64().unwrap();
    assert_eq!((details("questions"), details("answered"), details("right")), (9, 8, 7));
    assert_eq!((details("unsolved"), details("errors")), (2, 0));
    let csv = std::fs::read_to_string(report.details["yield"].as_str().unwrap()).unwrap();
    assert_eq!(
        csv,
        "task,questions,asked,answered,right,kept,unsolved\nnavigate,3,3,2,2,1,1\nsnarks,3,3,3,2,2,1\n\
         multistep_arithmetic_two,3,3,3,3,3,0\ntotal,9,9,8,7,6,2\n"
    );
    let unsolved = rows(&folder.path().join("data/F_bbh_3shot_1aug.unsolved.jsonl"));
    let unsolved: Vec<&Value> = unsolved.iter().map(|row| &row["sample"]).collect();
    assert_eq!(unsolved, ["navigate-1", "snarks-1"]);
}

#[test]
fn a_row_says_all_that_it_is_made_of() {
    let folder = folder();
    let report = RecipeRun::new(folder.path()).make(&Teacher::new(says)).unwrap();
    let row = rows(&report.rows).into_iter().find(|row| row["id"] == "multistep_arithmetic_two-2-0").unwrap();
    let expected = json!({
        "id": "multistep_arithmetic_two-2-0",
        "prompt": "Q: 1 - 3 =\nA:",
        "completion": " Let's think step by step.\nA step.\nSo the answer is -2.",
        "sample": "multistep_arithmetic_two-2",
        "task": "multistep_arithmetic_two",
        "question": "1 - 3 =",
        "reasoning": "A step.\nSo the answer is -2.",
        "answer": "-2",
        "teacher": "a teacher",
        "sampling": {"temperature": 0, "max_new_tokens": 1024, "stop": ["\nQ:", "</s>", "<|im_end|>"], "seed": 1},
    });
    assert_eq!(Value::Object(row), expected);
}

#[test]
fn the_teacher_sees_the_official_examples_and_who_is_asking() {
    let folder = folder();
    let teacher = Teacher::new(says);
    RecipeRun::new(folder.path()).with("shots", json!(1)).make(&teacher).unwrap();
    let asked = teacher.asked.lock().unwrap();
    let request = &asked[0];
    assert!(request.prompt.starts_with("About navigate.\n\nMore of it.\n\nQ: One?\nA: Let's think step by step.\nOne"));
    assert!(request.prompt.ends_with("- No\nA: Let's think step by step."));
    assert_eq!((&*request.sample.dataset, &*request.sample.id), ("bbh", "navigate-0"));
    assert_eq!((&request.sample.metadata["task"], &request.sample.metadata["index"]), (&json!("navigate"), &json!(0)));
}

#[test]
fn several_samples_a_question() {
    let folder = folder();
    let teacher = Teacher::new(|request| {
        let more = "more, ".repeat(3 - request.sample.repeat as usize);
        Ok(format!("{more}{}", says(request)?))
    });
    let run = RecipeRun::new(folder.path()).with("samples", json!(3)).with("tasks", json!(["snarks"]));
    let report = run.make(&teacher).unwrap();
    assert!(report.rows.ends_with("F_bbh_3shot_3aug.jsonl"));
    assert_eq!(teacher.asked().len(), 9);
    assert_eq!(ids(&report.rows), ["snarks-0-0", "snarks-0-1", "snarks-0-2", "snarks-2-0", "snarks-2-1", "snarks-2-2"]);
    assert_eq!(rows(&report.rows)[0]["sampling"]["temperature"], json!(0.7));
    // Another way to choose among the answers asks nothing, and what was made before is moved aside.
    let run = run.with("keep", json!({"k-best": 1}));
    let report = run.make(&teacher).unwrap();
    assert_eq!(ids(&report.rows), ["snarks-0-2", "snarks-2-2"], "the shortest of each");
    assert_eq!(teacher.asked().len(), 9);
    let [warning] = &run.warnings()[..] else { panic!("{:?}", run.warnings()) };
    assert!(warning.contains("it is now `"), "{warning}");
    let run = run.with("keep", json!("all")).with("as", json!("answers"));
    let report = run.make(&teacher).unwrap();
    let completions: Vec<Value> = rows(&report.rows).iter().map(|row| row["completion"].clone()).collect();
    assert_eq!(completions, [" (A)", " (A)", " a stone, a leaf"], "the wrong answer to the second, too");
    assert_eq!(teacher.asked().len(), 9);
}

#[test]
fn the_same_again_asks_nobody_and_changes_nothing() {
    let folder = folder();
    let run = RecipeRun::new(folder.path());
    let teacher = Teacher::new(says);
    let first = run.make(&teacher).unwrap();
    let bytes = std::fs::read(&first.rows).unwrap();
    let again = run.make(&teacher).unwrap();
    assert_eq!((again, std::fs::read(&first.rows).unwrap()), (first, bytes));
    assert_eq!(teacher.asked().len(), 9);
    // Another teacher, another seed and a limit are other data.
    let other = Teacher { fingerprint: "weights 2".to_owned(), ..Teacher::new(says) };
    run.make(&other).unwrap();
    assert_eq!(other.asked().len(), 9);
    let seeded = RecipeRun { seed: 2, ..RecipeRun::new(folder.path()) };
    seeded.make(&teacher).unwrap();
    assert_eq!(teacher.asked().len(), 18);
    let limited = RecipeRun { limit: Some(1), ..RecipeRun::new(folder.path()) };
    let report = limited.make(&teacher).unwrap();
    assert_eq!((report.asked, teacher.asked().len()), (3, 18), "what is known is not asked again");
    let published = std::fs::read_dir(folder.path().join("data")).unwrap().flatten();
    let published = published.filter(|entry| entry.file_name().to_string_lossy().ends_with(".identity.json")).count();
    assert_eq!(published, 3, "the two teachers said the same; nothing else took the place of another");
}

#[test]
fn a_failure_is_no_wrong_answer_and_is_asked_again() {
    let folder = folder();
    let run = RecipeRun::new(folder.path());
    let failing = Teacher::new(|request| match &*request.sample.id {
        "navigate-0" | "snarks-0" => Err(overloaded()),
        _ => says(request),
    });
    let error = run.make(&failing).unwrap_err();
    assert_eq!(error.message, "2 of 9 questions were not answered: 2 x come back later");
    assert_eq!((error.code, failing.asked().len()), (ErrorCode::Overloaded, 9), "the others are asked all the same");
    assert!(!folder.path().join("data/F_bbh_3shot_1aug.jsonl").exists(), "nothing half is published");

    let tolerant = RecipeRun::new(folder.path()).with("allow_errors", json!(2));
    let report = tolerant.make(&failing).unwrap();
    assert_eq!((failing.asked().len(), report.details["errors"].as_u64()), (11, Some(2)));
    assert!(ids(&report.rows).contains(&"navigate-2-0".to_owned()), "the text was not kept before");
    assert!(tolerant.warnings()[0].contains("without them"));
    let csv = std::fs::read_to_string(report.details["yield"].as_str().unwrap()).unwrap();
    assert!(csv.contains("snarks,3,3,2,1,1,1\n"), "what was not answered is not unsolved: {csv}");

    let teacher = Teacher::new(says);
    let report = tolerant.make(&teacher).unwrap();
    assert_eq!(teacher.asked(), ["navigate-0#0", "snarks-0#0"], "data with holes is not taken for whole");
    assert_eq!((report.kept, report.details["errors"].as_u64()), (6, Some(0)));
}

#[test]
fn a_refused_key_ends_it_at_once() {
    for code in [ErrorCode::Authentication, ErrorCode::Quota] {
        let folder = folder();
        let run = RecipeRun::new(folder.path()).with("allow_errors", json!(100));
        let teacher = Teacher::new(move |request| match &*request.sample.id {
            "navigate-2" => Err(PluginError::new(code, "no")),
            _ => says(request),
        });
        assert_eq!(run.make(&teacher).unwrap_err().code, code);
        assert_eq!(teacher.asked().len(), 3);
        let teacher = Teacher::new(says);
        run.make(&teacher).unwrap();
        assert_eq!(teacher.asked().len(), 7, "what was answered before is kept");
    }
}

#[test]
fn stopped_it_goes_on_where_it_was() {
    let folder = folder();
    let run = RecipeRun::new(folder.path());
    let teacher = Teacher::new(says);
    let events = Mutex::new(Vec::new());
    let sink = |event: RecipeEvent| {
        events.lock().unwrap().push((event.done, event.total));
        if event.done == 4 { Flow::Stop } else { Flow::Continue }
    };
    assert_eq!(run.make_with(&teacher, &sink).unwrap_err().code, ErrorCode::Cancelled);
    assert_eq!(*events.lock().unwrap(), [(0, 9), (1, 9), (2, 9), (3, 9), (4, 9)]);
    let last = AtomicU64::new(0);
    let sink = |event: RecipeEvent| {
        last.store(event.kept, Ordering::Relaxed);
        Flow::Continue
    };
    run.make_with(&teacher, &sink).unwrap();
    let mut asked = teacher.asked();
    assert_eq!((asked.len(), last.into_inner()), (9, 7));
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 9);
}

#[test]
fn its_fingerprint_is_that_of_files_and_options_wherever_they_lie() {
    let (one, other) = (folder(), folder());
    let fingerprint = |folder: &Path, name: &str, value: Value| {
        let run = RecipeRun::new(folder).with(name, value);
        let options = serde_json::from_value(run.options.clone()).unwrap();
        let recipe = <examiner_plugin_bbh::BbhRecipe as examiner_api::Open>::open(options, run.host.host()).unwrap();
        examiner_api::Recipe::info(&recipe).unwrap().fingerprint.unwrap()
    };
    let expected = fingerprint(one.path(), "keep", json!("correct"));
    assert_eq!(fingerprint(other.path(), "path", json!(other.path())), expected);
    assert_ne!(fingerprint(one.path(), "keep", json!("all")), expected);
    assert_ne!(fingerprint(one.path(), "tasks", json!(["snarks"])), expected);
    let path = one.path().join("tasks/snarks.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("hard", "heavy")).unwrap();
    assert_ne!(fingerprint(one.path(), "keep", json!("correct")), expected);
}

#[test]
fn a_teacher_that_answers_what_was_not_asked_is_not_believed() {
    struct Stranger;
    impl examiner_api::Model for Stranger {
        fn info(&self) -> examiner_api::Result<examiner_api::ModelInfo> {
            Ok(examiner_api::ModelInfo { can_generate: true, ..Default::default() })
        }
        fn generate(
            &mut self,
            _: Vec<examiner_api::GenerateRequest>,
            sink: &dyn examiner_api::Sink<examiner_api::Response<examiner_api::GenerateResult>>,
        ) -> examiner_api::Result<()> {
            let _ = sink.send(examiner_api::Response::ok(99, Default::default()));
            Ok(())
        }
    }
    let folder = folder();
    let run = RecipeRun::new(folder.path());
    // The fixture's own teacher has nothing to say; with it the judge comes to the host.
    let _ = run.make(&Teacher::new(|_| Err(overloaded())));
    let role = examiner_api::OpenRole::Model(Box::new(Stranger));
    run.host.offer(examiner_api::RoleKind::Model, "stranger", role);
    let options = serde_json::from_value(run.options.clone()).unwrap();
    let mut recipe = <examiner_plugin_bbh::BbhRecipe as examiner_api::Open>::open(options, run.host.host()).unwrap();
    let job = examiner_api::RecipeJob {
        teacher: "stranger".to_owned(),
        out: folder.path().join("data"),
        limit: None,
        seed: 1,
    };
    let error = examiner_api::Recipe::make(&mut recipe, job, &|_| Flow::Continue).unwrap_err();
    assert_eq!((error.code, error.message.contains("request 99")), (ErrorCode::Protocol, true), "{error}");
}
