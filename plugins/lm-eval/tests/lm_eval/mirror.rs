//! Rows of datasets in a directory that is laid out like the hub, where each README names its files.

use examiner_api::PluginError;
use examiner_plugin_lm_eval::{Locate, Setting, yaml};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Finds the file of a split in `DIR/ORG/NAME`.
pub fn locate(mirror: PathBuf) -> Locate {
    Arc::new(move |source, split| {
        file(&mirror.join(&source.path), source.name.as_deref(), split).ok_or_else(|| {
            let name = source.name.as_deref().unwrap_or("default");
            PluginError::not_found(format!(
                "`{}` has no split `{split}` of `{name}` in `{}`",
                source.path,
                mirror.display()
            ))
        })
    })
}

fn file(directory: &Path, name: Option<&str>, split: &str) -> Option<PathBuf> {
    let readme = std::fs::read_to_string(directory.join("README.md")).ok()?;
    let front = readme.strip_prefix("---\n")?.split("\n---").next()?;
    let front = yaml::parse(front, &|name| Err(name.to_owned())).ok()?;
    let configs = items(get(&front, "configs")?)?;
    let is_asked = |config: &&Setting| {
        let known = get(config, "config_name");
        match name {
            Some(name) => known == Some(&Setting::Text(name.to_owned())),
            None => configs.len() == 1 || known == Some(&Setting::Text("default".to_owned())),
        }
    };
    let files = items(get(configs.iter().find(is_asked)?, "data_files")?)?;
    let of_split = files.iter().find(|file| get(file, "split") == Some(&Setting::Text(split.to_owned())))?;
    match get(of_split, "path")? {
        Setting::Text(path) => Some(directory.join(path)),
        _ => None,
    }
}

fn get<'s>(setting: &'s Setting, name: &str) -> Option<&'s Setting> {
    match setting {
        Setting::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}

fn items(setting: &Setting) -> Option<&[Setting]> {
    match setting {
        Setting::List(items) => Some(items),
        _ => None,
    }
}
