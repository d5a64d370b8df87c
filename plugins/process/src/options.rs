//! What a suite says of a program.

use examiner_api::{Metadata, PluginError, Result, schemars};
use serde::Deserialize;
use std::time::Duration;

/// What a suite says of a program; the same for every role.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The program and its arguments, a word each: `[python3, model.py]`. No shell reads them. A word that names a file beside the
    /// suite, or else in the working directory, is that file; any other stays as it is.
    pub command: Vec<Word>,
    /// Files and directories whose content decides the results besides: data, weights, modules that the program imports. The program
    /// is told where they lie.
    #[serde(default)]
    pub files: Vec<FilePath>,
    /// What the program gets. It may publish a schema, against which this is checked when the role is opened.
    #[serde(default)]
    pub options: Metadata,
    /// The directory in which the program runs; without it, the working directory.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub directory: Option<String>,
    /// Names of variables of the environment that look like secrets and that the program gets all the same: `[HF_TOKEN]`.
    #[serde(default)]
    pub pass_env: Vec<String>,
    /// Seconds in which the first line of the program must come.
    #[serde(default = "start_s")]
    pub start_s: f64,
    /// Seconds after which a program is ended that has sent nothing while it was to work, not even a heartbeat.
    #[serde(default = "heartbeat_s")]
    pub heartbeat_s: f64,
}

/// A word of a command.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars", inline)]
#[schemars(extend("format" = "command-word", "x-identity" = "content"))]
#[serde(transparent)]
pub struct Word(pub String);

/// A file or a directory.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars", inline)]
#[schemars(extend("format" = "path", "x-identity" = "content"))]
#[serde(transparent)]
pub struct FilePath(pub String);

fn start_s() -> f64 {
    120.0
}

fn heartbeat_s() -> f64 {
    60.0
}

/// How long a program may say nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Before its first line.
    pub(crate) start: Duration,
    /// Between lines, while it is to work.
    pub(crate) heartbeat: Duration,
}

impl Options {
    /// The limits of time.
    ///
    /// # Errors
    /// One that is no time.
    pub(crate) fn limits(&self) -> Result<Limits> {
        let limit = |name: &str, seconds: f64| {
            let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
            limit.ok_or_else(|| {
                PluginError::bad_options(format!("`{name}`: expected a number of seconds above 0, found `{seconds}`"))
            })
        };
        Ok(Limits { start: limit("start_s", self.start_s)?, heartbeat: limit("heartbeat_s", self.heartbeat_s)? })
    }
}
