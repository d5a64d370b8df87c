//! What happens, for programs: a JSON object on each line.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Progress of a task is reported at most so often.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// The lines of events.
pub struct Events {
    out: Mutex<Box<dyn Write + Send>>,
    on_stderr: bool,
}

impl Events {
    /// Events on stderr, where nothing else is written then.
    pub fn on_standard_error() -> Self {
        Events { out: Mutex::new(Box::new(std::io::stderr())), on_stderr: true }
    }

    /// Events at the end of a file, or in a named pipe.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn in_file(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::File::options().create(true).append(true).open(path)?;
        Ok(Events { out: Mutex::new(Box::new(file)), on_stderr: false })
    }

    pub(super) fn on_stderr(&self) -> bool {
        self.on_stderr
    }

    /// A line for people.
    pub(super) fn message(&self, level: &str, text: &str) {
        self.send("message", json!({ "level": level, "text": text }));
    }

    /// The end of a command that ran something, and where the results are.
    pub fn finished(&self, status: &str, exit_status: u8, directory: Option<&Path>, failures: &[String]) {
        let summary = directory.map(|directory| directory.join("summary.csv"));
        self.send(
            "finished",
            json!({
                "status": status, "exit_status": exit_status, "directory": directory, "summary": summary,
                "failures": failures,
            }),
        );
    }

    /// Writes an event: its name and the time come first.
    pub(super) fn send(&self, event: &str, fields: Value) {
        let mut line = serde_json::Map::new();
        line.insert("event".to_owned(), event.into());
        line.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // Whoever reads may be gone; the work is not for them alone.
        let mut out = self.out.lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
