//! What a worker is started with: the program and its limits, and the role that it opens.

use examiner_api::{Metadata, RoleKind};
use examiner_suite::Isolation;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The method of the first call of a worker, which opens the role.
pub(super) const OPEN: &str = "open";

/// How workers are started and watched.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSettings {
    /// This program.
    pub program: PathBuf,
    /// What the suite sets under `isolate`.
    pub isolation: Isolation,
}

/// The role that a worker opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRole {
    /// The plugin's file.
    pub library: PathBuf,
    /// The SHA-256 that it must have.
    pub sha256: String,
    /// The kind of role.
    pub kind: RoleKind,
    /// The role's name.
    pub name: String,
    /// Its options, in which references are filled in.
    pub options: Metadata,
}

impl WorkerRole {
    /// The role, for messages: `` model `candle` ``.
    pub(super) fn label(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }
}
