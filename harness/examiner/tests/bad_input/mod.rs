//! Bad input, given to the program as a user would give it: what is said names the place and what was expected, and
//! nothing ends in a panic or a signal.
//!
//! - `suites`: files that are no suite, or one with mistakes; options of the command line
//! - `by_schema`: which of these suites an editor refuses, too
//! - `data_files`: rows of `table`, `gsm8k`, `bbh` and `replay`
//! - `checkpoints`: models of `candle` and `onnx`
//! - `plugins`: libraries, links, paths and pins
//!
//! Each row makes its files in a directory of its own and starts the program once.

mod by_schema;
mod checkpoints;
mod data_files;
mod model_files;
mod plugins;
mod suites;

use crate::build;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// The working directory of one row.
struct World(TempDir);

impl World {
    fn new() -> Self {
        World(tempfile::tempdir().unwrap())
    }

    /// The same with one more file.
    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the program says when it refuses to begin: exit status 2 and a message on stderr, nothing on stdout.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.start(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{said}");
        self.plain(&said)
    }

    /// What is in the results of a run with failures: exit status 1, a row for each failure, and its line on stderr.
    fn failed(&self, arguments: &[&str]) -> String {
        let output = self.start(&[&["run", "suite.yaml", "--out", "run"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let mut failures = Vec::new();
        for row in crate::run::summary(&self.path().join("run")) {
            let [model, dataset, message] = ["model", "dataset", "message"].map(|name| &*row[name]);
            if message.is_empty() {
                continue;
            }
            // Where it is samples that failed, the row counts their errors, and the line tells of the first.
            let begins = message.find(" samples are errors").map_or(message, |end| &message[..end]);
            let line = format!("failed: evaluate/{model}/{dataset}: {begins}");
            assert!(said.contains(&line), "`{line}` is not in: {said}");
            let message = message.split(" (log: `").next().unwrap_or(message);
            let failure = format!("{model} on {dataset} {}: {message}", row["status"]);
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        assert!(!failures.is_empty(), "no row tells of a failure: {said}");
        self.plain(&failures.join("\n"))
    }

    /// Whether the program takes it.
    fn succeeds(&self, arguments: &[&str]) {
        let output = self.start(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn start(&self, arguments: &[&str]) -> Output {
        let mut program = build::examiner(self.path());
        // Some libraries put a trace into what they say.
        let output = program.env_remove("RUST_BACKTRACE").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0..=2)), "{}: {said}", output.status);
        assert!(!said.contains("panicked at"), "{said}");
        output
    }

    /// A message without what is another in every run.
    fn plain(&self, said: &str) -> String {
        let real = self.path().canonicalize().unwrap();
        let mut said = said.trim_end().to_owned();
        for (path, name) in [(real.as_path(), "[DIR]"), (self.path(), "[DIR]"), (&build::target(), "[BUILD]")] {
            said = said.replace(path.to_str().unwrap(), name);
        }
        let digits = fancy_regex::Regex::new("[0-9a-f]{64}").unwrap();
        digits.replace_all(&said, "[SHA256]").into_owned()
    }
}
