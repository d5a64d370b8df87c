//! A run that has failed, or was stopped, before anything was answered or made leaves no directory.

use super::{Run, RunResult};
use crate::host::cancelled;
use examiner_api::{PluginError, Result};
use examiner_store::journal::Reader;
use examiner_store::record::Record;
use std::path::Path;

/// So many lines of a log are told when it goes.
const LOG_LINES: usize = 3;

impl Run {
    /// Whether nothing came of it: this try made the directory, no question has an answer, nothing was made, and it is not complete.
    pub(super) fn is_empty(&self) -> bool {
        let is_complete = self.failures.is_empty() && !self.shared.is_cancelled();
        let is_made = self.provenance.stages.values().any(|record| record.product.is_some());
        // What an interrupted training or export has left is gone on from.
        let is_begun = ["train", "export"].iter().any(|part| self.directory.path.join(part).exists());
        self.is_new && !is_complete && !is_made && !is_begun && !has_answers(&self.directory.path.join("journal"))
    }

    /// Ends it. What its logs say goes into the messages that named them.
    pub(super) fn leave_nothing(self, interrupted: bool) -> Result<RunResult> {
        let mut rows = self.report.rows();
        rows.iter_mut().for_each(|row| row.message = without_log(&row.message));
        let failures = self.failures.iter().map(|failure| without_log(failure)).collect();
        let path = self.directory.path.clone();
        std::fs::remove_dir_all(&path).map_err(|error| PluginError::io("remove the directory", &path, &error))?;
        let ended = if interrupted { cancelled().message } else { "nothing was answered".to_owned() };
        self.shared.progress.print(&ended);
        let actions = self.actions;
        Ok(RunResult { directory: path, rows, comparison: None, failures, interrupted, kept: false, actions })
    }
}

/// Whether one of the journals in the directory holds an answer: what a stage that broke off has answered is gone on from.
fn has_answers(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| if path.is_dir() { has_answers(&path) } else { holds_an_answer(&path) })
}

fn holds_an_answer(journal: &Path) -> bool {
    let mut found = false;
    let scanned = Reader::open(journal).and_then(|mut reader| {
        reader.scan(None, |_, json| {
            let record = || serde_json::from_str::<Record>(json).ok();
            found = found || record().is_some_and(|record| record.failed.is_empty() && record.error().is_none());
        })
    });
    // What cannot be read is kept.
    found || scanned.is_err()
}

/// The message with the end of the log in place of the log's path.
fn without_log(message: &str) -> String {
    let Some((before, log)) = message.split_once(" (log: `") else { return message.to_owned() };
    let Some((path, after)) = log.split_once("`)") else { return message.to_owned() };
    let text = std::fs::read(Path::new(path)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).rev().take(LOG_LINES).collect();
    lines.reverse();
    match lines.is_empty() {
        true => format!("{before}{after}"),
        false => format!("{before} (its log ends with `{}`){after}", lines.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::{has_answers, without_log};
    use examiner_store::journal::Journal;

    #[test]
    fn an_answer_in_a_journal_is_worth_keeping() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("m");
        let journal = |records: &[&str]| {
            let _ = std::fs::remove_dir_all(&directory);
            std::fs::create_dir(&directory).unwrap();
            let header = serde_json::json!({ "format": 1 });
            let (mut journal, _) = Journal::open(&directory.join("d.jsonl"), &header, |_, _| {}).unwrap();
            for record in records {
                journal.append(record).unwrap();
            }
            has_answers(folder.path())
        };
        let error = r#"{"outcome":{"error":{"code":"quota","message":"no more"}},"metrics":{}}"#;
        let record = |verdict: &str| {
            format!(
                r#"{{"index":0,"id":"0","repeat":0,"key":"k","context":"c","choices":[],"gold":"none","answers":[],"verdicts":[{verdict}],"tokens_in":0,"tokens_out":0}}"#
            )
        };
        let scored = record(r#"{"scorer":"s","outcome":"scored","metrics":{"accuracy":1.0}}"#);
        let failed = record(&error.replacen('{', r#"{"scorer":"s","#, 1));
        assert!(!journal(&[]));
        assert!(!journal(&[&failed]));
        assert!(journal(&[&failed, &scored]));
        assert!(!journal(&["{}"]), "no record");
        assert!(!has_answers(&folder.path().join("none")));
    }

    #[test]
    fn the_end_of_a_log_takes_the_place_of_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.log");
        std::fs::write(&path, "one\ntwo\n\nthree\nfour\n").unwrap();
        let message = format!("m: it died (log: `{}`)", path.display());
        assert_eq!(without_log(&message), "m: it died (its log ends with `two`, `three`, `four`)");
        assert_eq!(without_log("m: it died (log: `/no/such`)"), "m: it died");
        assert_eq!(without_log("m: it died"), "m: it died");
    }
}
