//! What a suite says of Python.

use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Which tasks lm-evaluation-harness's own Python code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `true`, `false` or `always`")]
#[schemars(crate = "schemars")]
pub enum UsePython {
    /// `true`: those that do not run without it. `false`: none.
    Needed(bool),
    /// All of them.
    Always(Always),
}

/// The word for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(crate = "schemars")]
pub enum Always {
    /// The word.
    Always,
}

impl Default for UsePython {
    fn default() -> Self {
        UsePython::Needed(false)
    }
}

impl UsePython {
    /// Whether a task is run by Python that does not run without it.
    pub(crate) fn where_needed(self) -> bool {
        self != UsePython::Needed(false)
    }

    /// Whether every task is.
    pub(crate) fn everywhere(self) -> bool {
        matches!(self, UsePython::Always(_))
    }

    /// Whether no task is.
    pub(crate) fn is_off(&self) -> bool {
        !self.where_needed()
    }
}

/// The program where a suite names none.
pub(crate) fn python_program() -> String {
    "python3".to_owned()
}

/// Seconds after which a Python that says nothing is ended, where a suite says nothing.
pub(crate) fn heartbeat_s() -> f64 {
    60.0
}

/// The Python that runs tasks, and where it finds them. It travels from the dataset to the scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interpreter {
    /// The program.
    pub(crate) program: String,
    /// The directory of tasks.
    pub(crate) tasks_dir: PathBuf,
    /// What is read instead of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hub_mirror: Option<String>,
    /// Variables that look like secrets and that it gets all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pass_env: Vec<String>,
    /// Seconds after which it is ended if it says nothing.
    #[serde(default = "heartbeat_s")]
    pub(crate) heartbeat_s: f64,
}

impl Interpreter {
    /// How long it may say nothing.
    ///
    /// # Errors
    /// That is no time.
    pub(crate) fn silence(&self) -> Result<Duration> {
        let limit = Duration::try_from_secs_f64(self.heartbeat_s).ok().filter(|limit| !limit.is_zero());
        limit.ok_or_else(|| {
            let found = self.heartbeat_s;
            PluginError::bad_options(format!("`heartbeat_s`: expected a number of seconds above 0, found `{found}`"))
        })
    }
}
