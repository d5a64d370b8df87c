//! Opens the role that is looked at, as often as it takes: each time in a worker, and in a new process where that matters.

use crate::host::Shared;
use crate::loader::LoadedFile;
use crate::worker::{HeldMemory, Workers, open_alone};
use examiner_api::{
    Catalog, Dataset, Diagnostic, ErrorCode, Exporter, Host, Metadata, Model, OpenRole, PluginError, Recipe, Result,
    RoleInfo, Scorer, Trainer,
};
use examiner_suite::Isolation;
use std::path::PathBuf;
use std::sync::Arc;

/// Without a suite that says otherwise, a role may be silent for so long.
const DEADLINE_S: f64 = 60.0;

/// What roles are opened with.
pub(super) struct Bench<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) file: &'a LoadedFile,
    program: Option<PathBuf>,
    isolation: Isolation,
    workers: Option<Workers>,
}

/// The role that is looked at.
pub(super) struct Subject<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) info: &'a RoleInfo,
    pub(super) options: Metadata,
}

/// A role, and the memory of its process if it has one of its own.
pub(super) struct Opened {
    pub(super) role: OpenRole,
    pub(super) memory: Option<HeldMemory>,
}

impl<'a> Bench<'a> {
    /// `has_suite` says that the deadline is one that somebody has chosen.
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        file: &'a LoadedFile,
        program: Option<PathBuf>,
        has_suite: bool,
    ) -> Self {
        let chosen = shared.roles.suite.isolate.clone().filter(|_| has_suite);
        let isolation = chosen.unwrap_or(Isolation { deadline_s: DEADLINE_S, ..Isolation::default() });
        let workers = program.clone().map(|program| Workers::new(program, isolation.clone()));
        Bench { shared, file, program, isolation, workers }
    }

    /// The host that roles get where no other is wanted.
    pub(super) fn host(&self) -> Host {
        self.shared.host("check")
    }
}

impl Subject<'_> {
    /// `model/echo`.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.info.kind, self.info.name)
    }

    /// The role with its options.
    pub(super) fn open(&self) -> Result<Opened> {
        self.open_with(self.options.clone())
    }

    /// The role with other options. Its process may have served another role before.
    pub(super) fn open_with(&self, options: Metadata) -> Result<Opened> {
        self.open_in(self.bench.workers.as_ref(), options, self.bench.host())
    }

    /// The role with its options, in a process that has served nothing.
    pub(super) fn open_anew(&self, host: Host) -> Result<Opened> {
        let Bench { program, isolation, .. } = self.bench;
        let workers = program.clone().map(|program| Workers::new(program, isolation.clone()));
        self.open_in(workers.as_ref(), self.options.clone(), host)
    }

    fn open_in(&self, workers: Option<&Workers>, options: Metadata, host: Host) -> Result<Opened> {
        let (plugins, kind) = (&self.bench.shared.roles.plugins, self.info.kind);
        let name = format!("{}/{}", self.bench.file.info.name, self.info.name);
        let (role, memory) = open_alone(workers, plugins, kind, &name, options, host)?;
        Ok(Opened { role, memory })
    }
}

macro_rules! role {
    ($method:ident, $kind:ident) => {
        pub(super) fn $method(self) -> Result<Box<dyn $kind>> {
            match self.role {
                OpenRole::$kind(role) => Ok(role),
                _ => Err(PluginError::new(ErrorCode::Protocol, "the plugin opened another kind of role")),
            }
        }
    };
}

impl Opened {
    role!(model, Model);
    role!(dataset, Dataset);
    role!(scorer, Scorer);
    role!(trainer, Trainer);
    role!(recipe, Recipe);
    role!(exporter, Exporter);
    role!(diagnostic, Diagnostic);
    role!(catalog, Catalog);

    /// What the role says that its results depend on; none where it has no such thing.
    pub(super) fn fingerprint(&self) -> Result<Option<String>> {
        Ok(match &self.role {
            OpenRole::Model(model) => Some(model.info()?.fingerprint),
            OpenRole::Dataset(dataset) => Some(dataset.info()?.fingerprint),
            OpenRole::Scorer(scorer) => Some(scorer.info()?.fingerprint),
            OpenRole::Recipe(recipe) => recipe.info()?.fingerprint,
            OpenRole::Trainer(_) | OpenRole::Exporter(_) | OpenRole::Diagnostic(_) | OpenRole::Catalog(_) => None,
        })
    }
}
