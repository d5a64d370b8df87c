//! What to do next, for whoever has typed too little.

use super::terminal::print;
use anyhow::{Result, anyhow};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// At most so many suites are listed.
const LISTED: usize = 8;

/// `examiner` alone.
pub(super) fn greet() -> Result<ExitCode> {
    let mut text = "examiner trains language models and examines them from one YAML file, a suite.\n\n".to_owned();
    let mut line = |what: &str, command: &str| text.push_str(&format!("{what:<36} {command}\n"));
    line("Write a first suite:", "examiner init");
    match suites().first() {
        Some(suite) => {
            line("Check one:", &format!("examiner check {}", suite.display()));
            line("Run one:", &format!("examiner run {}", suite.display()));
        }
        None => line("Run one:", "examiner run SUITE.yaml"),
    }
    if Path::new("outputs/latest/summary.csv").exists() {
        line("Results of the newest run:", "examiner report");
        line("Its samples that are wrong:", "examiner show --wrong");
    }
    line("What this machine has and lacks:", "examiner doctor");
    line("All commands:", "examiner --help");
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The suite that was typed.
///
/// # Errors
/// None was: the error names those that there are.
pub(super) fn suite(typed: Option<&PathBuf>, command: &str) -> Result<PathBuf> {
    if let Some(suite) = typed {
        return Ok(suite.clone());
    }
    let found = suites();
    let list: String =
        found.iter().take(LISTED).map(|suite| format!("\n  examiner {command} {}", suite.display())).collect();
    Err(match found.is_empty() {
        true => anyhow!(
            "expected a suite, a YAML file: `examiner {command} SUITE.yaml`; there is none here or in `configs/`, and \
             `examiner init` writes a first one"
        ),
        false => anyhow!("expected a suite, a YAML file (`examiner init` writes a new one); here are:{list}"),
    })
}

/// Suites in the working directory and in `configs`: YAML files with a name and something that a suite has.
fn suites() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["", "configs"] {
        let read = std::fs::read_dir(if directory.is_empty() { "." } else { directory });
        for entry in read.into_iter().flatten().flatten() {
            let path = Path::new(directory).join(entry.file_name());
            let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            if is_yaml && std::fs::read_to_string(&path).is_ok_and(|text| is_suite(&text)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_suite(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    has("name") && ["models", "datasets", "evaluate", "train", "teach", "export"].into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::is_suite;

    #[test]
    fn a_suite_has_a_name_and_something_to_do() {
        assert!(is_suite("# A suite.\nname: s\nmodels: {}\n"));
        assert!(!is_suite("name: workflow\non: push\n"));
        assert!(!is_suite("models: {}\n"));
    }
}
