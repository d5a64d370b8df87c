//! What is to be done for each stage of a suite.
//!
//! The key decision: one [`Planner`] decides, and both commands use it. `examiner plan` asks it for all stages and prints
//! them; a run asks it for one stage after the other and does what it says. A stage that depends on another's product can
//! only be decided when that product is there: until then it is [`Action::Blocked`].

mod decide;
mod other_runs;
mod planner;
mod tokens;

pub use planner::{Execution, ModelStages, Next, PairStage, Planner, ProducerStage};
pub use tokens::{Known, Tokens};

use crate::evaluate::Survey;
use examiner_api::{ModelInfo, PluginError};
use std::fmt;
use std::path::PathBuf;

/// The stages of a suite, in the order in which they run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stages.
    pub stages: Vec<Stage>,
    /// The models that could be opened, by name, and what they say of themselves.
    pub models: Vec<(String, ModelInfo)>,
}

/// A stage, and what is to be done for it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name: `evaluate/original/gsm8k`.
    pub name: String,
    /// The model that is examined, where one is.
    pub model: Option<String>,
    /// Hash of what it depends on, where that is known before other stages have run.
    pub identity: Option<String>,
    /// What is to be done.
    pub action: Action,
    /// Its questions and requests, where it has any.
    pub survey: Option<Survey>,
    /// The tokens of these requests.
    pub tokens: Option<Tokens>,
    /// The other run whose answers are used, if there is one.
    pub from: Option<PathBuf>,
}

/// What is to be done for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: an earlier run did it, and its result is there.
    Reuse,
    /// The rest: an earlier run did a part of it that still holds.
    Resume(Remaining),
    /// Everything.
    Run(Reason),
    /// Nothing yet, or nothing at all.
    Blocked(Obstacle),
}

/// What an earlier run left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remaining {
    /// Some questions have no record that holds.
    Questions {
        /// Questions with a record that holds.
        done: u64,
        /// All questions.
        total: u64,
        /// The inputs that have changed since.
        changed: Vec<String>,
    },
    /// The stage was interrupted or failed; what it left in its directory is used.
    Unfinished,
    /// Only the recipe knows whether its questions are still the same: it is followed again, and asks nothing twice.
    Recipe,
}

/// Why a stage is run from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No earlier run has anything of it.
    New,
    /// Inputs that have changed since the earlier run, by name.
    Changed(Vec<String>),
    /// No record of the earlier run holds, although no input has changed.
    NoRecords,
    /// What the earlier run made is gone, or a file of it.
    ProductMissing(PathBuf),
    /// A file of what the earlier run made has another content.
    ProductChanged(PathBuf),
}

/// Why a stage cannot be decided or run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// This stage has to run first.
    Stage(String),
    /// It cannot run.
    Error(PluginError),
    /// The run's own files cannot be read.
    Storage(PluginError),
}

impl Action {
    /// The action in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Action::Reuse => "reuse",
            Action::Resume(_) => "resume",
            Action::Run(_) => "run",
            Action::Blocked(Obstacle::Stage(_)) => "blocked",
            Action::Blocked(Obstacle::Error(_) | Obstacle::Storage(_)) => "fail",
        }
    }

    /// Whether the stage cannot run.
    pub fn is_failure(&self) -> bool {
        matches!(self, Action::Blocked(Obstacle::Error(_) | Obstacle::Storage(_)))
    }
}

/// Why: `changed: dataset; 5 of 6 records still hold`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Reuse => f.write_str("nothing it depends on has changed"),
            Action::Resume(Remaining::Questions { done, total, changed }) if changed.is_empty() => {
                write!(f, "{done} of {total} done")
            }
            Action::Resume(Remaining::Questions { done, changed, .. }) => {
                write!(f, "changed: {}; {done} records still hold", changed.join(", "))
            }
            Action::Resume(Remaining::Unfinished) => f.write_str("was not finished"),
            Action::Resume(Remaining::Recipe) => f.write_str("the recipe is followed again; nothing is asked twice"),
            Action::Run(Reason::New) => f.write_str("new"),
            Action::Run(Reason::Changed(changed)) => write!(f, "changed: {}", changed.join(", ")),
            Action::Run(Reason::NoRecords) => f.write_str("no record of the earlier run holds"),
            Action::Run(Reason::ProductMissing(path)) => write!(f, "`{}` is gone", path.display()),
            Action::Run(Reason::ProductChanged(path)) => {
                write!(f, "`{}` is not what the stage left there", path.display())
            }
            Action::Blocked(Obstacle::Stage(stage)) => write!(f, "after `{stage}`"),
            Action::Blocked(Obstacle::Error(error) | Obstacle::Storage(error)) => write!(f, "{error}"),
        }
    }
}
