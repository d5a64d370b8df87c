//! Where the rows of a task are, as the hub's loader takes it.

use super::compile::RowsOf;
use examiner_api::{PluginError, Result, rows};

/// The address of a split.
pub(super) fn address(source: &RowsOf, split: &str, mirror: Option<&str>) -> Result<rows::HubSplit> {
    let mut hub = rows::HubSplit {
        path: source.path.clone(),
        config: source.name.clone(),
        split: split.to_owned(),
        mirror: mirror.map(str::to_owned),
        ..rows::HubSplit::default()
    };
    for (name, setting) in &source.options {
        let refused = || PluginError::unsupported(format!("`{name}` in `dataset_kwargs` is {}", setting.kind()));
        match (name.as_str(), setting.as_text()) {
            ("data_dir", Some(text)) => hub.data_dir = Some(text.to_owned()),
            ("revision", Some(text)) => hub.revision = Some(text.to_owned()),
            ("data_files", _) => hub.data_files = Some(setting.to_json().map_err(|_| refused())?),
            _ => return Err(refused()),
        }
    }
    Ok(hub)
}
