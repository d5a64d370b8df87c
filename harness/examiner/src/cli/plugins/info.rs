//! `examiner plugins info`: one plugin, or the roles of one name, with their options.

use crate::cli::arguments::InfoArguments;
use crate::cli::search;
use crate::cli::terminal::print;
use anyhow::{Result, anyhow};
use examiner_api::{INTERFACE, RoleInfo};
use examiner_engine::loader::{LoadedFile, Plugins, SearchPath};
use examiner_engine::worker;
use examiner_suite::{Loaded, OptionInfo, option_list};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::process::ExitCode;

/// So wide are lines of descriptions.
const WIDTH: usize = 100;

/// What is said of a plugin.
#[derive(Serialize)]
struct PluginReport {
    name: String,
    version: String,
    path: PathBuf,
    /// The plugin interface: that of the program, or it would not be opened.
    interface: u32,
    /// The version of `examiner-api` that it was built with.
    api_version: String,
    sha256: String,
    /// The hash that the suite pins its file to.
    pin: Option<String>,
    roles: Vec<RoleReport>,
}

/// What is said of a role.
#[derive(Serialize)]
struct RoleReport {
    kind: String,
    name: String,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_option: Option<String>,
    options: Vec<OptionInfo>,
    schema: Value,
}

/// Prints what is known of a plugin, of the roles of a name, or of a plugin's file.
pub(super) fn info(arguments: &InfoArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let InfoArguments { name, suite, json } = arguments;
    let loaded = suite.as_ref().map(|path| examiner_suite::load(path, &[])).transpose()?;
    let reports = match is_file(name) {
        true => in_file(Path::new(name), loaded.as_ref())?,
        false => named(name, loaded.as_ref(), directories)?,
    };
    match json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&BTreeMap::from([("plugins", reports)]))?))?,
        false => {
            let suite = suite.as_ref().map(|path| path.display().to_string());
            let texts: Vec<String> = reports.iter().map(|report| text(report, suite.as_deref())).collect();
            print(&texts.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a file is meant: names of plugins and roles have neither a separator nor the ending of a library.
fn is_file(name: &str) -> bool {
    name.contains(MAIN_SEPARATOR) || name.contains('/') || name.ends_with(std::env::consts::DLL_SUFFIX)
}

fn in_file(path: &Path, suite: Option<&Loaded>) -> Result<Vec<PluginReport>> {
    let mut plugins = Plugins::default();
    let register = worker::registration(worker::program());
    plugins.search(&[SearchPath::File(path.to_owned())], &BTreeMap::new(), &*register)?;
    Ok(plugins.loaded().iter().map(|file| report(file, file.info.roles.iter(), suite)).collect())
}

/// A plugin of this name with all its roles, and the roles of this name of any other.
fn named(name: &str, suite: Option<&Loaded>, directories: &[PathBuf]) -> Result<Vec<PluginReport>> {
    let plugins = search::plugins(suite, directories)?;
    let roles = |file: &LoadedFile| -> Vec<RoleInfo> {
        let is_wanted = |role: &&RoleInfo| file.info.name == name || role.name == name;
        file.info.roles.iter().filter(is_wanted).cloned().collect()
    };
    let found = plugins.loaded().iter().map(|file| (file, roles(file)));
    let found = found.filter(|(file, roles)| file.info.name == name || !roles.is_empty());
    let reports: Vec<PluginReport> = found.map(|(file, roles)| report(file, roles.iter(), suite)).collect();
    if reports.is_empty() {
        let names = plugins.loaded().iter().flat_map(|file| {
            std::iter::once(file.info.name.as_str()).chain(file.info.roles.iter().map(|role| role.name.as_str()))
        });
        let near = examiner_api::nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        return Err(anyhow!("there is no plugin and no role named `{name}`{near}; `examiner plugins` lists them"));
    }
    Ok(reports)
}

fn report<'a>(file: &LoadedFile, roles: impl Iterator<Item = &'a RoleInfo>, suite: Option<&Loaded>) -> PluginReport {
    let role = |role: &RoleInfo| RoleReport {
        kind: role.kind.to_string(),
        name: role.name.clone(),
        summary: role.summary.clone(),
        checkpoint_option: role.checkpoint_option.clone(),
        options: option_list(&role.options),
        schema: role.options.clone(),
    };
    PluginReport {
        name: file.info.name.clone(),
        version: file.info.version.clone(),
        path: file.path.clone(),
        interface: INTERFACE,
        api_version: file.api_version.clone(),
        sha256: file.sha256.clone(),
        pin: suite.and_then(|loaded| loaded.suite.plugins.get(&file.info.name)?.sha256.clone()),
        roles: roles.map(role).collect(),
    }
}

/// The same for people; `suite` is the suite that may pin the file.
fn text(report: &PluginReport, suite: Option<&str>) -> String {
    let PluginReport { name, version, path, interface, api_version, sha256, pin, roles } = report;
    let mut text = format!(
        "{name} {version}\n  file       `{}`\n  interface  {interface}, built with `examiner-api` {api_version}\n  sha256     {sha256}\n",
        path.display()
    );
    match (suite, pin) {
        (Some(suite), Some(pin)) => text.push_str(&format!("  pin        {pin}, by `{suite}`\n")),
        (Some(suite), None) => text.push_str(&format!("  pin        none in `{suite}`\n")),
        (None, _) => {}
    }
    for RoleReport { kind, name, summary, options, .. } in roles {
        text.push_str(&format!("\n{kind} `{name}`: {summary}\n"));
        if options.is_empty() {
            text.push_str("  no options\n");
        }
        for OptionInfo { name, kind, required, default, description } in options {
            let default = match (required, default) {
                (true, _) => ", required".to_owned(),
                (false, Some(default)) => format!(", default `{default}`"),
                (false, None) => String::new(),
            };
            text.push_str(&format!("  {name}: {kind}{default}\n"));
            text.push_str(&wrapped(description, "      "));
        }
    }
    text
}

/// The words of a text in lines that begin with `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_name() {
        let library = format!("libmy_plugin{}", std::env::consts::DLL_SUFFIX);
        assert!(is_file("target/debug/x") && is_file(&library));
        assert!(!is_file("echo") && !is_file("my-plugin"));
    }

    #[test]
    fn descriptions_are_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(30), "  ");
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with("  word") && line.chars().count() <= WIDTH), "{text}");
        assert_eq!(wrapped("", "  "), "");
    }
}
