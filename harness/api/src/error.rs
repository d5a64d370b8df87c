//! The one error that crosses the plugin boundary.

use serde::{Deserialize, Serialize};

/// What kind of failure a [`PluginError`] is. The harness decides by it what to retry and what to end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The options in the suite are wrong.
    BadOptions,
    /// A row, a request or a file has content that cannot be used.
    BadInput,
    /// A file, a name or a recorded answer does not exist.
    NotFound,
    /// The role cannot do what was asked of it (score log-likelihoods, say).
    Unsupported,
    /// Reading or writing failed.
    Io,
    /// A server could not be reached or broke off.
    Network,
    /// Credentials are missing or were refused.
    Authentication,
    /// A quota or a cost limit is used up.
    Quota,
    /// A server asked to come back later.
    Overloaded,
    /// An answer did not come in time.
    Timeout,
    /// A number is not a number, or is outside of what is possible.
    Numeric,
    /// The user interrupted the run.
    Cancelled,
    /// The plugin panicked; its state is not to be trusted.
    Panic,
    /// The process that the role ran in died.
    Crashed,
    /// The other side of the boundary broke the protocol.
    Protocol,
    /// Anything else, and any code that a newer version added.
    #[serde(other)]
    Other,
}

impl ErrorCode {
    /// Whether every later request would meet the same failure, so that asking more makes no sense.
    pub fn ends_stage(self) -> bool {
        matches!(
            self,
            ErrorCode::Unsupported
                | ErrorCode::BadOptions
                | ErrorCode::Authentication
                | ErrorCode::Quota
                | ErrorCode::Cancelled
                | ErrorCode::Crashed
        )
    }
}

/// An error as it crosses the plugin boundary, and the pipe to a worker process.
///
/// `message` says what was expected, what was found and where; `help` says what to try next; `causes` are the errors
/// beneath it, outermost first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}", tail(.help, .causes))]
pub struct PluginError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// One sentence: expected, found, where.
    pub message: String,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The errors beneath this one, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

fn tail(help: &Option<String>, causes: &[String]) -> String {
    let mut text: String = causes.iter().map(|cause| format!(": {cause}")).collect();
    if let Some(help) = help {
        text.push_str(&format!(" (help: {help})"));
    }
    text
}

impl PluginError {
    /// An error of the given kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        PluginError { code, message: message.into(), help: None, causes: Vec::new() }
    }

    /// Adds what to try next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error beneath this one, and those beneath it.
    #[must_use]
    pub fn with_cause(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// The sentence and the errors beneath it, without what to try next.
    pub fn chain(&self) -> String {
        format!("{}{}", self.message, tail(&None, &self.causes))
    }

    /// The options in the suite are wrong.
    pub fn bad_options(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadOptions, message)
    }

    /// A row, a request or a file has content that cannot be used.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadInput, message)
    }

    /// A file, a name or a recorded answer does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// The role cannot do what was asked of it.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// Reading or writing `path` failed.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorCode::NotFound,
            _ => ErrorCode::Io,
        };
        Self::new(code, format!("cannot {doing} `{}`", path.display())).with_cause(error)
    }

    /// The plugin panicked with this payload.
    pub fn from_panic(doing: &str, payload: &(dyn std::any::Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a payload that is not text".to_owned());
        Self::new(ErrorCode::Panic, format!("panicked while {doing}: {said}"))
    }
}

impl From<std::io::Error> for PluginError {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorCode::Io, "reading or writing failed").with_cause(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_message_causes_and_help_in_one_line() {
        let error = PluginError::io("open", "rows.jsonl".as_ref(), &std::io::ErrorKind::NotFound.into())
            .with_help("check `path`");
        assert_eq!(error.to_string(), "cannot open `rows.jsonl`: entity not found (help: check `path`)");
        assert_eq!(error.code, ErrorCode::NotFound);
    }

    #[test]
    fn a_code_of_a_newer_version_is_read_as_other() {
        let error: PluginError = serde_json::from_str(r#"{"code":"from-the-future","message":"m"}"#).unwrap();
        assert_eq!(error.code, ErrorCode::Other);
    }
}
