//! Files that a request names itself, of a given format: `hf://datasets/json?data_files=...`.

use super::super::Hub;
use super::super::address::{Address, parse};
use super::formats::Format;
use super::patterns::{Pattern, by_split, is_magic};
use super::plan::Plan;
use super::request::Request;
use super::source::Way;
use super::tables::Parameters;
use super::write::{Part, columns_of};
use super::{open, write_once};
use examiner_api::rows::SplitInfo;
use examiner_api::{PluginError, Result};
use serde_json::Map;
use std::path::PathBuf;

/// The rows of the split.
pub(super) fn fetch(hub: &Hub, request: &Request, format: Format, way: Way<'_>) -> Result<PathBuf> {
    let failed = |why: String| PluginError::bad_options(format!("`{}`: {why}", request.address));
    if request.config.as_deref().is_some_and(|config| config != "default") || request.data_dir.is_some() {
        return Err(failed("files that are named have no `config` and no `data_dir`".to_owned()));
    }
    let splits = by_split(&request.data_files).map_err(failed)?;
    let parameters = Parameters::of(format, false, &Map::new()).map_err(failed)?;
    let plan = Plan { config: "default".to_owned(), format, parameters, splits, features: None, rows: Vec::new() };
    let mut parts = Vec::new();
    for address in plan.files(&request.split).map_err(failed)? {
        parts.extend(get(hub, request, address, way)?);
    }
    let (first_split, first) = plan.splits.first().ok_or_else(|| failed("`data_files` names no files".to_owned()))?;
    let first = match *first_split == request.split {
        true => parts.first().cloned(),
        false => match first.first() {
            Some(address) => get(hub, request, address, way)?.into_iter().next(),
            None => None,
        },
    };
    let first = first.ok_or_else(|| failed("no file fits its patterns".to_owned()))?;
    let features = columns_of(&first, format, &plan.parameters)?;
    let name = format!("{format:?}").to_lowercase();
    let info = SplitInfo {
        repository: name,
        config: plan.config.clone(),
        split: request.split.clone(),
        ..SplitInfo::default()
    };
    write_once(hub, &plan, &parts, &features, info, request.is_unchecked)
}

/// The files at an address, or the local one of that path.
fn get(hub: &Hub, request: &Request, address: &str, way: Way<'_>) -> Result<Vec<Part>> {
    let part = |path: PathBuf| Part { name: address.to_owned(), path };
    if !Hub::is_address(address) {
        if is_magic(address) {
            let message = format!("`data_files` names the local files `{address}` by a pattern");
            return Err(PluginError::bad_options(message).with_help("name the files one by one, in a list"));
        }
        let path = PathBuf::from(address);
        return match path.is_file() {
            true => Ok(vec![part(path)]),
            false => Err(PluginError::not_found(format!("`data_files` names `{address}`, and there is no such file"))),
        };
    }
    match parse(address)? {
        Address::Web(..) => hub.fetch(address, way.report).map(|path| vec![part(path)]),
        Address::Hub(file) => {
            let mirror = request.mirror.as_deref().or(hub.settings.mirror.as_deref());
            let root = super::HubPath { path: String::new(), ..file.clone() };
            let repository = open(hub, &root, mirror, way)?;
            let names = match is_magic(&file.path) {
                false => vec![file.path.clone()],
                true => {
                    let pattern = Pattern::new(&file.path).map_err(PluginError::bad_options)?;
                    let files = repository.source.files()?;
                    files.iter().filter(|name| pattern.fits(name)).cloned().collect()
                }
            };
            let missing = || PluginError::not_found(format!("`{}` holds no `{}`", file.repo, file.path));
            if names.is_empty() {
                return Err(missing());
            }
            let get = |name: String| {
                let path = repository.source.get(&name, way)?.ok_or_else(missing)?;
                Ok(Part { name: format!("{}/{name}", file.repo), path })
            };
            names.into_iter().map(get).collect()
        }
    }
}
