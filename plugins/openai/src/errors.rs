//! What went wrong, whose error it is, and whether trying again may help.

use examiner_api::{ErrorCode, PluginError};
use serde_json::Value;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: PluginError,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every other request would meet it, too.
    Everything,
    /// It is this request's own.
    Request,
    /// The server has too much: later. `is_rate` tells a limit of requests (429) from load (503, 529).
    Overloaded { is_rate: bool },
    /// Trying again may help; the server may have worked, and charged, for nothing.
    Passing { may_be_charged: bool },
}

impl Failure {
    pub(crate) fn new(kind: Kind, code: ErrorCode, message: impl Into<String>) -> Self {
        Failure { kind, error: PluginError::new(code, message) }
    }

    /// An answer that cannot be read. What was computed for it may be charged.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(Kind::Passing { may_be_charged: true }, ErrorCode::Network, message)
    }

    /// The request's own error.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(Kind::Request, ErrorCode::BadInput, message)
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.error = self.error.with_help(help);
        self
    }
}

/// What an answer with an error says. `known_good` is whether this server has answered well before.
pub(crate) fn of_status(status: u16, body: &str, url: &str, known_good: bool) -> Failure {
    let body_error = ErrorBody::read(body);
    let message = format!("`{url}` answered {status}{}", body_error.tail());
    let everything = |code, help: &str| Failure::new(Kind::Everything, code, &message).with_help(help);
    let is = |word: &str| body_error.code.contains(word) || body_error.kind.contains(word);
    let mentions = |words: &str| body_error.message.to_lowercase().contains(words);
    match status {
        401 | 403 => everything(ErrorCode::Authentication, "check the key in the variable that `api_key_env` names"),
        402 => everything(ErrorCode::Quota, "look at the account's balance"),
        429 if is("insufficient_quota") || is("billing") => {
            everything(ErrorCode::Quota, "the account's quota is used up; look at its plan and balance")
        }
        404 | 405 if !known_good || is("model_not_found") => {
            everything(ErrorCode::BadOptions, "check `model` and `base_url` (most end in `/v1`)")
        }
        300..=399 => {
            everything(ErrorCode::BadOptions, "set `base_url` to where it leads; the key is sent nowhere else")
        }
        408 => Failure::new(Kind::Passing { may_be_charged: false }, ErrorCode::Timeout, message),
        429 => Failure::new(Kind::Overloaded { is_rate: true }, ErrorCode::Overloaded, message),
        503 | 529 => Failure::new(Kind::Overloaded { is_rate: false }, ErrorCode::Overloaded, message),
        409 | 425 | 500..=599 => Failure::new(Kind::Passing { may_be_charged: false }, ErrorCode::Network, message),
        _ if is("context_length") || mentions("context length") || mentions("maximum context") => {
            Failure::request(message).with_help("fewer `shots`, or a smaller `max_new_tokens`")
        }
        _ if is("content_filter") || is("content_policy") => {
            Failure::request(message).with_help("the server's filter does not let this prompt through")
        }
        _ => Failure::request(message),
    }
}

/// An error in an answer that calls itself a success, as proxies send them.
pub(crate) fn in_body(body: &Value, url: &str) -> Option<Failure> {
    let error = body.get("error").filter(|error| !error.is_null())?;
    let code = error.get("code").or_else(|| error.get("status"));
    let status = code.and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    Some(of_status(status.unwrap_or(502), &body.to_string(), url, true))
}

/// What the body of an error says.
#[derive(Default)]
struct ErrorBody {
    message: String,
    code: String,
    kind: String,
}

const LONGEST: usize = 300;

impl ErrorBody {
    fn read(body: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(body) else {
            return ErrorBody { message: body.trim().to_owned(), ..ErrorBody::default() };
        };
        let error = value.get("error").unwrap_or(&value);
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let message = match error.as_str() {
            Some(message) => message.to_owned(),
            None => {
                ["message", "detail"].iter().map(|name| text(name)).find(|text| !text.is_empty()).unwrap_or_default()
            }
        };
        ErrorBody { message, code: text("code"), kind: text("type") }
    }

    /// `: Rate limit reached (rate_limit_exceeded)`
    fn tail(&self) -> String {
        let mut message: String = self.message.chars().take(LONGEST).collect();
        if message.len() < self.message.len() {
            message.push('…');
        }
        let code = if self.code.is_empty() { &self.kind } else { &self.code };
        match (message.is_empty(), code.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(": {code}"),
            (false, true) => format!(": {message}"),
            (false, false) => format!(": {message} ({code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_code_and_its_consequence() {
        let error = |code: &str| format!(r#"{{"error": {{"message": "m", "code": "{code}"}}}}"#);
        let of = |status, code: &str, known| {
            let failure = of_status(status, &error(code), "u", known);
            (failure.kind, failure.error.code)
        };
        let passing = Kind::Passing { may_be_charged: false };
        assert_eq!(of(401, "", true), (Kind::Everything, ErrorCode::Authentication));
        assert_eq!(of(403, "", true), (Kind::Everything, ErrorCode::Authentication));
        assert_eq!(of(402, "", true), (Kind::Everything, ErrorCode::Quota));
        assert_eq!(of(429, "insufficient_quota", true), (Kind::Everything, ErrorCode::Quota));
        assert_eq!(of(429, "x", true), (Kind::Overloaded { is_rate: true }, ErrorCode::Overloaded));
        assert_eq!(of(503, "", true), (Kind::Overloaded { is_rate: false }, ErrorCode::Overloaded));
        assert_eq!(of(529, "", true), (Kind::Overloaded { is_rate: false }, ErrorCode::Overloaded));
        assert_eq!(of(500, "", true), (passing, ErrorCode::Network));
        assert_eq!(of(408, "", true), (passing, ErrorCode::Timeout));
        assert_eq!(of(400, "context_length_exceeded", true), (Kind::Request, ErrorCode::BadInput));
        assert_eq!(of(422, "", false), (Kind::Request, ErrorCode::BadInput));
        assert_eq!(of(404, "model_not_found", true), (Kind::Everything, ErrorCode::BadOptions));
        assert_eq!(of(404, "", false), (Kind::Everything, ErrorCode::BadOptions));
        assert_eq!(of(404, "", true), (Kind::Request, ErrorCode::BadInput));
        assert_eq!(of(302, "", false), (Kind::Everything, ErrorCode::BadOptions));
    }

    #[test]
    fn says_what_the_server_said() {
        let failure =
            of_status(500, r#"{"error": {"message": "broken", "type": "server_error"}}"#, "http://h/v1", true);
        assert_eq!(failure.error.message, "`http://h/v1` answered 500: broken (server_error)");
        assert_eq!(of_status(500, "", "u", true).error.message, "`u` answered 500");
        assert!(of_status(500, &"x".repeat(9999), "u", true).error.message.len() < 400);
        let body = serde_json::json!({"error": {"message": "slow down", "code": 429}});
        assert_eq!(in_body(&body, "u").map(|failure| failure.kind), Some(Kind::Overloaded { is_rate: true }));
        assert_eq!(in_body(&serde_json::json!({"error": null}), "u"), None);
    }
}
