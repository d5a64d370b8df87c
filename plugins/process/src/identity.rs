//! The fingerprint of a role: what its program says, and the content of all that the program is known to depend on.

use crate::Options;
use crate::command::{CommandLine, FoundWord};
use examiner_api::rows::{digest, fingerprint};
use examiner_api::{PluginError, Result};
use serde_json::Value;
use std::path::Path;

/// What all fingerprints begin with. A change of the rules below is another identity.
const RULES: &str = "process 1";

/// The hash of what a suite says of a program: the words of its command, by their content where they are files; the content of
/// `files`; and `options`. Where the files lie is no part of it.
pub(crate) struct Identity(String);

impl Identity {
    /// Reads all files.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(crate) fn of(command: &CommandLine, options: &Options) -> Result<Self> {
        let word = |word: &FoundWord| match word {
            FoundWord::File(path, _) => Ok(format!("file {}", fingerprint(path)?)),
            FoundWord::Text(text) => Ok(format!("text {text}")),
        };
        let words = command.words.iter().map(word).collect::<Result<Vec<_>>>()?;
        let files = command.files.iter().map(|path| content(path)).collect::<Result<Vec<_>>>()?;
        let options = Value::Object(options.options.clone()).to_string();
        Ok(Identity(digest([digest(words), digest(files), options])))
    }

    /// The fingerprint of a role whose program says `said`, which may be nothing.
    pub(crate) fn fingerprint(&self, said: &str) -> String {
        digest([RULES, &self.0, said])
    }
}

/// The hash of a file, or of the names and contents of all files below a directory. What Python compiles is left out.
fn content(path: &Path) -> Result<String> {
    if path.is_file() {
        return fingerprint(path);
    }
    let failed = |error: std::io::Error| PluginError::io("read", path, &error);
    let mut entries = std::fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut parts = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.file_name() != "__pycache__") {
        parts.push(entry.file_name().to_string_lossy().into_owned());
        parts.push(content(&entry.path())?);
    }
    Ok(digest(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use serde_json::json;

    fn identity(folder: &Path, options: Value) -> String {
        let mut options: Options = serde_json::from_value(options).unwrap();
        for word in &mut options.command {
            let path = folder.join(&word.0);
            if path.is_file() {
                word.0 = path.display().to_string();
            }
        }
        let command = CommandLine::find(&options, &FakeHost::in_dir(folder).host()).unwrap();
        Identity::of(&command, &options).unwrap().fingerprint("")
    }

    #[test]
    fn what_decides_a_result_is_in_it_and_where_it_lies_is_not() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &other] {
            std::fs::write(folder.path().join("model.py"), "1").unwrap();
            std::fs::create_dir_all(folder.path().join("data/__pycache__")).unwrap();
            std::fs::write(folder.path().join("data/rows"), "1").unwrap();
        }
        let options = json!({ "command": ["python3", "model.py"], "files": ["data"], "options": { "n": 1 } });
        let first = identity(one.path(), options.clone());
        assert_eq!(identity(other.path(), options.clone()), first);
        std::fs::write(one.path().join("data/__pycache__/x.pyc"), "1").unwrap();
        assert_eq!(identity(one.path(), options.clone()), first);
        // Limits of time decide nothing.
        let mut patient = options.clone();
        patient["heartbeat_s"] = json!(7);
        assert_eq!(identity(one.path(), patient), first);

        let mut seen = vec![first];
        for (file, text) in [("model.py", "2"), ("data/rows", "2"), ("data/more", "")] {
            std::fs::write(one.path().join(file), text).unwrap();
            seen.push(identity(one.path(), options.clone()));
        }
        for (field, value) in [("options", json!({ "n": 2 })), ("command", json!(["python3", "model.py", "-v"]))] {
            let mut options = options.clone();
            options[field] = value;
            seen.push(identity(one.path(), options));
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
