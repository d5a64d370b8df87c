//! Clauses of trainers, recipes and exporters: each is followed once undisturbed; trainers and recipes once more, interrupted
//! halfway.

use super::bench::Subject;
use super::clause::{EXPORTER_PRODUCT, RECIPE_ASKS_ONCE, TRAINER_EVENTS, TRAINER_RESUME};
use super::control::{Control, TEACHER};
use super::report::{Findings, Held, is_breach, is_of_the_world};
use crate::stages::start;
use examiner_api::{
    ErrorCode, ExportJob, Flow, PluginError, RecipeEvent, RecipeJob, RecipeReport, Result, TrainEvent, TrainJob,
    TrainReport, TrainingRow,
};
use examiner_suite::{ExportSpec, StageKind, TrainSpec, references};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows to learn from, and questions of each task of a recipe.
const ROWS: usize = 24;
const QUESTIONS: u64 = 8;
/// Files that may say when or how long, beside weights.
const TEXTS: [&str; 6] = ["json", "jsonl", "txt", "log", "csv", "md"];

fn scratch() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| PluginError::io("make a directory in", &std::env::temp_dir(), &error))
}

/// Holds a trainer against its clauses, with the options and the checkpoint of a training of a suite.
pub(super) fn trainer(subject: &Subject<'_>, name: &str, spec: &TrainSpec, findings: &mut Findings<'_>) -> Result<()> {
    let shared = subject.bench.shared;
    let from = spec.from.as_ref().map(|from| start(shared, &["train", name, "from"], from)).transpose()?;
    let folder = scratch()?;
    let rows = folder.path().join("rows.jsonl");
    write_rows(&rows)?;
    let job = |out: &str, recorded: u64| -> Result<TrainJob> {
        let out = folder.path().join(out);
        fs::create_dir_all(&out).map_err(|error| PluginError::io("make the directory", &out, &error))?;
        Ok(TrainJob { from: from.clone(), rows: rows.clone(), out, recorded: Some(recorded), seed: 7 })
    };
    let (events, report) = train(subject, job("undisturbed", 0)?, None);
    let report = report?;
    findings.add(&TRAINER_EVENTS, steps(&events));
    let middle = events.iter().map(|event| event.steps).max().unwrap_or_default() / 2;
    findings.add_result(&TRAINER_RESUME, resumed(subject, &job, middle, &report));
    Ok(())
}

fn write_rows(path: &Path) -> Result<()> {
    let mut text = String::new();
    for index in 0..ROWS {
        let row = TrainingRow {
            id: format!("row-{index}"),
            prompt: format!("Question: What is {index} + 1?\nAnswer:"),
            completion: format!(" {}", index + 1),
            ..TrainingRow::default()
        };
        text.push_str(&format!("{}\n", json!(row)));
    }
    fs::write(path, text).map_err(|error| PluginError::io("write", path, &error))
}

/// Trains, in a new process; the user wants to stop at the step `until`.
fn train(subject: &Subject<'_>, job: TrainJob, until: Option<u64>) -> (Vec<TrainEvent>, Result<TrainReport>) {
    let control = Control::new();
    let events: Mutex<Vec<TrainEvent>> = Mutex::default();
    let report = subject.open_anew(control.host(subject.bench.host())).and_then(|opened| {
        opened.trainer()?.train(job, &|event: TrainEvent| {
            let step = event.step;
            events.lock().push(event);
            if until.is_some_and(|until| step >= until) {
                control.cancel();
                return Flow::Stop;
            }
            Flow::Continue
        })
    });
    (events.into_inner(), report)
}

fn steps(events: &[TrainEvent]) -> Held {
    if events.is_empty() {
        return Held::No("expected an event for each step, found none".to_owned());
    }
    if let Some(pair) = events.windows(2).find(|pair| pair[1].step < pair[0].step) {
        return Held::No(format!("expected steps that do not fall, found {} after {}", pair[1].step, pair[0].step));
    }
    if let Some(event) = events.iter().find(|event| event.step > event.steps) {
        return Held::No(format!("expected a step of at most {}, found {}", event.steps, event.step));
    }
    Held::Yes(format!("{} events lead to step {}", events.len(), events.last().map_or(0, |event| event.step)))
}

fn resumed(
    subject: &Subject<'_>,
    job: &dyn Fn(&str, u64) -> Result<TrainJob>,
    middle: u64,
    undisturbed: &TrainReport,
) -> Result<Held> {
    if middle == 0 {
        return Ok(Held::Skipped("the training has fewer than two steps".to_owned()));
    }
    let (events, report) = train(subject, job("interrupted", 0)?, Some(middle));
    match report {
        Ok(_) => {
            return Ok(Held::Skipped(format!("the training ended before it could be interrupted at step {middle}")));
        }
        Err(error) if error.code != ErrorCode::Cancelled => {
            return Ok(Held::No(format!("expected an interrupted training to end as `cancelled`, found: {error}")));
        }
        Err(_) => {}
    }
    let recorded = events.last().map_or(0, |event| event.step);
    let report = train(subject, job("interrupted", recorded)?, None).1?;
    let (one, other) = (weights(&undisturbed.checkpoint)?, weights(&report.checkpoint)?);
    let differs = one.keys().chain(other.keys()).find(|name| one.get(*name) != other.get(*name));
    Ok(match differs {
        _ if one.is_empty() => Held::Skipped(format!("`{}` has no files", undisturbed.checkpoint.display())),
        Some(name) => Held::No(format!(
            "expected the same weights after a training that was interrupted at step {recorded} and went on, found another `{name}`"
        )),
        None => Held::Yes(format!(
            "interrupted at step {recorded} of {}, it leaves the same {} files",
            report.steps,
            one.len()
        )),
    })
}

/// A hash of each file of weights of a checkpoint; of each file, where all are texts.
fn weights(checkpoint: &Path) -> Result<BTreeMap<String, blake3::Hash>> {
    let failed = |error: std::io::Error| PluginError::io("read", checkpoint, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(checkpoint).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        files.extend(path.is_file().then_some(path));
    }
    let is_weights = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        !TEXTS.contains(&extension.as_str())
    };
    if files.iter().any(is_weights) {
        files.retain(is_weights);
    }
    let mut found = BTreeMap::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(&path).map_err(failed)?).map_err(failed)?;
        found.insert(name, hasher.finalize());
    }
    Ok(found)
}

/// Holds a recipe against its clauses, with a teacher that counts.
pub(super) fn recipe(subject: &Subject<'_>, findings: &mut Findings<'_>) -> Result<()> {
    findings.add_result(&RECIPE_ASKS_ONCE, asks_once(subject));
    Ok(())
}

fn asks_once(subject: &Subject<'_>) -> Result<Held> {
    let folder = scratch()?;
    let place = |name: &str| -> Result<PathBuf> {
        let out = folder.path().join(name);
        fs::create_dir_all(&out).map_err(|error| PluginError::io("make the directory", &out, &error))?;
        Ok(out)
    };
    let undisturbed = Control::new();
    let whole = match make(subject, &undisturbed, place("undisturbed")?) {
        Ok(whole) => whole,
        Err(error) if is_breach(&error) => return Err(error),
        // The teacher of the check is hardly ever right, which a recipe may refuse to make rows of.
        Err(error) => return Ok(Held::Skipped(format!("it makes no rows of what the check's teacher says: {error}"))),
    };
    let (asked, twice) = undisturbed.asked();
    if twice > 0 {
        return Ok(Held::No(format!(
            "expected each question to be asked once, found {twice} of {asked} asked more often"
        )));
    }
    if asked < 2 {
        return Ok(Held::Skipped(format!("it asked {asked} questions, too few to be interrupted")));
    }
    let control = Control::new();
    control.stop_after(asked / 2);
    if make(subject, &control, place("interrupted")?).is_ok() {
        return Ok(Held::No("expected an interrupted recipe to end with the error, found a report".to_owned()));
    }
    control.resume();
    let resumed = make(subject, &control, place("interrupted")?)?;
    let (in_all, twice) = control.asked();
    if twice > 0 {
        return Ok(Held::No(format!(
            "expected nothing to be asked twice after an interruption, found {twice} of {in_all} questions"
        )));
    }
    let read = |report: &RecipeReport| {
        fs::read(&report.rows).map_err(|error| PluginError::io("read the rows", &report.rows, &error))
    };
    Ok(match read(&whole)? == read(&resumed)? {
        true => Held::Yes(format!(
            "interrupted after {} of {asked} questions, it asks the others, and writes the same rows",
            asked / 2
        )),
        false => Held::No("expected the rows of an undisturbed recipe after an interruption, found others".to_owned()),
    })
}

fn make(subject: &Subject<'_>, control: &Arc<Control>, out: PathBuf) -> Result<RecipeReport> {
    let mut recipe = subject.open_anew(control.host(subject.bench.host()))?.recipe()?;
    let job = RecipeJob { teacher: TEACHER.to_owned(), out, limit: Some(QUESTIONS), seed: 7 };
    recipe.make(job, &|_: RecipeEvent| if control.is_cancelled() { Flow::Stop } else { Flow::Continue })
}

/// Holds an exporter against its clauses, with the checkpoint of an export of a suite.
pub(super) fn exporter(
    subject: &Subject<'_>,
    name: &str,
    spec: &ExportSpec,
    findings: &mut Findings<'_>,
) -> Result<()> {
    findings.add_result(&EXPORTER_PRODUCT, product(subject, name, spec));
    Ok(())
}

fn product(subject: &Subject<'_>, name: &str, spec: &ExportSpec) -> Result<Held> {
    let shared = subject.bench.shared;
    let from = start(shared, &["export", name, "from"], &spec.from)?;
    let folder = scratch()?;
    let out = folder.path().join("export");
    fs::create_dir_all(&out).map_err(|error| PluginError::io("make the directory", &out, &error))?;
    let exported = subject.open_anew(subject.bench.host())?.exporter()?.export(ExportJob { from, out })?;
    let product = exported.checkpoint;
    if !product.exists() {
        return Ok(Held::No(format!("expected the product at `{}`, found nothing there", product.display())));
    }
    let models = shared.roles.suite.models.iter().filter(|(_, model)| {
        let refers = references(&Value::Object(model.options.clone()));
        refers.iter().any(|reference| reference.stage == StageKind::Export && reference.name == name)
    });
    shared.roles.offer(StageKind::Export, name, product.display().to_string());
    let mut opened = Vec::new();
    for (model, _) in models {
        if let Err(error) = shared.roles.model_with_info(model, subject.bench.host()) {
            if is_of_the_world(&error) {
                return Ok(Held::Skipped(format!(
                    "the product is there, and `{model}` cannot be opened here: {error}"
                )));
            }
            return Ok(Held::No(format!("expected the model `{model}` to open with the product, found: {error}")));
        }
        opened.push(model.as_str());
    }
    Ok(Held::Yes(match opened.is_empty() {
        true => "the product is there; no model of the suite is made of it".to_owned(),
        false => format!("the product is there, and opens as `{}`", opened.join("`, `")),
    }))
}
