//! `examiner plugins check`: a plugin file against the contract of each of its roles.

use crate::cli::arguments::CheckPluginArguments;
use crate::cli::search;
use crate::cli::terminal::print;
use anyhow::{Context, Result, anyhow, bail};
use examiner_api::Metadata;
use examiner_engine::check as checks;
use examiner_engine::conformance::{self, Outcome, Report, Selection};
use examiner_engine::host::Shared;
use examiner_engine::loader::{LoadProblem, Plugins, SearchPath};
use examiner_engine::paths;
use examiner_engine::progress::{Progress, print_to_stderr};
use examiner_engine::roles::Roles;
use examiner_engine::worker;
use examiner_hub::{Hub, Settings};
use examiner_report::Reports;
use examiner_suite::{Loaded, Override};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Prints what was found of each clause.
pub(super) fn check(arguments: &CheckPluginArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let Some(file) = arguments.file.as_ref().filter(|_| !arguments.clauses) else {
        print(&conformance::table())?;
        return Ok(ExitCode::SUCCESS);
    };
    let options = (!arguments.options.is_empty()).then(|| options(&arguments.options)).transpose()?;
    let mut loaded = suite(arguments)?;
    let mut own = Plugins::default();
    let location = [SearchPath::File(file.clone())];
    if let Err(error) = own.search(&location, &BTreeMap::new(), &*worker::registration(worker::program())) {
        if matches!(error.problem, LoadProblem::Unreadable(_)) {
            return Err(error.into());
        }
        return printed(&conformance::of_rejected(file, &error), arguments.json);
    }
    let others = search::plugins(Some(&loaded), directories)?;
    let plugins = search::plugins_with(file, &loaded, directories)?;
    checks::check(&loaded, &plugins)?;
    for note in paths::locate(&mut loaded, &plugins) {
        print_to_stderr(&note);
    }
    let hub = Hub::new(Settings { offline: true, ..Settings::from_env() })?;
    let roles = Roles::new(loaded.suite, plugins).in_workers(worker::program());
    let shared = Shared::new(roles, Progress::hidden(), Arc::default(), hub, Arc::new(Reports), None);
    let checked =
        shared.roles.plugins.loaded().iter().find(|loaded| own.loaded().iter().any(|own| own.path == loaded.path));
    let checked = checked.with_context(|| format!("`{}` is not among the plugins in use", file.display()))?;
    let selection = Selection { roles: arguments.role.clone(), options, has_suite: arguments.suite.is_some() };
    let report = conformance::check(&shared, checked, &others, worker::program(), &selection);
    printed(&report.map_err(|error| anyhow!(error))?, arguments.json)
}

/// The suite that is named, or one that names nothing.
fn suite(arguments: &CheckPluginArguments) -> Result<Loaded> {
    match &arguments.suite {
        Some(path) => Ok(examiner_suite::load(path, &search::overrides(&arguments.set)?)?),
        None => Ok(examiner_suite::load_text(Path::new("check"), "name: check\n".to_owned(), &[], &|_| None)?),
    }
}

fn printed(report: &Report, json: bool) -> Result<ExitCode> {
    match json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(report)?))?,
        false => print(&report.text())?,
    }
    Ok(if report.count(Outcome::Broken) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Options as they were typed: JSON objects and `KEY=VALUE`, of which the value is YAML.
fn options(typed: &[String]) -> Result<Metadata> {
    let mut options = Metadata::new();
    for text in typed {
        if text.trim_start().starts_with('{') {
            let value: Value = serde_yaml::from_str(text).with_context(|| format!("--options: `{text}`"))?;
            let Value::Object(more) = value else { bail!("--options: expected an object, found `{text}`") };
            options.extend(more);
            continue;
        }
        let Ok(Override { key, value }) = text.parse() else {
            bail!("--options: expected JSON or KEY=VALUE, found `{text}`")
        };
        let value = serde_yaml::from_str(&value).with_context(|| format!("--options: the value of `{key}`"))?;
        options.insert(key, value);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::options;
    use serde_json::json;

    #[test]
    fn options_are_json_or_keys_with_values() {
        let of = |typed: &[&str]| options(&typed.iter().map(ToString::to_string).collect::<Vec<_>>());
        let found = of(&[r#"{"a": 1}"#, "b=two", "c=[1, 2]", "d="]).unwrap();
        assert_eq!(json!(found), json!({ "a": 1, "b": "two", "c": [1, 2], "d": null }));
        assert!(of(&["nothing"]).unwrap_err().to_string().contains("KEY=VALUE"));
        assert!(of(&["{ a"]).is_err());
    }
}
