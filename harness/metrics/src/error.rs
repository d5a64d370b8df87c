//! What can go wrong when answers are measured.

use crate::python_regex::{PatternError, SearchError};

/// A metric or filter that cannot be computed exactly, or at all.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// A name, an option or a value that is not one of the reference implementation's, or not supported.
    #[error("{0}")]
    Unsupported(String),
    /// Where the reference implementation raises an error, too.
    #[error("{0}")]
    Invalid(String),
    /// A pattern that cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A search that was given up.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// What metrics and filters return.
pub type Result<T> = std::result::Result<T, MetricError>;

pub(crate) fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(MetricError::Unsupported(message.into()))
}

pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(MetricError::Invalid(message.into()))
}
