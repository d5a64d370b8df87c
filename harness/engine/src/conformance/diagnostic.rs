//! Clauses of diagnostics.

use super::bench::Opened;
use super::clause::{DIAGNOSTIC_CHANGES_NOTHING, DIAGNOSTIC_FINDINGS};
use super::report::{Findings, Held};
use examiner_api::{PluginError, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::SystemTime;

/// Holds a diagnostic against its clauses.
pub(super) fn check(opened: Opened, findings: &mut Findings<'_>) -> Result<()> {
    let diagnostic = opened.diagnostic()?;
    let before = working_directory()?;
    let found = diagnostic.findings();
    let after = working_directory()?;
    findings.add_result(&DIAGNOSTIC_FINDINGS, found.map(|found| {
        let count = found.len();
        let bad = found.into_iter().find(|finding| {
            let has_fix = finding.fix.as_ref().is_none_or(|fix| !fix.trim().is_empty());
            finding.subject.trim().is_empty() || finding.detail.trim().is_empty() || !has_fix
        });
        match bad {
            Some(bad) => Held::No(format!(
                "expected a subject, a sentence and no empty fix, found the subject {:?}, the sentence {:?} and the fix {:?}",
                bad.subject, bad.detail, bad.fix
            )),
            None => Held::Yes(format!("{count} findings have a subject and a sentence")),
        }
    }));
    let changed = before
        .iter()
        .chain(&after)
        .find(|(name, time)| before.get(*name) != Some(*time) || after.get(*name) != Some(*time));
    findings.add(
        &DIAGNOSTIC_CHANGES_NOTHING,
        match changed {
            Some((name, _)) => Held::No(format!(
                "expected the working directory to be as it was, found `{}` made, changed or removed",
                name.to_string_lossy()
            )),
            None => Held::Yes(format!("the {} entries of the working directory are as they were", before.len())),
        },
    );
    Ok(())
}

/// What is in the working directory, with the time of its last change.
fn working_directory() -> Result<BTreeMap<OsString, Option<SystemTime>>> {
    let failed = |error: std::io::Error| PluginError::io("list", ".".as_ref(), &error);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(".").map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let modified = entry.metadata().ok().and_then(|data| data.modified().ok());
        found.insert(entry.file_name(), modified);
    }
    Ok(found)
}
