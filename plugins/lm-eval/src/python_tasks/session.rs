//! A Python in which lm-evaluation-harness runs tasks.

use super::document::{Asked, Document};
use super::options::Interpreter;
use super::program::{Program, SCRIPT};
use examiner_api::{ErrorCode, Host, PluginError, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A task, as it is named in calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskCall {
    /// Its name.
    pub(crate) task: String,
    /// The file that it stands in.
    pub(crate) path: PathBuf,
    /// What a group says differently.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) overrides: Map<String, Json>,
    /// How many few-shot examples stand before each question, where the task does not say 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) num_fewshot: Option<usize>,
    /// What the random examples begin with.
    pub(crate) fewshot_seed: i64,
}

/// What a task reports.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    pub(super) metrics: Vec<Metric>,
    pub(super) filters: Vec<String>,
    pub(super) target_delimiter: Option<String>,
}

/// A metric.
#[derive(Debug, Deserialize)]
pub(super) struct Metric {
    pub(super) name: String,
    /// The aggregation, where it is one of lm-evaluation-harness.
    pub(super) aggregation: Option<String>,
    pub(super) higher_is_better: bool,
}

/// What a document came to under one filter.
#[derive(Debug, Deserialize)]
pub(crate) struct Judged {
    /// The filter.
    pub(crate) filter: String,
    /// What it made of the first answer.
    pub(crate) shown: String,
    /// Metrics, as `values.py` writes them.
    pub(crate) metrics: Map<String, Json>,
}

/// The answers to each request of a document: log-likelihoods, pairs of one and whether it is greedy, or texts.
pub(crate) type Answers = Vec<Vec<Json>>;

/// What was found of lm-evaluation-harness.
#[derive(Debug, Clone, Deserialize)]
struct Found {
    python: String,
    /// Versions of what decides results, by package.
    versions: BTreeMap<String, Option<String>>,
}

/// A Python in which lm-evaluation-harness runs tasks.
pub(crate) struct Session {
    program: Program,
    found: Found,
    /// Values that Python knows by their place, for each aggregation.
    known: HashMap<String, HashMap<Vec<u64>, usize>>,
    is_ended: bool,
}

/// What Python sends.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Item(Json),
    Value(Json),
    Error(Failure),
}

/// Why a call failed.
#[derive(Debug, Deserialize)]
struct Failure {
    kind: String,
    message: String,
    traceback: String,
}

/// A call.
#[derive(Serialize)]
struct Call<'a, T> {
    method: &'a str,
    #[serde(flatten)]
    with: T,
}

impl Session {
    /// Starts Python, and has it import lm-evaluation-harness.
    ///
    /// # Errors
    /// There is no such Python, no `lm_eval` in it, or one of another version than the tasks are of.
    pub(crate) fn start(interpreter: &Interpreter, host: &Host) -> Result<Self> {
        Session::of(Program::start(interpreter, SCRIPT, host)?, interpreter)
    }

    /// Has a program that runs import lm-evaluation-harness.
    pub(super) fn of(program: Program, interpreter: &Interpreter) -> Result<Self> {
        let found = Found { python: String::new(), versions: BTreeMap::new() };
        let mut session = Session { program, found, known: HashMap::new(), is_ended: false };
        let (directory, mirror) = (&interpreter.tasks_dir, &interpreter.hub_mirror);
        let mirror = mirror.as_ref().map(std::path::absolute).transpose()?;
        let wanted = version_of_tasks(directory);
        let expected = wanted.as_deref().unwrap_or("0.4.13");
        let install = format!(
            "install it there, `{} -m pip install lm_eval=={expected}`, or name another Python by `python_program`",
            interpreter.program
        );
        let opened = session.call("open", json!({ "tasks_dir": directory, "hub_mirror": mirror }), &mut |_| Ok(()))?;
        session.found = match opened {
            Ok(found) => session.read(found, "what `lm_eval` is")?,
            Err(Failure { kind, message, .. }) if kind == "missing" || kind == "old" => {
                let label = session.program.label();
                let what = format!("expected lm_eval {expected} in {label}, found: {message}");
                return Err(PluginError::not_found(what).with_help(install));
            }
            Err(failure) => return Err(raised("importing `lm_eval`", &failure)),
        };
        let installed = session.version("lm_eval");
        match wanted {
            Some(wanted) if wanted != installed => {
                let what = format!(
                    "the tasks of `{}` are those of lm_eval {wanted}, expected the same version in {}, found {installed}",
                    directory.display(),
                    session.program.label()
                );
                Err(PluginError::bad_options(what)
                    .with_help(format!("{install}; or say `tasks_dir: lm_eval=={installed}`")))
            }
            _ => Ok(session),
        }
    }

    /// The version of a package, as a text.
    fn version(&self, package: &str) -> String {
        self.found.versions.get(package).cloned().flatten().unwrap_or_else(|| "none".to_owned())
    }

    /// What results depend on besides the tasks.
    pub(super) fn versions(&self) -> String {
        let minor = self.found.python.rsplit_once('.').map_or("", |(minor, _)| minor);
        format!("python {minor} {}", json!(self.found.versions))
    }

    /// What a task reports.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn describe(&mut self, task: &TaskCall) -> Result<Description> {
        let described = self.call("describe", task, &mut |_| Ok(()))?;
        let described = described.map_err(|failure| of_task(&task.task, None, &failure))?;
        self.read(described, "what a task reports")
    }

    /// The Python files of tasks that are imported by now, sorted.
    ///
    /// # Errors
    /// Python has ended.
    pub(crate) fn imported(&mut self) -> Result<Vec<PathBuf>> {
        let files = self.call("files", json!({}), &mut |_| Ok(()))?;
        let files = files.map_err(|failure| raised("the files of tasks", &failure))?;
        self.read(files, "paths")
    }

    /// Each document of a task, in order.
    ///
    /// # Errors
    /// A prompt cannot be made, or what `take` says.
    pub(super) fn documents(
        &mut self,
        task: &TaskCall,
        limit: Option<usize>,
        take: &mut dyn FnMut(Document) -> Result<()>,
    ) -> Result<()> {
        #[derive(Serialize)]
        struct With<'a> {
            #[serde(flatten)]
            task: &'a TaskCall,
            limit: Option<usize>,
        }
        let mut number = 0;
        let mut one = |json: Json| {
            let document: Document = serde_json::from_value(json).map_err(|error| {
                let message =
                    format!("task `{}`, document {number}: Python tells it otherwise than expected", task.task);
                PluginError::new(ErrorCode::Protocol, message).with_cause(&error)
            })?;
            number += 1;
            take(document)
        };
        let ended = self.call("documents", With { task, limit }, &mut one)?;
        ended.map(drop).map_err(|failure| of_task(&task.task, None, &failure))
    }

    /// What the answers to a document's requests are worth.
    ///
    /// # Errors
    /// The task's code fails, or the document is another one: the inner error. Python has ended: the outer one.
    pub(crate) fn judge(&mut self, task: &TaskCall, asked: &Asked, answers: Answers) -> Result<Result<Vec<Judged>>> {
        let requests: Vec<Json> = asked
            .requests
            .iter()
            .map(|request| json!({ "type": request.kind, "idx": request.idx, "repeats": request.repeats, "arguments": [] }))
            .collect();
        let mut with = json!(task);
        with["id"] = json!(asked.id);
        with["hash"] = json!(asked.hash);
        with["requests"] = json!(requests);
        with["responses"] = json!(answers);
        match self.call("judge", with, &mut |_| Ok(()))? {
            Ok(judged) => self.read(judged, "verdicts").map(Ok),
            Err(failure) => Ok(Err(of_task(&task.task, Some(asked.id), &failure))),
        }
    }

    /// The value of all documents of a metric. `task` is none for an aggregation of lm-evaluation-harness itself. Each value is told by
    /// numbers that stand for it, and by itself where Python does not know it yet.
    ///
    /// # Errors
    /// The aggregation fails, or Python has ended.
    pub(crate) fn aggregate(
        &mut self,
        task: Option<&TaskCall>,
        metric: &str,
        statistics: &[&[f64]],
        value_of: &dyn Fn(&[f64]) -> Option<Json>,
    ) -> Result<f64> {
        let known = self.known.entry(json!([task.map(|task| &task.task), metric]).to_string()).or_default();
        let (mut places, mut new) = (Vec::with_capacity(statistics.len()), Vec::new());
        let mut bits = Vec::new();
        for numbers in statistics {
            bits.clear();
            bits.extend(numbers.iter().map(|number| number.to_bits()));
            let place = match known.get(&bits) {
                Some(place) => *place,
                None => {
                    let value = value_of(numbers).ok_or_else(|| {
                        PluginError::bad_input(format!("the statistics of `{metric}` are not those of this scorer"))
                    })?;
                    new.push(value);
                    known.insert(bits.clone(), known.len());
                    known.len() - 1
                }
            };
            places.push(place);
        }
        let with = json!({ "task": task, "metric": metric, "places": places, "new": new });
        match self.call("aggregate", with, &mut |_| Ok(()))? {
            Ok(value) => self.read(value, "a number"),
            Err(failure) => {
                Err(PluginError::new(ErrorCode::Numeric, format!("{}: {}", failure.message, failure.traceback)))
            }
        }
    }

    /// Whether Python has ended, or is out of step: another one is needed.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Makes a call. The outer error is that of Python as a process.
    fn call(
        &mut self,
        method: &str,
        with: impl Serialize,
        take: &mut dyn FnMut(Json) -> Result<()>,
    ) -> Result<Result<Json, Failure>> {
        let ended = self.exchange(method, with, take);
        self.is_ended |= ended.is_err();
        ended
    }

    fn exchange(
        &mut self,
        method: &str,
        with: impl Serialize,
        take: &mut dyn FnMut(Json) -> Result<()>,
    ) -> Result<Result<Json, Failure>> {
        let mut line = serde_json::to_vec(&Call { method, with })
            .map_err(|error| PluginError::bad_input("cannot write a call of Python").with_cause(&error))?;
        line.push(b'\n');
        self.program.send(&line)?;
        loop {
            let line = self.program.next_line()?;
            match serde_json::from_slice(&line) {
                Ok(Line::Item(item)) => take(item)?,
                Ok(Line::Value(value)) => return Ok(Ok(value)),
                Ok(Line::Error(failure)) => return Ok(Err(failure)),
                Err(_) => return Err(self.program.breach(&format!("a line of `{method}`"), &line)),
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, value: Json, expected: &str) -> Result<T> {
        let text = value.to_string();
        serde_json::from_value(value).map_err(|_| self.program.breach(expected, text.as_bytes()))
    }
}

/// A failure of a task's own code.
fn of_task(task: &str, document: Option<u64>, failure: &Failure) -> PluginError {
    let place = document.map_or_else(String::new, |document| format!(", document {document}"));
    let place = format!("task `{task}`{place}");
    match failure.kind.as_str() {
        "impossible" => {
            PluginError::unsupported(format!("the {place} cannot be run, not by Python either: {}", failure.message))
                .with_help("leave this task out")
        }
        "changed" => PluginError::bad_input(format!("{place}: {}", failure.message)).with_help(
            "the data set or the task has changed since the model was asked, or draws by chance: run it again",
        ),
        "value" | "document" => PluginError::bad_input(format!("{place}: {}", failure.message)),
        _ => raised(&place, failure),
    }
}

fn raised(place: &str, failure: &Failure) -> PluginError {
    let mut error = PluginError::bad_input(format!("{place}: Python raises `{}`", failure.message))
        .with_help("is a package missing in this Python, or a data set? The log of the stage has the whole traceback");
    error.causes.push(failure.traceback.clone());
    error
}

/// The version of lm-evaluation-harness that a directory of tasks belongs to, where that can be told from what lies beside it: an installed
/// package, an unpacked wheel, or the sources.
fn version_of_tasks(tasks: &Path) -> Option<String> {
    let beside = tasks.parent()?.parent()?;
    let version = |name: &str| name.strip_prefix("lm_eval-").map(|rest| rest.trim_end_matches(".dist-info").to_owned());
    if let Some(version) = beside.file_name().and_then(|name| name.to_str()).and_then(version) {
        return Some(version);
    }
    let names = std::fs::read_dir(beside).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut installed = names.filter(|name| name.ends_with(".dist-info")).filter_map(|name| version(&name));
    if let Some(version) = installed.next() {
        return Some(version);
    }
    let sources = std::fs::read_to_string(beside.join("pyproject.toml")).ok()?;
    let is_own = sources.lines().any(|line| line.trim() == "name = \"lm_eval\"");
    let version = sources.lines().find_map(|line| line.trim().strip_prefix("version = \"")?.strip_suffix('"'));
    version.filter(|_| is_own).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_tasks_is_told_by_what_lies_beside_them() {
        let root = tempfile::tempdir().unwrap();
        let tasks = |name: &str| {
            let tasks = root.path().join(name).join("lm_eval/tasks");
            std::fs::create_dir_all(&tasks).unwrap();
            tasks
        };
        assert_eq!(version_of_tasks(&tasks("lm_eval-0.4.12")), Some("0.4.12".into()));
        let installed = tasks("site-packages");
        assert_eq!(version_of_tasks(&installed), None);
        std::fs::create_dir(root.path().join("site-packages/lm_eval-0.4.13.dist-info")).unwrap();
        assert_eq!(version_of_tasks(&installed), Some("0.4.13".into()));
        let sources = tasks("checkout");
        let write = |text: &str| std::fs::write(root.path().join("checkout/pyproject.toml"), text).unwrap();
        write("[project]\nname = \"lm_eval\"\nversion = \"0.4.10\"\n");
        assert_eq!(version_of_tasks(&sources), Some("0.4.10".into()));
        write("[project]\nname = \"mine\"\nversion = \"1.0\"\n");
        assert_eq!(version_of_tasks(&sources), None);
    }
}
