//! The key, and texts without it.

use examiner_api::{ErrorCode, PluginError, Result};
use std::fmt;

/// An API key. It is shown nowhere.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

/// Shorter keys are placeholders for servers without any (`EMPTY`), and could stand in an answer by chance.
const SHORTEST: usize = 8;
const INSTEAD: &str = "[API key]";

impl ApiKey {
    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// There is none, or it cannot be sent.
    pub(crate) fn from_environment(name: &str) -> Result<Self> {
        let missing = |what: &str| {
            let message = format!("`api_key_env` names the environment variable `{name}`, which {what}");
            PluginError::new(ErrorCode::Authentication, message)
                .with_help(format!("set `{name}` to the key, or leave out `api_key_env` if the server wants none"))
        };
        let key = std::env::var(name).map_err(|_| missing("is not set"))?;
        let key = key.trim();
        match () {
            () if key.is_empty() => Err(missing("is empty")),
            () if !key.bytes().all(|byte| byte.is_ascii_graphic()) => Err(missing("holds characters that no key has")),
            () => Ok(ApiKey(key.to_owned())),
        }
    }

    /// The key itself, for the one header that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The text with something else wherever the key stood: servers have been seen to repeat it in their errors.
    pub(crate) fn redact(&self, text: String) -> String {
        match self.0.len() >= SHORTEST && text.contains(&self.0) {
            true => text.replace(&self.0, INSTEAD),
            false => text,
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(INSTEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_nowhere() {
        let key = ApiKey("sk-very-secret".to_owned());
        assert_eq!(format!("{key:?}"), "[API key]");
        assert_eq!(key.redact("no sk-very-secret here".to_owned()), "no [API key] here");
        assert_eq!(ApiKey("EMPTY".to_owned()).redact("EMPTY".to_owned()), "EMPTY");
    }
}
