//! What a worker writes to stderr: every line goes to the log, and the last ones are kept for the message about its death.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

/// Lines that are kept.
const LINES: usize = 4;
/// Characters that are kept of a line.
const LINE_CHARS: usize = 200;
/// A line that never ends must not fill the memory: it is cut into pieces of so many bytes.
const LINE_BYTES_MAX: u64 = 1 << 16;

/// The line that a worker writes when its role has ended: what comes after it is of the next.
pub(super) const END_OF_ROLE: &str = "\u{1e}end of role";

/// The last lines.
#[derive(Default)]
pub(super) struct StderrTail {
    lines: Mutex<VecDeque<String>>,
    /// How many roles have ended.
    ended: Mutex<u64>,
    has_ended: Condvar,
}

impl StderrTail {
    /// Reads lines to the end of the stream, and logs them. They need not be text, nor end.
    pub(super) fn listen(&self, stream: impl Read, log: &dyn Fn(String)) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if text == END_OF_ROLE {
                *self.ended.lock() += 1;
                self.has_ended.notify_all();
            } else if !text.is_empty() {
                log(format!("says: {text}"));
                if !is_trace(&text) {
                    self.keep(text);
                }
            }
        }
    }

    /// How many roles have ended.
    pub(super) fn ended(&self) -> u64 {
        *self.ended.lock()
    }

    /// Returns when more than so many roles have ended, or after `timeout`.
    pub(super) fn wait_for_end(&self, before: u64, timeout: Duration) {
        self.has_ended.wait_while_for(&mut self.ended.lock(), |ended| *ended <= before, timeout);
    }

    /// Forgets the lines of an earlier role.
    pub(super) fn clear(&self) {
        self.lines.lock().clear();
    }

    fn keep(&self, mut text: String) {
        if let Some((end, _)) = text.char_indices().nth(LINE_CHARS) {
            text.truncate(end);
            text.push_str("...");
        }
        let mut lines = self.lines.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }

    /// `; its last lines: ...`, or nothing.
    pub(super) fn describe(&self) -> String {
        let lines: Vec<String> = self.lines.lock().iter().cloned().collect();
        match lines.as_slice() {
            [] => String::new(),
            [line] => format!("; its last line: `{line}`"),
            lines => format!("; its last lines: `{}`", lines.join("` `")),
        }
    }
}

/// Whether a line is part of the trace of a panic, which stands below its message: `stack backtrace:`, `12: name`, `at file`.
fn is_trace(line: &str) -> bool {
    let bare = line.trim_start();
    let is_frame = bare
        .split_once(": ")
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    let is_indented = bare.len() < line.len();
    bare == "stack backtrace:"
        || (is_indented && (is_frame || bare.starts_with("at ")))
        || bare.starts_with("note: run with `RUST_BACKTRACE")
        || bare.starts_with("note: Some details are omitted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_are_cut() {
        let listened = |text: &[u8]| {
            let tail = StderrTail::default();
            tail.listen(text, &|_| {});
            tail.describe()
        };
        assert_eq!(listened(b"\n \n"), "");
        assert_eq!(listened(b"one\xff"), "; its last line: `one\u{fffd}`");
        assert_eq!(listened(b"1\n2\n3\n4\n\n5\n"), "; its last lines: `2` `3` `4` `5`");
        let panic = b"thread panicked at x.rs:1:2:\nwhy\nstack backtrace:\n   0: a\n             at ./x.rs:1:2\n  12: b::c\nnote: Some details are omitted, run with `RUST_BACKTRACE=full`\n";
        assert_eq!(listened(panic), "; its last lines: `thread panicked at x.rs:1:2:` `why`");
        assert_eq!(listened(format!("1\n{END_OF_ROLE}\n").as_bytes()), "; its last line: `1`");
        assert_eq!(listened(&[b'x'; 201]), format!("; its last line: `{}...`", "x".repeat(200)));
    }
}
