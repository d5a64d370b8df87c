//! A model's answers to recipes, stored as they come: nothing that was paid for is asked again.
//!
//! The file is a [`Journal`] beside the rows, so that it survives the run, and another one finds it. Errors are not stored.

use examiner_api::asking::{AnswerKey, AnswerStore};
use examiner_api::{ErrorCode, GenerateRequest, GenerateResult, Host, PluginError, Result, rows};
use examiner_store::journal::{Journal, JournalError};
use examiner_store::storage::failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// The stored answers of one file, open for more.
pub(crate) struct AnswerJournal {
    journal: Journal,
    known: HashMap<String, GenerateResult>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// Hash of all that decides the answer.
    key: String,
    /// For people who look for it.
    id: String,
    repeat: u32,
    answer: GenerateResult,
}

fn header() -> Value {
    json!({ "format": 1, "answers": "of a teacher" })
}

impl AnswerJournal {
    /// Opens or makes the file, and reads what is in it. Damaged lines are reported; their questions are asked again.
    ///
    /// # Errors
    /// Reading or writing fails, or another process is writing the file.
    pub(crate) fn open(path: &Path, host: &Host) -> Result<Self> {
        examiner_store::atomic::remove_leftovers_of(path);
        add_header(path)?;
        let mut known = HashMap::new();
        let mut others = 0;
        let opened = Journal::open(path, &header(), |_, json| match serde_json::from_str::<Record>(json) {
            Ok(Record { key, answer, .. }) => {
                known.insert(key, answer);
            }
            Err(_) => others += 1,
        });
        let (journal, damage) = opened.map_err(refused)?;
        for damaged in damage.iter().filter(|damaged| damaged.line > 1) {
            let (line, path, reason) = (damaged.line, path.display(), &damaged.reason);
            host.warn(format!("line {line} of `{path}` is damaged ({reason}); its question is asked again"));
        }
        if damage.iter().any(|damaged| damaged.line == 1) {
            host.warn(format!("the first line of `{}` was damaged and is rewritten", path.display()));
        }
        if others > 0 {
            host.warn(format!("{others} lines of `{}` hold no answer and are left out", path.display()));
        }
        Ok(AnswerJournal { journal, known })
    }
}

impl AnswerStore for AnswerJournal {
    fn get(&self, key: &AnswerKey) -> Option<GenerateResult> {
        self.known.get(&rows::digest(&key.0)).cloned()
    }

    fn add(&mut self, key: &AnswerKey, request: &GenerateRequest, answer: &GenerateResult) -> Result<()> {
        let (id, repeat) = (request.sample.id.clone(), request.sample.repeat);
        let record = Record {
            key: rows::digest(&key.0),
            id,
            repeat,
            answer: GenerateResult { rendered: None, ..answer.clone() },
        };
        let json = serde_json::to_string(&record).map_err(|error| {
            PluginError::new(ErrorCode::Other, "an answer cannot be written as JSON").with_cause(&error)
        })?;
        self.journal.append(&json).map_err(refused)?;
        self.known.insert(record.key, record.answer);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.journal.sync().map_err(refused)
    }
}

fn refused(error: JournalError) -> PluginError {
    match &error {
        JournalError::Io { doing, path, source } => failure(doing, path, source),
        JournalError::InUse { path } => {
            let message = format!("another process is writing answers to `{}`", path.display());
            PluginError::new(ErrorCode::Io, message).with_help("wait for it, or give this data another `name`")
        }
        _ => PluginError::new(ErrorCode::Io, error.to_string()),
    }
}

/// Earlier versions wrote answers without a header: a file that begins with an answer gets one.
fn add_header(path: &Path) -> Result<()> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut first = String::new();
    if BufReader::new(file).read_line(&mut first).is_err() || !begins_with_answer(&first) {
        return Ok(());
    }
    let failed = |error: std::io::Error| failure("rewrite", path, &error);
    // Held while it is rewritten: another process may be about to do the same.
    let held = File::options().append(true).open(path).map_err(failed)?;
    if let Err(std::fs::TryLockError::WouldBlock) = held.try_lock() {
        return Err(refused(JournalError::InUse { path: path.to_owned() }));
    }
    examiner_store::atomic::write(path, |file| {
        let header = header().to_string();
        writeln!(file, "{:08x} {header}", crc32fast::hash(header.as_bytes()))?;
        std::io::copy(&mut File::open(path)?, file).map(drop)
    })
    .map_err(failed)
}

fn begins_with_answer(line: &str) -> bool {
    let json = line.split_once(' ').map_or("", |(_, json)| json);
    serde_json::from_str::<Record>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;

    fn answer(text: &str) -> GenerateResult {
        GenerateResult { text: text.to_owned(), tokens_out: 2, ..GenerateResult::default() }
    }

    const KEYS: [&str; 3] = ["a", "b", "c"];

    fn key(name: &str) -> AnswerKey {
        AnswerKey(vec![name.to_owned()])
    }

    fn open(path: &Path) -> (AnswerJournal, usize, usize) {
        let host = FakeHost::new();
        let answers = AnswerJournal::open(path, &host.host()).unwrap();
        let known = KEYS.into_iter().filter(|name| answers.get(&key(name)).is_some()).count();
        (answers, known, host.messages().len())
    }

    fn add(answers: &mut AnswerJournal, name: &str) {
        answers.add(&key(name), &GenerateRequest::default(), &answer(&format!("Grüße {name}\n☃"))).unwrap();
    }

    fn written(path: &Path) -> Vec<u8> {
        let (mut answers, ..) = open(path);
        KEYS.iter().for_each(|name| add(&mut answers, name));
        answers.sync().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn torn_at_every_byte_it_keeps_what_is_complete_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let bytes = written(&path);
        let ends: Vec<usize> = bytes.iter().zip(1..).filter(|(byte, _)| **byte == b'\n').map(|(_, end)| end).collect();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let complete = ends.iter().skip(1).filter(|end| **end <= length).count();
            let (mut answers, known, warnings) = open(&path);
            assert_eq!((known, warnings), (complete, 0), "cut at byte {length}");
            KEYS[complete..].iter().for_each(|name| add(&mut answers, name));
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "cut at byte {length}");
        }
    }

    #[test]
    fn a_flipped_byte_costs_the_answers_it_touches_and_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let bytes = written(&path);
        for index in 0..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x15;
            std::fs::write(&path, &damaged).unwrap();
            let (_, known, warnings) = open(&path);
            assert!(warnings > 0, "byte {index}");
            // A line break that is lost or made touches two lines at most.
            assert!(known >= 1, "byte {index}: {known}");
        }
    }

    #[test]
    fn two_writers_are_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let (answers, ..) = open(&path);
        let error = AnswerJournal::open(&path, &FakeHost::new().host()).err().unwrap();
        assert!(error.message.contains("another process"), "{error}");
        drop(answers);
        open(&path);
    }

    #[test]
    fn answers_of_earlier_versions_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let bytes = written(&path);
        let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        std::fs::write(&path, &bytes[header..]).unwrap();
        let (answers, known, warnings) = open(&path);
        assert_eq!((known, warnings), (3, 0));
        drop(answers);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
