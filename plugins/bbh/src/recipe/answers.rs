//! The teacher's answers, written down as they come: nothing that was paid for is asked again.
//!
//! A line is the CRC-32 of a JSON text in eight hexadecimal digits, a space, and the text. Only an unterminated last line
//! can be the mark of an interruption, and is cut off; a line with another checksum is damage, and costs its answer alone.
//! Errors are never written down.

use examiner_api::{GenerateResult, Host, PluginError, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file of answers, open for more.
pub(super) struct Answers {
    path: PathBuf,
    file: File,
    /// Length of the file, in bytes; ends after a complete line.
    length: u64,
    known: HashMap<String, GenerateResult>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// What decides the answer: the teacher, the prompt and how tokens are chosen.
    key: String,
    /// For people who look for it.
    id: String,
    repeat: u32,
    answer: GenerateResult,
}

impl Answers {
    /// Opens or makes the file, and reads what is in it.
    ///
    /// # Errors
    /// Reading or writing fails, or another process is writing the file.
    pub(super) fn open(path: &Path, host: &Host) -> Result<Self> {
        let io = |doing| move |error| PluginError::io(doing, path, &error);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io("open"))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is writing answers to `{}`", path.display());
                return Err(PluginError::new(examiner_api::ErrorCode::Io, message)
                    .with_help("wait for it, or give this data another `name`"));
            }
            // Some network file systems know no locks; the recipe is then on its own.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let content = std::fs::read(path).map_err(io("read"))?;
        let complete = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut known = HashMap::new();
        for (line, number) in content[..complete].split_inclusive(|byte| *byte == b'\n').zip(1..) {
            match parse(line) {
                Ok(record) => {
                    known.insert(record.key, record.answer);
                }
                Err(what) => {
                    host.warn(format!("line {number} of `{}` {what}; its question is asked again", path.display()));
                }
            }
        }
        let length = complete as u64;
        file.set_len(length).map_err(io("cut the torn last line of"))?;
        Ok(Answers { path: path.to_owned(), file, length, known })
    }

    /// The answer with this key.
    pub(super) fn get(&self, key: &str) -> Option<&GenerateResult> {
        self.known.get(key)
    }

    /// Writes an answer down. Once this has returned, no end of the process can lose it.
    ///
    /// # Errors
    /// Writing fails. What was written of the line is taken back.
    pub(super) fn add(&mut self, key: String, id: &str, repeat: u32, mut answer: GenerateResult) -> Result<()> {
        // The text says it all; tokens are the model's own.
        answer.tokens = Vec::new();
        let record = Record { key, id: id.to_owned(), repeat, answer };
        let json = serde_json::to_string(&record).map_err(|error| {
            PluginError::new(examiner_api::ErrorCode::Other, "an answer cannot be written as JSON").with_cause(&error)
        })?;
        let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // If even this fails, the torn line is cut off when the file is next opened.
            let _ = self.file.set_len(self.length);
            return Err(PluginError::io("append to", &self.path, &error));
        }
        self.length += line.len() as u64;
        self.known.insert(record.key, record.answer);
        Ok(())
    }

    /// Waits until every answer is on disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| PluginError::io("sync", &self.path, &error))
    }
}

impl Drop for Answers {
    /// A process that is being forked holds a copy of the file for a moment, and with it a lock that is not given back.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn parse(line: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?.trim_end_matches('\n');
    let (checksum, json) = text.split_once(' ').ok_or("has no checksum")?;
    if checksum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err("is damaged".to_owned());
    }
    serde_json::from_str(json).map_err(|error| format!("is no answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;

    fn answer(text: &str) -> GenerateResult {
        GenerateResult { text: text.to_owned(), tokens: vec![1, 2], tokens_out: 2, ..GenerateResult::default() }
    }

    const KEYS: [&str; 3] = ["a", "b", "c"];

    fn open(path: &Path) -> (Answers, usize, usize) {
        let host = FakeHost::new();
        let answers = Answers::open(path, &host.host()).unwrap();
        let known = KEYS.into_iter().filter(|key| answers.get(key).is_some()).count();
        (answers, known, host.messages().len())
    }

    fn written(path: &Path) -> Vec<u8> {
        let (mut answers, ..) = open(path);
        for key in KEYS {
            answers.add(key.to_owned(), "navigate-0", 0, answer(&format!("Grüße {key}\n☃"))).unwrap();
        }
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
            let complete = ends.iter().filter(|end| **end <= length).count();
            let (mut answers, known, warnings) = open(&path);
            assert_eq!((known, warnings), (complete, 0), "cut at byte {length}");
            for key in &KEYS[complete..] {
                let text = format!("Grüße {key}\n☃");
                answers.add((*key).to_owned(), "navigate-0", 0, answer(&text)).unwrap();
            }
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "cut at byte {length}");
        }
    }

    #[test]
    fn a_flipped_byte_costs_the_answers_it_touches_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let bytes = written(&path);
        for place in 0..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x15;
            std::fs::write(&path, &damaged).unwrap();
            let (_, known, warnings) = open(&path);
            assert!(warnings > 0, "byte {place}");
            // A line break that is lost or made touches two lines at most.
            assert!(known >= 1 && known < KEYS.len(), "byte {place}: {known}");
        }
    }

    #[test]
    fn two_writers_are_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let (answers, ..) = open(&path);
        let error = Answers::open(&path, &FakeHost::new().host()).err().unwrap();
        assert!(error.message.contains("another process"), "{error}");
        drop(answers);
        open(&path);
    }
}
