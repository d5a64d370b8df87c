//! A role of any kind.

use crate::{Catalog, Dataset, Diagnostic, Exporter, Model, Recipe, Scorer, Trainer};

/// A role that has been opened with its options.
pub enum OpenRole {
    /// A [`Model`].
    Model(Box<dyn Model>),
    /// A [`Dataset`].
    Dataset(Box<dyn Dataset>),
    /// A [`Scorer`].
    Scorer(Box<dyn Scorer>),
    /// A [`Trainer`].
    Trainer(Box<dyn Trainer>),
    /// A [`Recipe`].
    Recipe(Box<dyn Recipe>),
    /// An [`Exporter`].
    Exporter(Box<dyn Exporter>),
    /// A [`Diagnostic`].
    Diagnostic(Box<dyn Diagnostic>),
    /// A [`Catalog`].
    Catalog(Box<dyn Catalog>),
}
