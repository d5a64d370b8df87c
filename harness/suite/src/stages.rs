//! Reads the stages that make data and checkpoints.

use super::fields::{Field, Section};
use super::links::EntryName;
use super::reading::{Reading, options};
use super::tree::Kind;
use super::types::{ExportSpec, Start, TeachSpec, TrainData, TrainSpec};

pub(super) fn teach(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<TeachSpec> {
    let recipe = entry.require("recipe", "the name of a plugin with a recipe", &mut reading.problems);
    let recipe = recipe.and_then(|recipe| recipe.role(&mut reading.problems));
    let teacher = entry.require("teacher", "the name of a model of this suite", &mut reading.problems);
    let teacher = teacher.and_then(|field| {
        let teacher = field.text(&mut reading.problems)?;
        let model = EntryName::model(&teacher);
        reading.depend(&field, EntryName::new("teach", name), model, true).then_some(teacher)
    });
    let options = options(entry, EntryName::new("teach", name), reading);
    Some(TeachSpec { recipe: recipe?, teacher: teacher?, options })
}

pub(super) fn train(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<TrainSpec> {
    let this = EntryName::new("train", name);
    let trainer = entry.require("trainer", "the name of a plugin that trains", &mut reading.problems);
    let trainer = trainer.and_then(|trainer| trainer.role(&mut reading.problems));
    let from = entry.take("from").and_then(|field| start(&field, &this, reading));
    let data =
        entry.require("data", "a file, `${teach.NAME}`, or `{ dataset: NAME, as: FORM }`", &mut reading.problems);
    let data = data.and_then(|field| train_data(&field, &this, reading));
    let options = options(entry, this, reading);
    Some(TrainSpec { trainer: trainer?, from, data: data?, options })
}

fn train_data(field: &Field<'_>, this: &EntryName, reading: &mut Reading) -> Option<TrainData> {
    if !matches!(field.node.kind, Kind::Map(_)) {
        let file = field.template(&mut reading.problems)?;
        reading.refer(field, this);
        return Some(TrainData::File(file));
    }
    let mut section = field.section(&mut reading.problems)?;
    let dataset = section.require("dataset", "the name of a dataset of this suite", &mut reading.problems);
    let dataset = dataset.and_then(|field| {
        let dataset = field.text(&mut reading.problems)?;
        let thing = EntryName::dataset(&dataset);
        reading.depend(&field, this.clone(), thing, true).then_some(dataset)
    });
    let form = section.require("as", "the form of the rows, for example `answers`", &mut reading.problems);
    let form = form.and_then(|form| form.name(&mut reading.problems));
    let match_rows = section.take("match_rows").and_then(|field| matched(&field, this, reading));
    section.finish(&mut reading.problems);
    Some(TrainData::Dataset { dataset: dataset?, form: form?, match_rows })
}

/// The stage of `teach` that `match_rows` refers to: by its name, or by `true` if there is only one.
fn matched(field: &Field<'_>, this: &EntryName, reading: &mut Reading) -> Option<String> {
    let names = reading.names.of("teach");
    let name = match (&field.node.kind, names.as_slice()) {
        (Kind::Bool(false), _) => return None,
        (Kind::Bool(true), [only]) => only.clone(),
        (Kind::Bool(true), _) => {
            let message = format!("`true` means the one stage of `teach`, of which the suite has {}", names.len());
            reading.problems.push(field.problem(message).with_help("write the stage's name"));
            return None;
        }
        _ => field.text(&mut reading.problems)?,
    };
    reading.depend(field, this.clone(), EntryName::new("teach", &name), true).then_some(name)
}

pub(super) fn export(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<ExportSpec> {
    let this = EntryName::new("export", name);
    let exporter = entry.require("exporter", "the name of a plugin that exports", &mut reading.problems);
    let exporter = exporter.and_then(|exporter| exporter.role(&mut reading.problems));
    let from = entry.require("from", "a model of this suite, `${train.NAME}` or a checkpoint", &mut reading.problems);
    let from = from.and_then(|field| start(&field, &this, reading));
    let options = options(entry, this, reading);
    Some(ExportSpec { exporter: exporter?, from: from?, options })
}

/// A model of the suite by its name, or a checkpoint, which contains a `/`, a `:`, a leading `.` or a reference.
fn start(field: &Field<'_>, this: &EntryName, reading: &mut Reading) -> Option<Start> {
    let text = field.template(&mut reading.problems)?;
    if reading.names.has("models", &text) {
        reading.depend(field, this.clone(), EntryName::model(&text), true);
        return Some(Start::Model(text));
    }
    if text.contains("${") || text.contains(['/', '\\', ':']) || text.starts_with('.') {
        reading.refer(field, this);
        return Some(Start::Checkpoint(text));
    }
    let known = reading.names.of("models");
    let message = format!("no model `{text}`, expected {}", reading.names.expected("models"));
    let problem =
        field.problem(message).with_help("write a checkpoint as a path (`./NAME`) or an address (`hf://...`)");
    reading.problems.push(problem.with_nearest(&text, known.iter().map(String::as_str)));
    None
}
