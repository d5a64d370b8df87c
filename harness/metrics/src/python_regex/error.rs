//! What can go wrong with a pattern.

/// A pattern that is not one of Python's, or that says something which is not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the pattern `{pattern}`: {message}{}", at.map_or_else(String::new, |at| format!(" at position {at}")))]
pub struct PatternError {
    /// The pattern, or the replacement.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
    /// Where, counted in characters from 0.
    pub at: Option<usize>,
}

/// A search that was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot search with the pattern `{pattern}`: it took more than {steps} steps in a text of {length} characters; rewrite it without nested repetition"
)]
pub struct SearchError {
    /// The pattern.
    pub pattern: String,
    /// How many steps were allowed.
    pub steps: u64,
    /// The length of the text that was searched.
    pub length: usize,
}
