//! The stages before the examination: teach, train, export. Each leaves a product that later stages refer to.

use super::evaluate::Inputs;
use crate::host::Shared;
use crate::suite::{ExportSpec, Options, Start, TeachSpec, TrainData, TrainSpec};
use examiner_api::{
    Dataset, ExportJob, Flow, Gold, Metadata, PluginError, RecipeEvent, RecipeJob, Result, RoleKind, Sample,
    TrainEvent, TrainJob, TrainingRow,
};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where recipes publish data files.
const DATA: &str = "data";

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn described(shared: &Shared, options: &Options) -> Result<String> {
    Ok(serde_json::Value::Object(shared.roles.filled(options)?).to_string())
}

/// What a recipe's product depends on.
pub(super) fn teach_inputs(shared: &Shared, spec: &TeachSpec) -> Result<Inputs> {
    let teacher = shared.roles.suite.models.get(&spec.teacher);
    let teacher = teacher
        .map(|teacher| Ok::<_, PluginError>(format!("{} {}", teacher.plugin, described(shared, &teacher.options)?)));
    Ok(Inputs::from([
        ("recipe".to_owned(), spec.recipe.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Recipe, &spec.recipe)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("teacher".to_owned(), teacher.transpose()?.unwrap_or_default()),
        ("seed".to_owned(), shared.roles.suite.seed.to_string()),
    ]))
}

/// Follows a recipe; the product is the file of training rows.
pub(super) fn teach(shared: &Arc<Shared>, stage: &str, spec: &TeachSpec) -> Result<String> {
    let mut recipe = shared.roles.open_recipe(&spec.recipe, &spec.options, shared.host(stage))?;
    let out = PathBuf::from(DATA);
    std::fs::create_dir_all(&out).map_err(|error| PluginError::io("make the directory", &out, &error))?;
    let task = shared.progress.task(stage, None, "questions");
    let job = RecipeJob { teacher: spec.teacher.clone(), out, limit: None, seed: shared.roles.suite.seed };
    let made = recipe.make(job, &|event: RecipeEvent| {
        task.set_total(event.total);
        task.set(event.done);
        go_on(shared)
    });
    task.finish();
    shared.take_back();
    Ok(absolute(&made?.rows))
}

/// What a checkpoint depends on.
pub(super) fn train_inputs(shared: &Shared, spec: &TrainSpec) -> Result<Inputs> {
    let data = match &spec.data {
        TrainData::File(text) => {
            let path = shared.roles.fill(text)?;
            let content = std::fs::read(&path).map_err(|error| PluginError::io("read", path.as_ref(), &error))?;
            blake3::hash(&content).to_hex().to_string()
        }
        TrainData::Dataset { dataset, form } => {
            let spec = shared.roles.suite.datasets.get(dataset);
            let options = spec.map(|spec| described(shared, &spec.options)).transpose()?.unwrap_or_default();
            format!("{dataset} as {form} {options}")
        }
    };
    Ok(Inputs::from([
        ("trainer".to_owned(), spec.trainer.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Trainer, &spec.trainer)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("from".to_owned(), spec.from.as_ref().map(|from| start(shared, from)).transpose()?.unwrap_or_default()),
        ("data".to_owned(), data),
        ("seed".to_owned(), shared.roles.suite.seed.to_string()),
    ]))
}

/// Trains; the product is the checkpoint directory.
pub(super) fn train(shared: &Arc<Shared>, stage: &str, spec: &TrainSpec, out: &Path) -> Result<String> {
    std::fs::create_dir_all(out).map_err(|error| PluginError::io("make the directory", out, &error))?;
    let host = shared.host(stage);
    let from = match &spec.from {
        Some(from) => Some(host.fetch(&start(shared, from)?)?),
        None => None,
    };
    let rows = match &spec.data {
        TrainData::File(text) => host.fetch(&shared.roles.fill(text)?)?,
        TrainData::Dataset { dataset, form } => training_rows(shared, stage, dataset, form, out)?,
    };
    let mut trainer = shared.roles.open_trainer(&spec.trainer, &spec.options, host)?;
    let job = TrainJob { from, rows, out: out.to_owned(), events: None, seed: shared.roles.suite.seed };
    let task = shared.progress.task(stage, None, "steps");
    let trained = trainer.train(job, &|event: TrainEvent| {
        task.set_total(event.steps);
        task.set(event.step);
        go_on(shared)
    });
    task.finish();
    Ok(absolute(&trained?.checkpoint))
}

/// What an export depends on.
pub(super) fn export_inputs(shared: &Shared, spec: &ExportSpec) -> Result<Inputs> {
    Ok(Inputs::from([
        ("exporter".to_owned(), spec.exporter.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Exporter, &spec.exporter)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("from".to_owned(), start(shared, &spec.from)?),
    ]))
}

/// Exports; the product is the exported checkpoint.
pub(super) fn export(shared: &Arc<Shared>, stage: &str, spec: &ExportSpec, out: &Path) -> Result<String> {
    std::fs::create_dir_all(out).map_err(|error| PluginError::io("make the directory", out, &error))?;
    let host = shared.host(stage);
    let from = host.fetch(&start(shared, &spec.from)?)?;
    let mut exporter = shared.roles.open_exporter(&spec.exporter, &spec.options, host)?;
    Ok(absolute(&exporter.export(ExportJob { from, out: out.to_owned() })?.checkpoint))
}

fn go_on(shared: &Shared) -> Flow {
    if shared.is_cancelled() { Flow::Stop } else { Flow::Continue }
}

/// The checkpoint that `from` means. A model's is what its `checkpoint` option says.
fn start(shared: &Shared, from: &Start) -> Result<String> {
    let name = match from {
        Start::Checkpoint(text) => return shared.roles.fill(text),
        Start::Model(name) => name,
    };
    let options = shared.roles.suite.models.get(name).map(|model| shared.roles.filled(&model.options)).transpose()?;
    let checkpoint = options.as_ref().and_then(|options| options.get("checkpoint")).and_then(|value| value.as_str());
    checkpoint.map(ToOwned::to_owned).ok_or_else(|| {
        PluginError::bad_options(format!("model `{name}` has no `checkpoint` to start from"))
            .with_help("name a model with one, a directory, `hf://org/name` or `${train.NAME}`")
    })
}

/// Makes training rows of a dataset's samples, and says where they are. `answers` are bare questions and answers; any other form is asked of the
/// dataset, whose option `as` it becomes.
fn training_rows(shared: &Arc<Shared>, stage: &str, name: &str, form: &str, out: &Path) -> Result<PathBuf> {
    let spec = shared
        .roles
        .suite
        .datasets
        .get(name)
        .ok_or_else(|| PluginError::not_found(format!("the suite has no dataset named `{name}`")))?;
    let mut options = spec.options.clone();
    if form != "answers" {
        options.insert("as".to_owned(), form.into());
    }
    let mut dataset = shared.roles.open_dataset(&spec.plugin, &options, shared.host(stage))?;
    let path = out.join("rows.jsonl");
    let failed = |error: &std::io::Error| PluginError::io("write", &path, error);
    crate::report::atomic::write(&path, |file| write_rows(&mut *dataset, file)).map_err(|error| failed(&error))?;
    Ok(path)
}

fn write_rows(dataset: &mut dyn Dataset, file: &mut std::fs::File) -> std::io::Result<()> {
    let state = Mutex::new((BufWriter::new(file), Ok(())));
    let read = dataset.samples(&|sample: Sample| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = training_row(sample)
            .map_err(std::io::Error::other)
            .and_then(|row| Ok(writeln!(state.0, "{}", serde_json::to_string(&row)?)?));
        let flow = if written.is_ok() { Flow::Continue } else { Flow::Stop };
        state.1 = written;
        flow
    });
    let (mut file, written) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    read.map_err(std::io::Error::other)?;
    written?;
    file.flush()
}

fn training_row(sample: Sample) -> Result<TrainingRow> {
    let answer = match &sample.gold {
        Gold::Text(texts) => texts.first().cloned(),
        Gold::Choice(place) => sample.choices.get(*place).cloned(),
        Gold::None => None,
    };
    let answer =
        answer.ok_or_else(|| PluginError::bad_input(format!("sample `{}` has no right answer to learn", sample.id)))?;
    let completion = format!("{}{answer}", sample.delimiter);
    Ok(TrainingRow { id: sample.id, prompt: sample.prompt, completion, metadata: Metadata::new() })
}
