//! `examiner plugins new`: a plugin to begin with, as a crate that builds, with tests, data and a suite that runs.

mod files;
mod manifest;
mod name;
mod template;

use crate::cli::arguments::NewArguments;
use crate::cli::search;
use crate::cli::terminal::print;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use manifest::Source;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use template::Template;

/// Writes the crate, and says what to do with it.
pub(super) fn new(arguments: &NewArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let NewArguments { name, role, lm, directory, examiner } = arguments;
    let Some(template) = Template::of(*role, *lm) else {
        let role = role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        bail!("`--lm` is for local language models: expected `--role model`, found `--role {role}`");
    };
    name::check(name)?;
    is_free(name, directories)?;
    let source = examiner.as_deref().map_or(Ok(Source::Registry), Source::checkout)?;
    let directory = directory.clone().unwrap_or_else(|| PathBuf::from(name));
    is_empty(&directory)?;
    for (path, text) in files::files(&template, name, &source) {
        let path = directory.join(path);
        let folder = path.parent().unwrap_or(&directory);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the directory `{}`", folder.display()))?;
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let commands: String = files::commands(&template, name).iter().map(|line| format!("  {line}\n")).collect();
    let directory = directory.display();
    print(&format!("wrote `{directory}`, a plugin with {}; next:\n  cd {directory}\n{commands}", template.what))?;
    Ok(ExitCode::SUCCESS)
}

/// Two plugins of one name cannot be used together, and which of them is meant nobody could say.
fn is_free(name: &str, directories: &[PathBuf]) -> Result<()> {
    // Where the plugins cannot be read, there is none to be compared with.
    let Ok(plugins) = search::plugins(None, directories) else { return Ok(()) };
    match plugins.loaded().iter().find(|file| file.info.name == name) {
        None => Ok(()),
        Some(file) => {
            bail!("there is a plugin named `{name}` already, `{}`; choose another name", file.path.display())
        }
    }
}

/// Nothing is written over.
fn is_empty(directory: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot write a crate to `{}`", directory.display()))?,
    };
    match entries.count() {
        0 => Ok(()),
        _ => bail!("`{}` is there and is not empty; name another place with `--directory`", directory.display()),
    }
}
