//! Trains; the product is a checkpoint directory.

use super::option_files;
use super::rows::{self, training_rows};
use super::{StageProduct, absolute, checkpoint_identity, content, go_on, make_directory, start};
use crate::declared;
use crate::host::Shared;
use crate::training_log::TrainingLog;
use examiner_api::{ErrorCode, Flow, PluginError, Result, RoleKind, TrainEvent, TrainJob};
use examiner_store::provenance::Inputs;
use examiner_suite::{TrainData, TrainSpec};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a training leaves what.
pub(crate) struct Place {
    /// Checkpoints and `train.csv`.
    pub(crate) out: PathBuf,
    /// TensorBoard's event files.
    pub(crate) events: PathBuf,
}

/// What a checkpoint depends on.
pub(crate) fn train_inputs(shared: &Arc<Shared>, name: &str, spec: &TrainSpec, limit: Option<u64>) -> Result<Inputs> {
    let data = match &spec.data {
        TrainData::File(text) => {
            let path = shared.roles.path(&["train", name, "data"], text)?;
            if PathBuf::from(&path).exists() { content(path.as_ref())? } else { path }
        }
        TrainData::Dataset { dataset, form, match_rows } => {
            let matched = match_rows.as_ref().map(|teach| content(&rows::taught(shared, teach)?)).transpose()?;
            let known = rows::open(shared, "plan", dataset, form)?.info()?.fingerprint;
            declared::fingerprint(RoleKind::Dataset, dataset, &known)?;
            serde_json::json!({ "dataset": known, "as": form, "limit": limit, "rows": matched }).to_string()
        }
    };
    let from =
        spec.from.as_ref().map(|from| checkpoint_identity(shared, &["train", name, "from"], from)).transpose()?;
    let options = shared.roles.located(&["train", name], &spec.options);
    let files = option_files::input(shared, RoleKind::Trainer, &spec.trainer, &options)?;
    let mut inputs = Inputs::from([
        ("trainer".to_owned(), spec.trainer.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Trainer, &spec.trainer)?),
        ("options".to_owned(), super::described(shared, &spec.options)?),
        ("from".to_owned(), from.unwrap_or_default()),
        ("data".to_owned(), data),
        ("seed".to_owned(), shared.roles.suite.seed.to_string()),
    ]);
    inputs.extend(files);
    Ok(inputs)
}

/// Whether the trainer can start, and the dataset has the form that is to be learned. A device that is not there is none of its business:
/// a suite may be checked on another machine than the one that trains.
pub(crate) fn check(shared: &Arc<Shared>, name: &str, spec: &TrainSpec) -> Result<()> {
    if let TrainData::Dataset { dataset, form, .. } = &spec.data {
        rows::open(shared, "check", dataset, form)?;
    }
    let from = spec.from.as_ref().map(|from| start(shared, &["train", name, "from"], from)).transpose()?;
    let options = shared.roles.located(&["train", name], &spec.options);
    match shared.roles.open_trainer(&spec.trainer, &options, shared.host("check")) {
        Ok(mut trainer) => trainer.check(from.as_deref()),
        Err(error) if error.code == ErrorCode::BadOptions => Err(error),
        Err(_) => Ok(()),
    }
}

/// Trains.
pub(crate) fn train(
    shared: &Arc<Shared>,
    name: &str,
    spec: &TrainSpec,
    place: Place,
    limit: Option<u64>,
) -> Result<StageProduct> {
    let stage = &*format!("train/{name}");
    make_directory(&place.out)?;
    let log = Arc::new(TrainingLog::open(&place.out, &place.events));
    let host = shared.training_host(stage, log.clone());
    let from = spec.from.as_ref().map(|from| start(shared, &["train", name, "from"], from)).transpose()?;
    let rows = match &spec.data {
        TrainData::File(text) => host.fetch(&shared.roles.path(&["train", name, "data"], text)?)?,
        TrainData::Dataset { dataset, form, match_rows } => {
            let matched = match_rows.as_ref().map(|teach| rows::taught(shared, teach)).transpose()?;
            let dataset = rows::open(shared, stage, dataset, form)?;
            training_rows(dataset, form, &place.out, matched.as_deref(), limit)?
        }
    };
    let options = shared.roles.located(&["train", name], &spec.options);
    let mut trainer = shared.roles.open_trainer(&spec.trainer, &options, host)?;
    let seed = shared.roles.suite.seed;
    let job = TrainJob { from, rows, out: place.out, recorded: Some(log.last_step()), seed };
    let task = shared.progress.task(stage, None, "steps");
    let trained = trainer.train(job, &|event: TrainEvent| {
        task.set_total(event.steps);
        task.note(&step_message(&event));
        task.set(event.step);
        match log.record(&event) {
            Flow::Continue => go_on(shared),
            stop => stop,
        }
    });
    task.finish();
    // A trainer that was stopped because nothing could be recorded only says that it was interrupted.
    log.flush()?;
    let trained = trained?;
    if !trained.checkpoint.exists() {
        return Err(PluginError::not_found(format!(
            "the trainer `{}` says that it left a checkpoint in `{}`, where there is nothing",
            spec.trainer,
            trained.checkpoint.display()
        )));
    }
    let mut details = trained.details;
    details.entry("steps").or_insert_with(|| trained.steps.into());
    Ok(StageProduct { product: absolute(&trained.checkpoint), details })
}

/// A step, for the progress bar.
fn step_message(event: &TrainEvent) -> String {
    let number = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value:.3}"));
    let speed = event.tokens_per_s.map(|speed| format!("{speed:.0} tokens/s"));
    let parts = [number("loss", event.loss), number("validation loss", event.validation_loss), speed];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
