//! What a worker says: every line goes to the log, and the last ones are kept, to stand beside its death.

use super::connection::lock;
use examiner_api::Host;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::Mutex;

const LAST: usize = 4;
const LONGEST: usize = 200;

/// The last lines.
#[derive(Default)]
pub(super) struct StderrTail {
    last: Mutex<VecDeque<String>>,
}

impl StderrTail {
    /// Takes lines to the end of the stream. They need not be text, nor end.
    pub(super) fn listen(&self, stream: impl Read, host: &Host) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        // A line that never ends must not fill the memory.
        while (&mut stream).take(1 << 16).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if !text.is_empty() {
                host.info(format!("says: {text}"));
                self.note(text);
            }
        }
    }

    fn note(&self, mut text: String) {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push_str("...");
        }
        let mut last = lock(&self.last);
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(text);
    }

    /// `; its last lines: ...`, or nothing.
    pub(super) fn tail(&self) -> String {
        let last = lock(&self.last);
        let lines: Vec<&str> = last.iter().map(String::as_str).collect();
        match lines.len() {
            0 => String::new(),
            1 => format!("; its last line: `{}`", lines[0]),
            _ => format!("; its last lines: `{}`", lines.join("` `")),
        }
    }
}
