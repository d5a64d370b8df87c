//! `examiner plugins list`: what there is to choose from.

use crate::cli::search;
use crate::cli::terminal::print;
use anyhow::{Result, anyhow};
use examiner_api::INTERFACE;
use examiner_engine::loader::SearchPath;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints the plugins with their roles, the files that are not used with the reason, and where was looked.
pub(super) fn list(directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    let mut text = String::new();
    for file in plugins.loaded() {
        text.push_str(&format!("{} {}  `{}`\n", file.info.name, file.info.version, file.path.display()));
        text.push_str(&format!("  sha256 {}\n", file.sha256));
        for role in &file.info.roles {
            text.push_str(&format!("  {} `{}`: {}\n", role.kind, role.name, role.summary));
        }
    }
    for rejected in plugins.rejected() {
        text.push_str(&format!("not used: {rejected}\n"));
    }
    text.push_str(&format!("plugin interface {INTERFACE}\nlooked for in:\n"));
    for place in search::places(None, directories) {
        text.push_str(&match place {
            SearchPath::Directory(path) => format!("  `{}`\n", path.display()),
            SearchPath::BesideProgram(path) => format!("  `{}` (`libexaminer_plugin_*`)\n", path.display()),
            SearchPath::File(path) => format!("  `{}`\n", path.display()),
            SearchPath::Plugin { path, start, .. } => format!("  `{}`\n", start.join(path).display()),
        });
    }
    print(&text)?;
    Ok(if plugins.rejected().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the schemas of the options of every role of a name.
pub(super) fn schema(name: &str, directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    let roles = plugins.loaded().iter().flat_map(|file| &file.info.roles);
    let schemas: serde_json::Map<String, serde_json::Value> =
        roles.filter(|role| role.name == name).map(|role| (role.kind.to_string(), role.options.clone())).collect();
    if schemas.is_empty() {
        return Err(anyhow!("no plugin has a role named `{name}`; `examiner plugins` lists them"));
    }
    print(&format!("{}\n", serde_json::to_string_pretty(&schemas)?))?;
    Ok(ExitCode::SUCCESS)
}
