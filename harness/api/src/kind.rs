//! The kinds of role.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleKind {
    /// [`crate::Model`].
    Model,
    /// [`crate::Dataset`].
    Dataset,
    /// [`crate::Scorer`].
    Scorer,
    /// [`crate::Trainer`].
    Trainer,
    /// [`crate::Recipe`].
    Recipe,
    /// [`crate::Exporter`].
    Exporter,
    /// [`crate::Diagnostic`].
    Diagnostic,
    /// [`crate::Catalog`].
    Catalog,
}

impl fmt::Display for RoleKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RoleKind::Model => "model",
            RoleKind::Dataset => "dataset",
            RoleKind::Scorer => "scorer",
            RoleKind::Trainer => "trainer",
            RoleKind::Recipe => "recipe",
            RoleKind::Exporter => "exporter",
            RoleKind::Diagnostic => "diagnostic",
            RoleKind::Catalog => "catalog",
        })
    }
}
