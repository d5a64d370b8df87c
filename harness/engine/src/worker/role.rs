//! What a worker is started with: the program and its limits, and the role that it opens.

use crate::loader::{FileIdentity, LoadedFile};
use examiner_api::{Metadata, RoleInfo, RoleKind};
use examiner_suite::Isolation;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The method that opens a role; a worker has one at a time.
pub(super) const OPEN: &str = "open";
/// The method that ends the role, so that the worker can open another.
pub(super) const RELEASE: &str = "release";
/// The method that asks a plugin file, by its path and identity, for its description.
pub(super) const DESCRIBE: &str = "describe";

/// How workers are started and watched.
#[derive(Clone)]
pub(super) struct WorkerSettings {
    /// This program.
    pub(super) program: PathBuf,
    /// What the suite sets under `isolate`.
    pub(super) isolation: Isolation,
    /// The directory that the suite has read instead of the hub, for what a plugin starts itself.
    pub(super) hub_mirror: Option<PathBuf>,
}

/// The role that a worker opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WorkerRole {
    /// The plugin's file.
    pub(super) library: PathBuf,
    /// The SHA-256 that it must have.
    pub(super) sha256: String,
    /// The identity of the file that had it: while the file has this one, it need not be read again.
    pub(super) identity: FileIdentity,
    /// The kind of role.
    pub(super) kind: RoleKind,
    /// The role's name.
    pub(super) name: String,
    /// Its options, in which references are filled in.
    pub(super) options: Metadata,
}

impl WorkerRole {
    /// A role of a plugin file whose identity is `identity`.
    pub(super) fn of(file: &LoadedFile, identity: &FileIdentity, role: &RoleInfo, options: Metadata) -> Self {
        WorkerRole {
            library: file.path.clone(),
            sha256: file.sha256.clone(),
            identity: identity.clone(),
            kind: role.kind,
            name: role.name.clone(),
            options,
        }
    }

    /// The role, for messages: `` model `candle` ``.
    pub(super) fn label(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }
}
