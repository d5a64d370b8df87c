//! Where the benchmark's files are: in a directory, or in the authors' repository.

use examiner_api::{Host, PluginError, Result};
use std::path::{Path, PathBuf};

const REPOSITORY: &str = "https://raw.githubusercontent.com/suzgunmirac/BIG-Bench-Hard/main";
/// Where questions lie below the directory that a suite names.
const QUESTIONS: [&str; 3] = [".", "tasks", "bbh"];
const PROMPTS: &str = "cot-prompts";

/// The directories of questions and prompts; none where they are downloaded.
pub(crate) struct Source {
    questions: Option<PathBuf>,
    prompts: Option<PathBuf>,
}

impl Source {
    /// Looks at what the suite names. Prompts are looked for beside and below the questions.
    pub(crate) fn find(path: Option<&str>, prompts: Option<&str>, host: &Host) -> Result<Self> {
        let root = path.map(|path| host.fetch(path)).transpose()?;
        let questions = root.as_deref().map(questions_in).transpose()?;
        let prompts = match (prompts, &root) {
            (Some(prompts), _) => Some(host.fetch(prompts)?),
            (None, Some(root)) => {
                let beside = root.parent().map(|parent| parent.join(PROMPTS));
                [Some(root.join(PROMPTS)), beside].into_iter().flatten().find(|path| path.is_dir())
            }
            (None, None) => None,
        };
        Ok(Source { questions, prompts })
    }

    /// The tasks of which there is a file, by name.
    pub(crate) fn found(&self) -> Result<Vec<String>> {
        let Some(directory) = &self.questions else {
            return Err(PluginError::bad_options("`tasks: found` looks into the directory `path`, which is not set")
                .with_help("set `path`, or write `tasks: all`"));
        };
        let entries = std::fs::read_dir(directory).map_err(|error| PluginError::io("read", directory, &error))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut names: Vec<String> =
            json.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// The file of a task's questions.
    pub(crate) fn questions(&self, task: &str, host: &Host) -> Result<PathBuf> {
        file(self.questions.as_deref(), &format!("{task}.json"), "bbh", host)
            .map_err(|error| error.with_help("set `path` to a directory that holds the benchmark's `*.json` files"))
    }

    /// The file of a task's worked examples.
    pub(crate) fn prompt(&self, task: &str, host: &Host) -> Result<PathBuf> {
        file(self.prompts.as_deref(), &format!("{task}.txt"), PROMPTS, host).map_err(|error| {
            error.with_help("set `prompts` to the directory of the benchmark's chain-of-thought prompts (`*.txt`)")
        })
    }
}

fn file(directory: Option<&Path>, name: &str, folder: &str, host: &Host) -> Result<PathBuf> {
    let Some(directory) = directory else { return host.fetch(&format!("{REPOSITORY}/{folder}/{name}")) };
    let path = directory.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(PluginError::not_found(format!("there is no `{name}` in `{}`", directory.display()))),
    }
}

fn questions_in(root: &Path) -> Result<PathBuf> {
    let holds_json = |path: &PathBuf| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
    };
    QUESTIONS.into_iter().map(|folder| root.join(folder)).find(holds_json).ok_or_else(|| {
        PluginError::not_found(format!("expected `*.json` files in `{}`, its `tasks` or its `bbh`", root.display()))
            .with_help("set `path` to a checkout of the benchmark, or leave it out to download the files")
    })
}
