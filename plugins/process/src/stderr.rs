//! What a program writes to stderr: it goes to the log, and the last line is kept for messages.

use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Read};

/// A line that never ends must not fill the memory: it is cut into pieces of so many bytes.
const LINE_BYTES_MAX: u64 = 1 << 16;
/// Characters that are kept of the last line.
const LINE_CHARS: usize = 200;

/// The last line that is not empty.
#[derive(Default)]
pub(crate) struct LastLine(Mutex<String>);

impl LastLine {
    /// Copies lines to this process's stderr, which is the log of the role, until the stream ends. They need not be text.
    pub(crate) fn copy(&self, stream: impl Read) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            eprintln!("{text}");
            if !text.is_empty() {
                *self.0.lock() = text.chars().take(LINE_CHARS).collect();
            }
        }
    }

    /// `; the last line of its stderr: ...`, or nothing.
    pub(crate) fn describe(&self) -> String {
        match &*self.0.lock() {
            line if line.is_empty() => String::new(),
            line => format!("; the last line of its stderr: `{}`", line.trim_start()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_with_words_is_kept() {
        let after = |text: &[u8]| {
            let last = LastLine::default();
            last.copy(text);
            last.describe()
        };
        assert_eq!(after(b"\n \n"), "");
        assert_eq!(after(b"one\n  two\xff\n\n"), "; the last line of its stderr: `two\u{fffd}`");
        assert_eq!(after(&[b'x'; 900]), format!("; the last line of its stderr: `{}`", "x".repeat(200)));
    }
}
