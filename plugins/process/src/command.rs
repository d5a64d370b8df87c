//! The command line of a program.

use crate::Options;
use examiner_api::{Host, PluginError, Result};
use std::path::{Path, PathBuf};

/// A command whose words have been looked at.
pub(crate) struct CommandLine {
    pub(crate) words: Vec<FoundWord>,
    /// Where the option `files` leads, as absolute paths.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

/// A word of a command.
pub(crate) enum FoundWord {
    /// The absolute path of a file, and what it is called in messages.
    File(PathBuf, String),
    /// Anything else.
    Text(String),
}

impl CommandLine {
    /// Looks for the files of a command.
    ///
    /// # Errors
    /// There is no command, or a file of `files` cannot be had.
    pub(crate) fn find(options: &Options, host: &Host) -> Result<Self> {
        if options.command.first().is_none_or(|word| word.0.is_empty()) {
            return Err(PluginError::bad_options("`command` names no program")
                .with_help("write the program and its arguments, a word each: `command: [python3, model.py]`"));
        }
        let words = options.command.iter().map(|word| found(&word.0)).collect();
        let files = options.files.iter().map(|file| absolute(&host.fetch(&file.0)?)).collect::<Result<_>>()?;
        let directory = options.directory.as_ref().map(|directory| absolute(Path::new(directory))).transpose()?;
        if let Some(directory) = directory.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(PluginError::not_found(format!(
                "`directory`: there is no directory `{}`",
                directory.display()
            )));
        }
        Ok(CommandLine { words, files, directory })
    }

    /// The command as messages name it: without the directories of its files.
    pub(crate) fn label(&self) -> String {
        let name = |word: &FoundWord| match word {
            FoundWord::File(_, name) | FoundWord::Text(name) => name.clone(),
        };
        self.words.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    /// A word that looks like a file and is none: the likely reason why a program cannot start.
    pub(crate) fn missing_file(&self) -> Option<&str> {
        self.words.iter().skip(1).find_map(|word| match word {
            FoundWord::Text(text) if !text.starts_with('-') && Path::new(text).extension().is_some() => Some(&**text),
            _ => None,
        })
    }
}

fn found(word: &str) -> FoundWord {
    let path = Path::new(word);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    match (path.is_file(), std::path::absolute(path), name) {
        (true, Ok(path), Some(name)) => FoundWord::File(path, name),
        _ => FoundWord::Text(word.to_owned()),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| PluginError::io("find", path, &error))
}
