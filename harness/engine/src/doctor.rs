//! `examiner doctor`: what the program and its plugins require of the machine, whether it is there, and the command that fixes
//! what is missing.

use crate::bare_host::bare_host;
use crate::loader::Plugins;
use crate::worker::{self, Workers};
use examiner_api::{Diagnostic, ErrorCode, Finding, FindingState, Metadata, OpenRole, PluginError, Result, RoleKind};
use examiner_hub::Settings;
use examiner_suite::Isolation;
use std::path::{Path, PathBuf};

/// How long a plugin may look around.
const DEADLINE_S: f64 = 60.0;

/// All findings, the program's own first, then those of each plugin, which looks around in a worker: a process of `program`.
pub fn findings(plugins: &Plugins, program: Option<PathBuf>) -> Vec<Finding> {
    let mut findings = vec![in_use(plugins)];
    findings.extend(plugins.rejected().iter().map(|rejected| {
        let detail = rejected.to_string();
        Finding { subject: "plugin".to_owned(), state: FindingState::Broken, detail, fix: None }
    }));
    let settings = Settings::from_env();
    findings.push(writable("downloads", &settings.cache, "point `HF_HOME` to a folder that you may write to"));
    findings.push(writable(
        "working directory",
        Path::new("."),
        "run the program in a directory that you may write to",
    ));
    let isolation = Isolation { deadline_s: DEADLINE_S, ..Isolation::default() };
    let workers = program.map(|program| Workers::new(program, isolation));
    let names = plugins.loaded().iter().flat_map(|file| {
        let roles = file.info.roles.iter().filter(|role| role.kind == RoleKind::Diagnostic);
        roles.map(|role| format!("{}/{}", file.info.name, role.name))
    });
    for name in names {
        match diagnostic(plugins, workers.as_ref(), &name).and_then(|diagnostic| diagnostic.findings()) {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(Finding {
                subject: name,
                state: FindingState::Broken,
                detail: format!("the diagnostic failed: {error}"),
                fix: None,
            }),
        }
    }
    findings
}

fn diagnostic(plugins: &Plugins, workers: Option<&Workers>, name: &str) -> Result<Box<dyn Diagnostic>> {
    match worker::open(workers, plugins, RoleKind::Diagnostic, name, Metadata::new(), bare_host())? {
        OpenRole::Diagnostic(diagnostic) => Ok(diagnostic),
        _ => Err(PluginError::new(ErrorCode::Protocol, "the plugin opened another role")),
    }
}

/// The findings as a table: state, subject, one sentence, and in the line below it the fix.
pub fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { subject, state, detail, fix } in findings {
        let state = match state {
            FindingState::Ok => "ok",
            FindingState::Absent => "absent",
            FindingState::Broken => "BROKEN",
        };
        text.push_str(&format!("{state:<6}  {subject:<width$}  {detail}\n"));
        if let Some(fix) = fix {
            text.push_str(&format!("{:<6}  {:<width$}  fix: {fix}\n", "", ""));
        }
    }
    text
}

fn in_use(plugins: &Plugins) -> Finding {
    let mut names: Vec<&str> = plugins.loaded().iter().map(|file| file.info.name.as_str()).collect();
    names.sort_unstable();
    // The built-in scorers are one plugin of their own.
    let (state, fix) = match names.len() {
        0 | 1 => (
            FindingState::Absent,
            Some("put plugin libraries beside the program, or name their directory with `--plugins`"),
        ),
        _ => (FindingState::Ok, None),
    };
    let detail = format!("{} in use: {}", names.len(), names.join(", "));
    Finding { subject: "plugins".to_owned(), state, detail, fix: fix.map(ToOwned::to_owned) }
}

/// Whether files can be created in a directory, or in its nearest ancestor that exists.
fn writable(subject: &str, directory: &Path, fix: &str) -> Finding {
    let existing = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let (state, detail, fix) = match tempfile::tempfile_in(existing) {
        Ok(_) => (FindingState::Ok, format!("`{}` can be written to", directory.display()), None),
        Err(error) => (
            FindingState::Broken,
            format!("`{}` cannot be written to: {error}", directory.display()),
            Some(fix.to_owned()),
        ),
    };
    Finding { subject: subject.to_owned(), state, detail, fix }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{Host, Open, Plugin};

    struct MissingGpu;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct NoOptions {}

    impl Open for MissingGpu {
        type Options = NoOptions;

        fn open(_: NoOptions, _: Host) -> Result<Self> {
            Ok(MissingGpu)
        }
    }

    impl Diagnostic for MissingGpu {
        fn findings(&self) -> Result<Vec<Finding>> {
            let (subject, detail) = ("GPU".to_owned(), "there is none".to_owned());
            Ok(vec![Finding { subject, state: FindingState::Absent, detail, fix: Some("buy one".to_owned()) }])
        }
    }

    #[test]
    fn diagnostics_are_run_and_the_table_names_the_fix() {
        let plugin = Plugin::new("gpu", "1.0.0").diagnostic::<MissingGpu>("gpu", "Looks for one.");
        let found = findings(&Plugins::built_in(vec![crate::scorers::plugin(), plugin]), None);
        assert_eq!(found[0].detail, "2 in use: core, gpu");
        let table = table(&found[3..]);
        assert_eq!(table, "absent  GPU  there is none\n             fix: buy one\n");
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_reported() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inside = writable("downloads", &file.path().join("cache"), "fix it");
        // The file is not a directory, so its parent counts.
        assert_eq!(inside.state, FindingState::Ok);
        let nowhere = writable("downloads", Path::new("/proc/self/fd/none"), "fix it");
        assert_eq!((nowhere.state, nowhere.fix.as_deref()), (FindingState::Broken, Some("fix it")));
    }
}
