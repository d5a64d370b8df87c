//! The stages before the examination: teach, train, export. Each leaves a product that later stages refer to.

mod export;
mod option_files;
mod rows;
mod teach;
mod train;

pub(crate) use teach::RECIPE_FINGERPRINT;

use train::Place;

use crate::graph::Producer;
use crate::host::Shared;
use examiner_api::{Flow, Metadata, PluginError, Result};
use examiner_store::provenance::Inputs;
use examiner_suite::{Options, StageKind, Start};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The product of a stage.
pub(crate) struct StageProduct {
    /// What later stages refer to.
    pub(crate) product: String,
    /// What is worth knowing of it: how many rows, how many steps.
    pub(crate) details: Metadata,
}

/// What a stage depends on.
///
/// # Errors
/// Something that it refers to has no product, or cannot be read.
pub(crate) fn inputs(shared: &Arc<Shared>, producer: &Producer, limit: Option<u64>) -> Result<Inputs> {
    let suite = &shared.roles.suite;
    let name = &producer.name;
    let inputs = match producer.kind {
        StageKind::Teach => suite.teach.get(name).map(|spec| teach::teach_inputs(shared, name, spec, limit)),
        StageKind::Train => suite.train.get(name).map(|spec| train::train_inputs(shared, name, spec, limit)),
        StageKind::Export => suite.export.get(name).map(|spec| export::export_inputs(shared, name, spec)),
    };
    inputs.unwrap_or_else(|| Err(undefined(producer)))
}

/// Whether a training can start, and learn from its dataset, as far as its trainer can tell without weights.
pub(crate) fn check_training(shared: &Arc<Shared>, name: &str) -> Result<()> {
    let Some(spec) = shared.roles.suite.train.get(name) else { return Ok(()) };
    train::check(shared, name, spec)
}

/// Whether what an export starts from can be exported, as far as its exporter can tell without weights.
pub(crate) fn check_export(shared: &Arc<Shared>, name: &str) -> Result<()> {
    let Some(spec) = shared.roles.suite.export.get(name) else { return Ok(()) };
    let from = start(shared, &["export", name, "from"], &spec.from)?;
    let options = shared.roles.located(&["export", name], &spec.options);
    shared.roles.open_exporter(&spec.exporter, &options, shared.host("check"))?.check(&from)
}

/// Where a run puts what its stages make.
pub(crate) struct Outputs<'a> {
    /// The run's directory.
    pub(crate) run: &'a Path,
    /// The directory of TensorBoard's event files.
    pub(crate) events: &'a Path,
}

/// Runs a stage.
pub(crate) fn produce(
    shared: &Arc<Shared>,
    producer: &Producer,
    outputs: &Outputs<'_>,
    limit: Option<u64>,
) -> Result<StageProduct> {
    let suite = &shared.roles.suite;
    let name = &producer.name;
    let out = outputs.run.join(producer.kind.to_string()).join(name);
    let made = match producer.kind {
        StageKind::Teach => suite.teach.get(name).map(|spec| teach::teach(shared, name, spec, limit)),
        StageKind::Train => suite.train.get(name).map(|spec| {
            let place = Place { out, events: outputs.events.join(name) };
            train::train(shared, name, spec, place, limit)
        }),
        StageKind::Export => suite.export.get(name).map(|spec| export::export(shared, name, spec, &out)),
    };
    made.unwrap_or_else(|| Err(undefined(producer)))
}

fn undefined(producer: &Producer) -> PluginError {
    PluginError::not_found(format!("the suite has no stage `{producer}`"))
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn described(shared: &Shared, options: &Options) -> Result<String> {
    Ok(serde_json::Value::Object(shared.roles.filled(options)?).to_string())
}

fn make_directory(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| PluginError::io("make the directory", path, &error))
}

fn go_on(shared: &Shared) -> Flow {
    if shared.is_cancelled() { Flow::Stop } else { Flow::Continue }
}

/// The checkpoint that `from`, which stands in `field`, means. A model's is that of the option which its plugin declares to name it. A local one must
/// be there.
pub(crate) fn start(shared: &Shared, field: &[&str], from: &Start) -> Result<String> {
    let checkpoint = match from {
        Start::Checkpoint(text) => shared.roles.path(field, text)?,
        Start::Model(name) => shared.roles.checkpoint(name)?.ok_or_else(|| {
            PluginError::bad_options(format!("model `{name}` has no checkpoint to start from"))
                .with_help("name a model with one, a directory, `hf://org/name` or `${train.NAME}`")
        })?,
    };
    Ok(checkpoint)
}

/// The identity of a checkpoint: of a local one its content, so that other weights in the same place are noticed; of
/// any other its address.
fn checkpoint_identity(shared: &Shared, field: &[&str], from: &Start) -> Result<String> {
    let from = start(shared, field, from)?;
    let path = Path::new(&from);
    match path.exists() {
        true => content_of_parts(path),
        false => Ok(from),
    }
}

/// The hash of a file or a directory, and of the other parts of a file that was split.
fn content_of_parts(path: &Path) -> Result<String> {
    let first = content(path)?;
    let further = further_parts(path).iter().map(|part| content(part)).collect::<Result<Vec<_>>>()?;
    Ok(match further.is_empty() {
        true => first,
        false => blake3::hash([vec![first], further].concat().concat().as_bytes()).to_hex().to_string(),
    })
}

/// The files that belong to the first part of one that was split, `NAME-00001-of-00003.EXTENSION`, as far as they are there.
fn further_parts(first: &Path) -> Vec<PathBuf> {
    let (Some(name), Some(directory)) = (first.file_name().and_then(OsStr::to_str), first.parent()) else {
        return Vec::new();
    };
    let Some((stem, rest)) = name.split_once("-00001-of-") else { return Vec::new() };
    let of = |part: u32| directory.join(format!("{stem}-{part:05}-of-{rest}"));
    let digits = rest.split_once('.').map_or("", |(digits, _)| digits);
    let count: u32 = digits.parse().ok().filter(|_| digits.len() == 5).unwrap_or(1);
    (2..=count).map(of).filter(|path| path.is_file()).collect()
}

/// The hash of a file, or of the files of a directory with their names.
fn content(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| PluginError::io("read", path, &error);
    let mut hasher = blake3::Hasher::new();
    if path.is_file() {
        std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ())).map_err(failed)?;
        return Ok(hasher.finalize().to_hex().to_string());
    }
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    for file in files {
        hasher.update(file.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default().as_slice());
        hasher.update(content(&file)?.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_told_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let hash_with = |weights: &str| {
            std::fs::write(folder.path().join("config.json"), "{}").unwrap();
            std::fs::write(folder.path().join("model.safetensors"), weights).unwrap();
            content(folder.path()).unwrap()
        };
        let (one, two) = (hash_with("one"), hash_with("two"));
        assert_ne!(one, two);
        assert_eq!(hash_with("one"), one);
    }

    #[test]
    fn a_file_in_parts_is_told_by_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let part = |number: u32| folder.path().join(format!("m-{number:05}-of-00003.gguf"));
        let hash_with = |second: &str| {
            for (number, text) in [(1, "first"), (2, second), (3, "third")] {
                std::fs::write(part(number), text).unwrap();
            }
            content_of_parts(&part(1)).unwrap()
        };
        let (one, two) = (hash_with("one"), hash_with("two"));
        assert_ne!(one, two);
        assert_eq!(hash_with("one"), one);
        std::fs::remove_file(part(3)).unwrap();
        assert_ne!(content_of_parts(&part(1)).unwrap(), one);
        assert_eq!(content_of_parts(&part(2)).unwrap(), content(&part(2)).unwrap());
    }
}
