//! Why a model could not be examined on a dataset.

use examiner_api::PluginError;
use examiner_store::journal::JournalError;
use examiner_store::storage;
use examiner_suite::FailOnError;
use std::path::PathBuf;

/// Why a model could not be examined on a dataset, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A role failed.
    #[error(transparent)]
    Role(#[from] PluginError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record cannot be written or read.
    #[error("a record of the journal is not what this version writes: {0}")]
    Record(#[from] serde_json::Error),
    /// There were so many errors that the rest was not asked.
    #[error(
        "gave up after {done} questions: {errors} errors are more than `fail_on_error: {limit}` allows, the first: {first}"
    )]
    GaveUp {
        /// Questions done.
        done: u64,
        /// Errors among them.
        errors: u64,
        /// What the suite allows.
        limit: FailOnError,
        /// One of the errors.
        first: String,
    },
    /// No question fits into the model's context.
    #[error(
        "none of {questions} questions fits into the model's context: the shortest prompt or context that does not has {tokens} tokens, of which the model read the last {read}; use fewer few-shot examples or a model with a longer context, or say `on_truncation: allow` in the suite"
    )]
    NothingFits {
        /// Questions answered.
        questions: u64,
        /// Tokens of the shortest prompt or context that does not fit.
        tokens: u32,
        /// How many of them the model read.
        read: u32,
    },
    /// The directory of the pair's files cannot be made.
    #[error(transparent)]
    Storage(PluginError),
    /// A result file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl EvaluateError {
    /// What it says of the run's own files, if they are what failed.
    pub fn storage(&self) -> Option<PluginError> {
        match self {
            EvaluateError::Storage(error) => Some(error.clone()),
            EvaluateError::Journal(JournalError::Io { doing, path, source }) => {
                Some(storage::failure(&format!("{doing} the journal"), path, source))
            }
            // Any other kind is a record that could not be read.
            EvaluateError::Write { path, source } if source.kind() != std::io::ErrorKind::Other => {
                Some(storage::failure("write", path, source))
            }
            _ => None,
        }
    }
}
