//! `examiner fetch`: gets what a suite reads from elsewhere.

use super::SuiteArguments;
use super::commands::load;
use super::terminal::{on_interrupt, print};
use anyhow::Result;
use clap::ValueHint;
use examiner_engine::fetch;
use examiner_engine::host::Shared;
use examiner_engine::progress::{Progress, print_to_stderr};
use examiner_engine::roles::Roles;
use examiner_engine::worker;
use examiner_hub::{GivenRepository, Hub, Settings};
use examiner_report::Reports;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// What can be typed behind `fetch`.
#[derive(Debug, clap::Args)]
pub(super) struct FetchArguments {
    #[command(flatten)]
    pub(super) suite: SuiteArguments,
    /// Copy what was fetched of the hub to this directory, as `ORG/NAME/...`.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) to: Option<PathBuf>,
}

pub(super) fn fetch(arguments: &FetchArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let cancelled = Arc::default();
    on_interrupt(&cancelled)?;
    let (loaded, plugins) = load(&arguments.suite, "fetch", directories)?;
    // A mirror is what is made here, not where it is made from.
    let hub = Hub::new(Settings { mirror: None, ..Settings::from_env() })?;
    let roles = Roles::new(loaded.suite, plugins).in_workers(worker::program());
    let shared = Shared::new(roles, Progress::on_stderr(), cancelled, hub, Arc::new(Reports), None);
    let fetched = fetch::fetch(&shared);
    let mut text = String::new();
    for given in &fetched.repositories {
        text.push_str(&line(given));
    }
    if fetched.repositories.is_empty() {
        text.push_str("nothing of the hub is read\n");
    }
    for place in &fetched.made_later {
        text.push_str(&format!("{place}: reads what a stage of the suite makes\n"));
    }
    if let Some(to) = &arguments.to {
        let copied = fetch::copy(&fetched.repositories, to)?;
        let bytes: u64 = copied.iter().map(|(_, bytes)| bytes).sum();
        text.push_str(&format!(
            "copied {} to `{}`: write `hub_mirror: {}` into the suite\n",
            amount(bytes),
            to.display(),
            to.display()
        ));
    }
    print(&text)?;
    for (place, error) in &fetched.failures {
        print_to_stderr(&format!("failed: {place}: {error}"));
    }
    Ok(match (shared.is_cancelled(), fetched.failures.is_empty()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// What is there of a repository: its address, commit, files and bytes.
fn line(given: &GivenRepository) -> String {
    let sizes = given.files.values().map(|path| std::fs::metadata(path).map_or(0, |metadata| metadata.len()));
    let bytes: u64 = sizes.sum();
    let commit = given.commit.as_deref().unwrap_or("an unknown commit");
    let files = if given.files.len() == 1 { "1 file".to_owned() } else { format!("{} files", given.files.len()) };
    format!("{} at {commit}: {files}, {}\n", given.address(), amount(bytes))
}

/// Bytes in the unit that people read.
fn amount(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_unit_that_people_read() {
        assert_eq!([amount(12), amount(12_345), amount(12_345_678)], ["12 bytes", "12.3 KB", "12.3 MB"]);
    }
}
