//! Splits of datasets: what `datasets.load_dataset` gives for a repository of the hub, as one file of JSON lines.
//!
//! `request` reads the address, `source` has the repository's files (on the hub at a commit, or in a mirror), `card` what the
//! repository says of itself, `patterns` and `formats` which files are whose and what they hold, `plan` puts that together; `tables`
//! reads rows with the types that the library gives them, `features` are these types, and `write` writes the rows. They are written
//! once: the name of the file has a hash of all that decides its content.

mod card;
mod export;
mod features;
mod files;
mod formats;
mod patterns;
mod plan;
mod request;
mod source;
mod tables;
mod write;

use super::Hub;
use super::address::HubPath;
use super::download::ProgressCallback;
use card::Card;
use examiner_api::rows::{SplitInfo, digest, fingerprint};
use examiner_api::{PluginError, Result};
use features::to_description;
use plan::Plan;
use request::{Of, Request};
use source::{Source, Way};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use write::{Job, Part, columns_of};

/// The version of the reading: a file that was written by another is written again.
const VERSION: &str = "1";

/// A repository and what it says of itself.
#[derive(Debug)]
pub(super) struct Repository {
    source: Source,
    card: Card,
}

/// Whether an address is that of a split.
pub(super) fn is_split(address: &str) -> bool {
    request::parse(address).is_some()
}

/// The rows of the split at an address.
pub(super) fn fetch(hub: &Hub, address: &str, report: ProgressCallback<'_>) -> Result<PathBuf> {
    let request = match request::parse(address) {
        Some(request) => request?,
        None => return Err(PluginError::bad_options(format!("`{address}` is not the address of a split"))),
    };
    let way = Way { http: &hub.http, settings: &hub.settings, report };
    match &request.of {
        Of::Files(format) => files::fetch(hub, &request, *format, way),
        Of::Repository(path) => of_repository(hub, &request, path, way),
    }
}

fn of_repository(hub: &Hub, request: &Request, path: &HubPath, way: Way<'_>) -> Result<PathBuf> {
    let mirror = request.mirror.as_deref().or(hub.settings.mirror.as_deref());
    let repository = open(hub, path, mirror, way)?;
    let failed = |why: String| refused(path, why);
    let script = format!("{}.py", path.repo.rsplit('/').next().unwrap_or_default());
    let is_script = repository.source.knows(&script);
    let planned = match is_script {
        true => Err(format!("it is made by a Python script (`{script}`), which is not run")),
        false => {
            let files = || repository.source.files().map(<[String]>::to_vec).map_err(|error| error.to_string());
            plan::plan(&repository.card, request, &files)
        }
    };
    let (repository, plan) = match planned {
        Ok(plan) => (repository, plan),
        Err(why) if mirror.is_none() && (is_script || why.starts_with("it holds no files")) => {
            // The hub converts datasets to Parquet on a branch of its own.
            let export = HubPath { revision: export::BRANCH.to_owned(), ..path.clone() };
            let exported = open(hub, &export, None, way).map_err(|error| failed(why.clone()).with_cause(&error))?;
            let plan =
                export::plan(exported.source.files()?, request).map_err(|also| failed(format!("{why}; {also}")))?;
            (exported, plan)
        }
        Err(why) => return Err(failed(why)),
    };
    let files = plan.files(&request.split).map_err(failed)?;
    let get = |file: &String| -> Result<Part> {
        let path = repository.source.get(file, way)?;
        let path = path.ok_or_else(|| failed(format!("`data_files` names `{file}`, which it does not hold")))?;
        Ok(Part { name: format!("{}/{file}", repository.source.name), path })
    };
    let first = plan.splits.iter().find_map(|(_, files)| files.first());
    let parts = files.iter().map(get).collect::<Result<Vec<_>>>()?;
    let known = SplitInfo {
        repository: repository.source.name.clone(),
        commit: repository.source.commit().map(str::to_owned),
        config: plan.config.clone(),
        split: request.split.clone(),
        ..SplitInfo::default()
    };
    let features = match (&plan.features, first) {
        (Some(features), _) => features.clone(),
        (None, Some(first)) => columns_of(&get(first)?, plan.format, &plan.parameters)?,
        (None, None) => return Err(failed("it holds no files of data".to_owned())),
    };
    write_once(hub, &plan, &parts, &features, known, request.is_unchecked)
}

/// Opens a repository, once in the life of the hub: all splits of it are of one commit.
fn open(hub: &Hub, path: &HubPath, mirror: Option<&Path>, way: Way<'_>) -> Result<Arc<Repository>> {
    let key = (path.to_string(), mirror.map(Path::to_owned));
    if let Some(repository) = hub.repositories.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key) {
        return Ok(repository.clone());
    }
    let source = Source::open(path, mirror, way)?;
    let text = |file: &str| source.text(file, way);
    let (readme, yaml, infos) = (text("README.md")?, text(".huggingface.yaml")?, text("dataset_infos.json")?);
    let card = Card::read(readme.as_deref(), yaml.as_deref(), infos.as_deref()).map_err(|why| refused(path, why))?;
    let repository = Arc::new(Repository { source, card });
    let mut all = hub.repositories.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    Ok(all.entry(key).or_insert(repository).clone())
}

fn refused(path: &HubPath, why: String) -> PluginError {
    PluginError::bad_input(format!("the dataset `{}`: {why}", path.repo))
}

/// Writes the rows, unless they are there.
fn write_once(
    hub: &Hub,
    plan: &Plan,
    parts: &[Part],
    features: &features::Columns,
    info: SplitInfo,
    is_unchecked: bool,
) -> Result<PathBuf> {
    let expected = plan.rows.iter().find(|(split, _)| *split == info.split).map(|(_, rows)| *rows);
    let expected = expected.filter(|_| !is_unchecked);
    let mut identity = vec![
        VERSION.to_owned(),
        format!("{:?} {:?} {expected:?}", plan.format, plan.parameters.delimiter),
        serde_json::to_string(&to_description(features)).unwrap_or_default(),
        serde_json::to_string(&info).unwrap_or_default(),
    ];
    for part in parts {
        identity.extend([part.name.clone(), content_of(&part.path)?]);
    }
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
    };
    let key = digest(&identity);
    let directory = format!("{}-{}", plain(&plan.config), &key[..16]);
    let folder = hub.settings.splits.join(info.repository.replace('/', "--")).join(directory);
    let to = folder.join(format!("{}.jsonl", plain(&info.split)));
    if to.is_file() && SplitInfo::path(&to).is_file() {
        return Ok(to);
    }
    let Plan { format, parameters, .. } = plan;
    write::write(&Job { format: *format, parameters, features, parts, expected, info, to: &to })
}

/// What identifies the content of a file: of the hub's cache its tag, which is a hash, of others a hash.
fn content_of(path: &Path) -> Result<String> {
    let blob = std::fs::read_link(path)
        .ok()
        .filter(|target| target.parent().and_then(Path::file_name).is_some_and(|folder| folder == "blobs"));
    match blob.as_deref().and_then(Path::file_name) {
        Some(tag) => Ok(tag.to_string_lossy().into_owned()),
        None => fingerprint(path),
    }
}
