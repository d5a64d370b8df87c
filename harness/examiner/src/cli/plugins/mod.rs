//! `examiner plugins`: a file for each of its commands.

mod check;
mod info;
mod list;
mod new;

use super::arguments::{PluginsArguments, PluginsCommand};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

/// Does what the command after `examiner plugins` says; without one, lists the plugins.
pub(super) fn plugins(arguments: &PluginsArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    match (&arguments.command, &arguments.schema) {
        // A conflict with a command cannot be declared: what completes flags in shells knows flags alone.
        (Some(_), Some(_)) => {
            bail!("`--schema ROLE` takes no command behind `examiner plugins`; leave one of them out")
        }
        (Some(PluginsCommand::Check(arguments)), _) => check::check(arguments, directories),
        (Some(PluginsCommand::List), _) | (None, None) => list::list(directories),
        (Some(PluginsCommand::New(new)), _) => new::new(new, directories),
        (Some(PluginsCommand::Info(info)), _) => info::info(info, directories),
        (None, Some(name)) => list::schema(name, directories),
    }
}
