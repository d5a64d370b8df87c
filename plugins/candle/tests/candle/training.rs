//! The trainer through its public role.

use crate::open;
use candle_core::{DType, Device};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Flow, Model, Open, PluginError, Result, TrainEvent, TrainJob, TrainReport, Trainer};
use examiner_plugin_candle::CandleTrainer;
use examiner_test_support::checkpoint::{Dtype, Tensor, TinyGpt2};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A job in a directory, with its file of rows written.
pub(crate) fn job(directory: &Path, from: Option<&Path>, rows: &[Value]) -> TrainJob {
    let path = directory.join("rows.jsonl");
    std::fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    let from = from.map(|from| from.display().to_string());
    TrainJob { from, rows: path, out: directory.join("train"), recorded: None, seed: 7 }
}

/// The file of events beside a job's directory, one a line: what the program records.
fn recorded(job: &TrainJob) -> PathBuf {
    job.out.with_extension("events.jsonl")
}

/// Records an event as the program does: what a training that goes on says counts, not what was recorded before.
fn record(path: &Path, event: &TrainEvent) {
    let mut events = events(path);
    events.retain(|known| event.resumed_after.is_none_or(|step| known.step <= step) && known.step < event.step);
    events.push(event.clone());
    let lines: String = events.iter().map(|event| json!(event).to_string() + "\n").collect();
    let part = path.with_extension("part");
    std::fs::write(&part, lines).unwrap();
    std::fs::rename(&part, path).unwrap();
}

fn events(path: &Path) -> Vec<TrainEvent> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn train_until(options: Value, job: &TrainJob, stop_at: Option<u64>) -> Result<TrainReport> {
    let options = serde_json::from_value(options).unwrap();
    let mut trainer = CandleTrainer::open(options, FakeHost::new().host())?;
    let path = recorded(job);
    let last = events(&path).last().map(|event| event.step);
    let sink = |event: TrainEvent| {
        record(&path, &event);
        if stop_at.is_some_and(|at| event.step >= at) { Flow::Stop } else { Flow::Continue }
    };
    trainer.train(TrainJob { recorded: Some(last.unwrap_or(0)), ..job.clone() }, &sink)
}

pub(crate) fn train(options: Value, job: &TrainJob) -> Result<TrainReport> {
    train_until(options, job, None)
}

/// The steps of a training, as they were recorded.
pub(crate) fn curve(job: &TrainJob) -> Vec<TrainEvent> {
    events(&recorded(job))
}

/// All tensors of a checkpoint.
pub(crate) fn weights(checkpoint: &Path) -> BTreeMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(checkpoint.join("model.safetensors"), &Device::Cpu).unwrap();
    let values = |tensor: candle_core::Tensor| tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
    tensors.into_iter().map(|(name, tensor)| (name, values(tensor).to_vec1().unwrap())).collect()
}

/// Sums of two numbers below ten.
fn sums() -> Vec<Value> {
    let row = |i: usize| {
        let (a, b) = (i / 7, i % 7);
        json!({ "id": format!("{a}+{b}"), "prompt": format!("{a}+{b}="), "completion": format!(" {}", a + b) })
    };
    (0..49).map(row).collect()
}

fn scratch() -> Value {
    json!({
        "scratch": { "n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 24 },
        "tokenizer": { "vocab_size": 270, "split_digits": true },
        "lr": 0.01, "batch_rows": 7, "epochs": 2, "device": "cpu"
    })
}

fn with(mut options: Value, changes: Value) -> Value {
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    options
}

#[test]
fn a_model_from_scratch_learns_and_can_be_asked() {
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    let changes = json!({
        "epochs": 60, "loss_on": "all", "weight_decay": 0.0, "warmup_share": 0.1, "schedule": "cosine"
    });
    let options = with(
        scratch(),
        with(
            json!({ "scratch": {
        "n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 24
    } }),
            changes,
        ),
    );
    let report = train(options.clone(), &job).unwrap();
    assert_eq!((report.details["rows"].clone(), report.details["epochs"].clone()), (json!(49), json!(60)));
    let curve = curve(&job);
    assert_eq!(curve.len() as u64, report.steps);
    let mut model = open(&report.checkpoint, json!({ "device": "cpu" })).unwrap();
    let asked = (0..49).map(|i| prompt(i, &format!("{}+{}=", i / 7, i % 7), 4)).collect();
    let answers = generate(&mut model, asked);
    let right = answers.iter().filter(|(i, answer)| answer.text == format!(" {}", *i / 7 + *i % 7)).count();
    assert!(right > 40, "{right} of 49 sums are right");
    assert_eq!(train(options, &job).unwrap(), report, "a finished training is not done again");
}

/// Conversations are learned as the texts that the template writes, and the template goes with the model.
#[test]
fn conversations_are_learned_through_the_chat_template() {
    let start = TinyGpt2::new(json!({ "n_positions": 64 })).write();
    let template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    std::fs::write(start.path().join("chat_template.jinja"), template).unwrap();
    let turn = |role: &str, content: &str| json!({ "role": role, "content": content });
    let talks = [
        json!({ "id": "a", "talk": [turn("user", "one?"), turn("assistant", "1")] }),
        json!({ "id": "b", "talk": [turn("system", "s"), turn("user", "two?"), turn("assistant", "2"), turn("user", "x"), turn("assistant", "3")] }),
    ];
    let texts = [
        json!({ "id": "a", "prompt": "<|user|>one?\n<|assistant|>", "completion": "1\n" }),
        json!({ "id": "b", "prompt": "<|system|>s\n<|user|>two?\n<|assistant|>2\n<|user|>x\n<|assistant|>", "completion": "3\n" }),
    ];
    let learned = |rows: &[Value], changes: Value| {
        let directory = tempfile::tempdir().unwrap();
        let job = job(directory.path(), Some(start.path()), rows);
        let options = with(json!({ "max_steps": 3, "lr": 0.01, "device": "cpu" }), changes);
        train(options, &job).map(|report| {
            assert!(report.checkpoint.join("chat_template.jinja").exists());
            weights(&report.checkpoint)
        })
    };
    let talked = learned(&talks, json!({ "messages_field": "talk" })).unwrap();
    assert_eq!(talked, learned(&texts, json!({ "end_of_text": false })).unwrap());
    let refused = |rows: &[Value]| learned(rows, json!({ "messages_field": "talk" })).unwrap_err().to_string();
    let unanswered = [json!({ "id": "c", "talk": [turn("user", "one?")] })];
    assert!(refused(&unanswered).contains("training row `c`: expected turns of which the last is the assistant's"));
    assert!(refused(&texts).contains("it has no `talk`; it has `id`, `prompt`, `completion`"));
}

#[test]
fn a_loss_is_what_the_model_gives_as_a_score() {
    let start = TinyGpt2::new(json!({})).write();
    let directory = tempfile::tempdir().unwrap();
    let rows = [("The cat sat", " on the mat."), ("Two ", " and three"), ("", "x y z")];
    let lines: Vec<Value> = rows.iter().map(|(p, c)| json!({ "prompt": p, "completion": c })).collect();
    let job = job(directory.path(), Some(start.path()), &lines);
    let report = train(json!({ "max_steps": 1, "lr": 0.0, "end_of_text": false }), &job).unwrap();
    let mut model = open(start.path(), json!({})).unwrap();
    let asked =
        rows.iter().zip(0..).map(|((context, completion), id)| loglikelihood(id, context, completion)).collect();
    let scores = score(&mut model, asked);
    let (sum, tokens) = scores.values().fold((0.0, 0), |(sum, n), s| (sum - s.sum, n + s.scored_tokens));
    let expected = sum / f64::from(tokens);
    let found = curve(&job)[0].loss.unwrap();
    assert!((found - expected).abs() < 1e-5 * expected, "{found}, not {expected}");
    // With a learning rate of 0, the weights are those of the start; the same files lie beside them.
    assert_eq!(weights(&report.checkpoint), weights(start.path()));
    let fingerprint = |path: &Path| open(path, json!({})).unwrap().info().unwrap().vocabulary;
    assert_eq!(fingerprint(&report.checkpoint), fingerprint(start.path()));
}

/// All that a training leaves, without what tells the time and whether it was interrupted.
fn remains(job: &TrainJob, report: &TrainReport) -> (Vec<TrainEvent>, Vec<u8>, Vec<String>) {
    let timeless = |event: TrainEvent| TrainEvent { tokens_per_s: None, resumed_after: None, ..event };
    let events = curve(job).into_iter().map(timeless).collect();
    let mut names: Vec<String> = std::fs::read_dir(job.out.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    (events, std::fs::read(report.checkpoint.join("model.safetensors")).unwrap(), names)
}

#[test]
fn an_interrupted_training_ends_as_an_undisturbed_one_to_the_last_bit() {
    let changes = json!({
        "validation_share": 0.2, "validate_every": 3, "accumulation": 2, "checkpoint_every": 2, "epochs": 5,
        "batch_tokens": 40, "batch_rows": null
    });
    let options = with(scratch(), changes);
    let directory = tempfile::tempdir().unwrap();
    let undisturbed = job(directory.path(), None, &sums());
    let report = train(options.clone(), &undisturbed).unwrap();
    let expected = remains(&undisturbed, &report);
    assert!(report.steps > 10, "{}", report.steps);
    for stops in [vec![0, 1, 4, 5], vec![3], vec![report.steps - 1]] {
        let directory = tempfile::tempdir().unwrap();
        let job = job(directory.path(), None, &sums());
        for stop in stops {
            let error = train_until(options.clone(), &job, Some(stop)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Cancelled, "{error}");
        }
        let report = train(options.clone(), &job).unwrap();
        assert!(remains(&job, &report) == expected, "the same curve and the same weights");
    }
}

/// What [`a_training_that_is_killed_goes_on_from_its_last_checkpoint`] starts and kills: a process of its own.
#[test]
#[ignore = "a part of `a_training_that_is_killed_goes_on_from_its_last_checkpoint`, which starts it"]
fn a_process_that_trains() {
    let directory = std::env::var_os("EXAMINER_TEST_TRAINING").expect("the other test names a directory");
    let job = job(Path::new(&directory), None, &sums());
    train(slow(), &job).unwrap();
}

/// Long enough to be killed in the midst of it.
fn slow() -> Value {
    with(scratch(), json!({ "checkpoint_every": 5, "epochs": 40 }))
}

#[test]
fn a_training_that_is_killed_goes_on_from_its_last_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let undisturbed = job(directory.path(), None, &sums());
    let report = train(slow(), &undisturbed).unwrap();
    let expected = remains(&undisturbed, &report);

    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    let path = recorded(&job);
    for lines in [20, 90] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "training::a_process_that_trains"]);
        let mut child =
            child.env("EXAMINER_TEST_TRAINING", directory.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
        let reached = || std::fs::read_to_string(&path).unwrap_or_default().lines().count() >= lines;
        while child.try_wait().unwrap().is_none() && !reached() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let kept = |path: &Path| path.join("optimizer.safetensors").is_file();
    let entries = std::fs::read_dir(job.out.join("checkpoints")).unwrap();
    assert!(entries.map(|entry| entry.unwrap().path()).any(|path| kept(&path)), "it was killed before its end");
    // What a kill may leave of a checkpoint.
    std::fs::create_dir_all(job.out.join("checkpoints/.step-000999.part")).unwrap();
    let report = train(slow(), &job).unwrap();
    let first = curve(&job).iter().rfind(|event| event.resumed_after.is_some()).unwrap().step;
    assert!(first >= 86 && first % 5 == 1, "went on at step {first}");
    assert!(remains(&job, &report) == expected, "the same curve and the same weights");
}

#[test]
fn from_a_checkpoint_beyond_what_is_recorded_it_does_not_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    train_until(scratch(), &job, Some(3)).unwrap_err();
    std::fs::remove_file(recorded(&job)).unwrap();
    let report = train(scratch(), &job).unwrap();
    let steps: Vec<u64> = curve(&job).iter().map(|event| event.step).collect();
    assert_eq!(steps, (1..=report.steps).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_of_another_training_is_not_gone_on_from() {
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    train_until(scratch(), &job, Some(3)).unwrap_err();
    let other = with(scratch(), json!({ "lr": 0.02 }));
    let report = train(other.clone(), &job).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let expected = self::job(fresh.path(), None, &sums());
    let from_nothing = train(other, &expected).unwrap();
    assert!(remains(&job, &report) == remains(&expected, &from_nothing));
}

#[test]
fn a_finished_training_may_be_moved_and_is_not_lost_to_another() {
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    let report = train(scratch(), &job).unwrap();
    let moved = TrainJob { out: directory.path().join("moved"), ..job.clone() };
    std::fs::rename(&job.out, &moved.out).unwrap();
    let checkpoint = moved.out.join(report.checkpoint.strip_prefix(&job.out).unwrap());
    assert_eq!(train(scratch(), &moved).unwrap(), TrainReport { checkpoint: checkpoint.clone(), ..report });
    assert!(curve(&moved).is_empty(), "nothing was trained");

    let before = weights(&checkpoint);
    let other = train(with(scratch(), json!({ "lr": 0.02 })), &moved).unwrap();
    assert_ne!(weights(&other.checkpoint), before);
    let kept = moved.out.join("checkpoints.earlier-1").join(checkpoint.file_name().unwrap());
    assert_eq!(weights(&kept), before, "what was finished is kept");
}

/// A process may be killed after it has written a checkpoint and before it has removed those that are superfluous then.
#[test]
fn what_a_killed_training_left_is_removed_even_if_no_step_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let undisturbed = job(directory.path(), None, &sums());
    let report = train(scratch(), &undisturbed).unwrap();
    let expected = remains(&undisturbed, &report);

    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    train_until(scratch(), &job, Some(report.steps)).unwrap_err();
    let left = job.out.join("checkpoints").join(format!("step-{:06}", report.steps));
    for name in ["step-000001", ".step-000002.part"] {
        let copy = left.with_file_name(name);
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&left).unwrap().flatten() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    let report = train(scratch(), &job).unwrap();
    assert!(remains(&job, &report) == expected);
    assert!(!report.checkpoint.join("optimizer.safetensors").exists());
}

#[test]
fn the_user_can_stop_it() {
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), None, &sums());
    let host = FakeHost::new();
    let mut trainer = CandleTrainer::open(serde_json::from_value(scratch()).unwrap(), host.host()).unwrap();
    let steps = AtomicU64::new(0);
    let sink = |event: TrainEvent| {
        steps.store(event.step, Ordering::SeqCst);
        if event.step == 2 {
            host.cancel();
        }
        Flow::Continue
    };
    let error = trainer.train(job.clone(), &sink).unwrap_err();
    assert_eq!((error.code, steps.load(Ordering::SeqCst)), (ErrorCode::Cancelled, 2));
    assert!(error.help.unwrap().contains("after step 2"));
    assert!(job.out.join("checkpoints/step-000002/optimizer.safetensors").is_file());
}

#[test]
fn the_best_checkpoint_is_the_result_and_patience_ends_a_training() {
    let directory = tempfile::tempdir().unwrap();
    // Answers that follow from nothing: what is learned of some rows does not help with others.
    let rows: Vec<Value> = (0..40)
        .map(|i| json!({ "prompt": format!("{i}:"), "completion": format!(" {}", (i * i * 7 + 13 * i) % 97) }))
        .collect();
    let job = job(directory.path(), None, &rows);
    let changes = json!({
        "validation_share": 0.3, "validate_every": 5, "patience": 3, "epochs": 500, "lr": 0.03, "schedule": "constant",
        "checkpoint_every": 7
    });
    let report = train(with(scratch(), changes), &job).unwrap();
    assert_eq!(report.details["stopped_early"], json!(true));
    let validations: Vec<(u64, f64)> =
        curve(&job).iter().filter_map(|event| Some((event.step, event.validation_loss?))).collect();
    assert_eq!((validations[0].0, validations[1].0), (0, 5));
    let best = validations.iter().copied().reduce(|best, next| if next.1 < best.1 { next } else { best }).unwrap();
    assert_eq!(report.steps, best.0 + 15);
    assert_eq!(report.details["best_step"], json!(best.0));
    assert!(report.checkpoint.ends_with(format!("checkpoints/step-{:06}", best.0)));
    let kept = std::fs::read_dir(job.out.join("checkpoints")).unwrap().count();
    assert_eq!(kept, 2, "the best and the last");
    open(&report.checkpoint, json!({})).unwrap();
}

#[test]
fn a_file_of_its_own_to_validate_with() {
    let start = TinyGpt2::new(json!({})).write();
    let directory = tempfile::tempdir().unwrap();
    let job = job(directory.path(), Some(start.path()), &sums());
    let validation = directory.path().join("validation.jsonl");
    std::fs::copy(&job.rows, &validation).unwrap();
    let options = json!({ "max_steps": 1, "lr": 0.0, "batch_rows": 49, "validation": validation });
    let report = train(options, &job).unwrap();
    assert_eq!((&report.details["rows"], &report.details["validation_rows"]), (&json!(49), &json!(49)));
    // The same rows, and weights that do not move: before the step, at it, and after it the loss is the same.
    let curve = curve(&job);
    assert_eq!(curve[0].validation_loss, curve[1].validation_loss);
    let (loss, validation) = (curve[1].loss.unwrap(), curve[1].validation_loss.unwrap());
    assert!((loss - validation).abs() < 1e-6 * loss, "{loss} {validation}");
}

#[test]
fn a_start_in_shards_is_the_same_start() {
    let start = TinyGpt2::new(json!({}));
    let (whole, shards) = (start.write(), start.write());
    let file = shards.path().join("model.safetensors");
    let tensors: BTreeMap<_, _> = candle_core::safetensors::load(&file, &Device::Cpu).unwrap().into_iter().collect();
    std::fs::remove_file(&file).unwrap();
    let mut map = BTreeMap::new();
    let mut parts = [HashMap::new(), HashMap::new()];
    for (index, (name, tensor)) in tensors.into_iter().enumerate() {
        map.insert(name.clone(), format!("model-{}.safetensors", index % 2));
        parts[index % 2].insert(name, tensor);
    }
    for (index, part) in parts.iter().enumerate() {
        candle_core::safetensors::save(part, shards.path().join(format!("model-{index}.safetensors"))).unwrap();
    }
    let index = json!({ "weight_map": map }).to_string();
    std::fs::write(shards.path().join("model.safetensors.index.json"), index).unwrap();

    let run = |from: &Path| {
        let directory = tempfile::tempdir().unwrap();
        let job = job(directory.path(), Some(from), &sums());
        let report = train(json!({ "max_steps": 3, "lr": 1e-3 }), &job).unwrap();
        let finished: Value = serde_json::from_slice(&std::fs::read(job.out.join("finished.json")).unwrap()).unwrap();
        (remains(&job, &report), finished["identity"].clone())
    };
    assert!(run(whole.path()) == run(shards.path()), "the same curve, weights and identity");
    std::fs::remove_file(shards.path().join("model-1.safetensors")).unwrap();
    let error = refusal(json!({}), Some(shards.path()), &sums());
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains("no `model-1.safetensors`"), "{error}");
}

fn refusal(options: Value, from: Option<&Path>, rows: &[Value]) -> PluginError {
    let directory = tempfile::tempdir().unwrap();
    train(options, &job(directory.path(), from, rows)).unwrap_err()
}

#[test]
fn what_is_wrong_is_said() {
    let start = TinyGpt2::new(json!({})).write();
    let check = |error: PluginError, code: ErrorCode, part: &str| {
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    };
    let from = Some(start.path());
    check(refusal(json!({}), None, &sums()), ErrorCode::BadOptions, "nothing to start from");
    check(refusal(scratch(), from, &sums()), ErrorCode::BadOptions, "exclude each other");
    check(refusal(json!({}), from, &[]), ErrorCode::BadInput, "no rows");
    check(refusal(json!({ "max_length": 97 }), from, &sums()), ErrorCode::BadOptions, "context of 96");
    check(refusal(json!({ "max_length": 4 }), from, &sums()), ErrorCode::BadInput, "all 49 rows are longer than 4");
    check(refusal(json!({ "max_length": 4, "too_long": "error" }), from, &sums()), ErrorCode::BadInput, "`0+0`");
    check(refusal(json!({ "dtype": "bf16", "device": "cpu" }), from, &sums()), ErrorCode::Unsupported, "`dtype: bf16`");
    check(refusal(json!({ "dtype": "int8", "device": "cpu" }), from, &sums()), ErrorCode::Unsupported, "`dtype: int8`");
    check(
        refusal(json!({}), from, &[json!({ "id": "e", "prompt": "a", "completion": "" })]),
        ErrorCode::BadInput,
        "`e`",
    );
    check(refusal(json!({}), from, &[json!(["no row"])]), ErrorCode::BadInput, "line 1");
    check(refusal(json!({}), Some("nowhere".as_ref()), &sums()), ErrorCode::NotFound, "`config.json`");

    let family = TinyGpt2 { config: json!({ "model_type": "llama" }), ..TinyGpt2::new(json!({})) }.write();
    check(refusal(json!({}), Some(family.path()), &sums()), ErrorCode::Unsupported, "`model_type: llama`");
    let small = TinyGpt2::new(json!({ "vocab_size": 200 })).write();
    check(refusal(json!({}), Some(small.path()), &sums()), ErrorCode::BadInput, "the tokenizer has 257 tokens");
    std::fs::remove_file(start.path().join("tokenizer.json")).unwrap();
    check(refusal(json!({}), from, &sums()), ErrorCode::BadInput, "no `tokenizer.json`");
    let tokens = json!({ "prompt_tokens": [1], "completion_tokens": [300] });
    check(refusal(json!({}), from, &[tokens]), ErrorCode::BadInput, "token 300");
}

#[test]
fn a_loss_that_is_no_number_ends_the_training() {
    let mut model = TinyGpt2::new(json!({}));
    let huge: Vec<f32> = model.values("ln_f.weight").iter().map(|value| value * 1e30 * 1e9).collect();
    model.tensors.insert("ln_f.weight".to_owned(), Tensor::new(Dtype::F32, &[huge.len()], &huge));
    let start = model.write();
    let error = refusal(json!({}), Some(start.path()), &sums());
    assert_eq!(error.code, ErrorCode::Numeric, "{error}");
    assert!(error.message.contains("at step 1") && error.help.unwrap().contains("`lr`"));
}

proptest! {
    #![proptest_config(examiner_test_support::cases(6))]

    #[test]
    fn passes_that_make_a_step_together_are_as_one(rows in 2usize..9, accumulation in 2usize..5, seed in 0u64..99) {
        let start = TinyGpt2::new(json!({})).write();
        let text = |i: usize| "abcdefgh ij".repeat(1 + (i + seed as usize) % 5);
        let rows: Vec<Value> = (0..rows * accumulation)
            .map(|i| json!({ "prompt": text(i), "completion": format!(" {}", text(i * 3 + 1)) }))
            .collect();
        let run = |batch_rows: usize, accumulation: usize| {
            let directory = tempfile::tempdir().unwrap();
            let job = job(directory.path(), Some(start.path()), &rows);
            let options = json!({
                "max_steps": 2, "lr": 1e-3, "order": "given", "batch_rows": batch_rows, "accumulation": accumulation
            });
            train(options, &job).unwrap();
            let values = |event: &TrainEvent| (event.loss.unwrap(), event.gradient_norm.unwrap());
            curve(&job).iter().map(values).collect::<Vec<_>>()
        };
        let (together, apart) = (run(rows.len(), 1), run(rows.len() / accumulation, accumulation));
        prop_assert_eq!((together.len(), apart.len()), (2, 2));
        for ((loss, norm), (other_loss, other_norm)) in together.into_iter().zip(apart) {
            prop_assert!((loss - other_loss).abs() < 1e-5 * loss, "{} {}", loss, other_loss);
            prop_assert!((norm - other_norm).abs() < 1e-4 * norm, "{} {}", norm, other_norm);
        }
    }
}

/// What a row is taught with is what a text is examined with.
#[test]
fn a_row_begins_with_the_token_that_is_asked_for() {
    let loss = |add_bos: Value| {
        let checkpoint = TinyGpt2::new(json!({})).write();
        let directory = tempfile::tempdir().unwrap();
        let job =
            job(directory.path(), Some(checkpoint.path()), &[json!({ "id": "a", "prompt": "ab", "completion": "cd" })]);
        train(json!({ "max_steps": 1, "lr": 0.0, "loss_on": "all", "add_bos": add_bos }), &job).unwrap();
        events(&recorded(&job))[0].loss.unwrap()
    };
    assert_eq!(loss(json!("auto")), loss(json!(false)), "the tokenizer puts nothing before a text");
    assert_ne!(loss(json!(true)), loss(json!(false)));
}
