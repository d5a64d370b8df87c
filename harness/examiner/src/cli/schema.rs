//! `examiner schema`: the format of suites for editors and other programs.

use super::arguments::SchemaArguments;
use super::search;
use super::terminal::print;
use anyhow::Result;
use examiner_api::PluginInfo;
use examiner_report::gate;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints one JSON Schema of the whole format.
pub(super) fn schema(arguments: &SchemaArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = match arguments.generic {
        true => None,
        false => Some(found(arguments, directories)?),
    };
    let schema = examiner_suite::json_schema(plugins.as_deref(), gate::rule_schema());
    print(&format!("{}\n", serde_json::to_string_pretty(&schema)?))?;
    Ok(ExitCode::SUCCESS)
}

/// The built-in roles and the plugins that are found, with those that the suite names.
fn found(arguments: &SchemaArguments, directories: &[PathBuf]) -> Result<Vec<PluginInfo>> {
    let loaded = arguments.suite.as_ref().map(|suite| examiner_suite::load(suite, &[])).transpose()?;
    let plugins = search::plugins(loaded.as_ref(), directories)?;
    Ok(plugins.loaded().iter().map(|file| file.info.clone()).collect())
}
