//! What a suite says of the dataset `lm-eval`.

use crate::python_tasks::{UsePython, heartbeat_s, python_program};
use examiner_api::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// The options of the dataset `lm-eval`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The name of a task, a group or a tag of lm-evaluation-harness, or a list of those.
    pub task: TaskNames,
    /// The directory of tasks, or one that holds `lm_eval/tasks`; `lm_eval==0.4.13` is that of a version, which is downloaded once. Where it
    /// is left out, the directory in the variable `LM_EVAL_TASKS`, else that of `python_program` where `python` is set, else that of the
    /// installed lm-evaluation-harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_dir: Option<String>,
    /// How many few-shot examples stand before each question; what the task says where it is left out. A task that says 0 keeps it, as
    /// under `--num_fewshot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_fewshot: Option<usize>,
    /// What random few-shot examples are drawn by; that of lm-evaluation-harness where it is left out.
    #[serde(default = "fewshot_seed")]
    pub fewshot_seed: i64,
    /// At most so many documents of each task, the first ones, as under `--limit`. (The suite's own `limit` counts the samples
    /// of all tasks.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_task: Option<usize>,
    /// A directory with `ORG/NAME/README.md` and the data of each dataset, which is read instead of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_mirror: Option<String>,
    /// Whether tasks that do not run without it are run by lm-evaluation-harness itself, in a Python of yours in which `lm_eval` is
    /// installed; `examiner tasks` says which those are. `always` has it run all tasks, which shows whether the numbers are the same.
    #[serde(default, skip_serializing_if = "UsePython::is_off")]
    pub python: UsePython,
    /// The Python that does so: a program on `PATH`, or a path such as `./venv/bin/python`.
    #[serde(default = "python_program")]
    #[schemars(extend("format" = "command-word"))]
    pub python_program: String,
    /// Names of variables of the environment that look like secrets and that this Python gets all the same: `[HF_TOKEN]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// Seconds after which this Python is ended if it sends nothing, not even a heartbeat.
    #[serde(default = "heartbeat_s")]
    pub heartbeat_s: f64,
}

fn fewshot_seed() -> i64 {
    1234
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name of a task, or a list of names")]
pub enum TaskNames {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl TaskNames {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            TaskNames::One(name) => std::slice::from_ref(name),
            TaskNames::Many(names) => names,
        }
    }
}
