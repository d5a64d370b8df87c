//! Errors that every kind of download can end with.

use examiner_api::{ErrorCode, PluginError};

/// The error of something that is not in the cache while downloads are forbidden.
pub(super) fn not_offline(what: &str) -> PluginError {
    PluginError::not_found(format!("`{what}` is not in the cache, and {FORBIDDEN}"))
        .with_help("unset `HF_HUB_OFFLINE`, or copy the cache from a machine that has it")
}

const FORBIDDEN: &str = "`HF_HUB_OFFLINE` forbids downloading it";

/// Whether an error, or one beneath it, is that something would have to be downloaded.
pub fn was_offline(error: &PluginError) -> bool {
    error.message.contains(FORBIDDEN) || error.causes.iter().any(|cause| cause.contains(FORBIDDEN))
}

/// The error of a download that the user interrupted.
pub(super) fn cancelled() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "the download was interrupted")
        .with_help("run it again: it continues where it stopped")
}
