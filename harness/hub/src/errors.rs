//! Errors that every kind of download can end with.

use examiner_api::{ErrorCode, PluginError};

/// The error of something that is not in the cache while downloads are forbidden.
pub(super) fn not_offline(what: &str) -> PluginError {
    PluginError::not_found(format!("`{what}` is not in the cache, and `HF_HUB_OFFLINE` forbids downloading it"))
        .with_help("unset `HF_HUB_OFFLINE`, or copy the cache from a machine that has it")
}

/// The error of a download that the user interrupted.
pub(super) fn cancelled() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "the download was interrupted")
        .with_help("run it again: it continues where it stopped")
}
