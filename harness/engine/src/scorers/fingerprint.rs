//! What identifies a scorer with its options.

use examiner_api::{ErrorCode, PluginError, Result};
use serde::Serialize;

/// Everything that the judgements of a built-in scorer depend on. A run reuses records only of equal fingerprints.
#[derive(Serialize)]
pub(super) struct Fingerprint<'a, O> {
    /// The scorer's name.
    pub(super) scorer: &'static str,
    /// The version of the scorer's rules.
    pub(super) rules: u32,
    /// Its options, with defaults filled in.
    pub(super) options: &'a O,
}

impl<O: Serialize> Fingerprint<'_, O> {
    /// The fingerprint as JSON.
    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| {
            let message = format!("the options of scorer `{}` have no fingerprint", self.scorer);
            PluginError::new(ErrorCode::BadOptions, message).with_cause(&error)
        })
    }
}
