//! The entry of a suite that uses a role: its options, and what it is used for.

use crate::host::Shared;
use crate::loader::LoadedFile;
use crate::paths;
use examiner_api::{Metadata, Result, RoleInfo, RoleKind};
use examiner_suite::{ExportSpec, FieldPath, Options, ScorerSpec, TrainSpec};

/// An entry of a suite, by its name.
pub(super) enum Entry<'a> {
    Model(&'a str),
    Dataset,
    Scorer,
    Teach,
    Train(&'a str, &'a TrainSpec),
    Export(&'a str, &'a ExportSpec),
}

/// The first entry of the suite that uses the role, with its options in which references are filled in.
pub(super) fn entry<'a>(
    shared: &'a Shared,
    file: &LoadedFile,
    role: &RoleInfo,
) -> Option<(Entry<'a>, Result<Metadata>)> {
    let suite = &shared.roles.suite;
    let uses = |name: &str| {
        let found = shared.roles.plugins.find(role.kind, name);
        found.is_ok_and(|(found, info)| found.path == file.path && info.name == role.name)
    };
    let located = |path: &[&str], options: &Options| shared.roles.filled(&shared.roles.located(path, options));
    match role.kind {
        RoleKind::Model => suite
            .models
            .iter()
            .find(|(_, spec)| uses(&spec.plugin))
            .map(|(name, spec)| (Entry::Model(name), located(&["models", name], &spec.options))),
        RoleKind::Dataset => suite
            .datasets
            .iter()
            .find(|(_, spec)| uses(&spec.plugin))
            .map(|(name, spec)| (Entry::Dataset, located(&["datasets", name], &spec.options))),
        RoleKind::Recipe => suite
            .teach
            .iter()
            .find(|(_, spec)| uses(&spec.recipe))
            .map(|(name, spec)| (Entry::Teach, located(&["teach", name], &spec.options))),
        RoleKind::Trainer => suite
            .train
            .iter()
            .find(|(_, spec)| uses(&spec.trainer))
            .map(|(name, spec)| (Entry::Train(name, spec), located(&["train", name], &spec.options))),
        RoleKind::Exporter => suite
            .export
            .iter()
            .find(|(_, spec)| uses(&spec.exporter))
            .map(|(name, spec)| (Entry::Export(name, spec), located(&["export", name], &spec.options))),
        RoleKind::Scorer => {
            let of_datasets = suite.datasets.iter().flat_map(|(name, spec)| {
                let path = FieldPath::of(&["datasets", name, "scorer"]);
                spec.scorers.iter().enumerate().map(move |(index, spec)| (path.index(index), spec))
            });
            let of_pairs = suite.evaluate.iter().enumerate().flat_map(|(index, entry)| {
                let path = FieldPath::of(&["evaluate"]).index(index).key("scorer");
                entry.scorers.iter().enumerate().map(move |(index, spec)| (path.index(index), spec))
            });
            let all: Vec<(FieldPath, &ScorerSpec)> = of_datasets.chain(of_pairs).collect();
            let (path, spec) = all.into_iter().find(|(_, spec)| uses(&spec.name))?;
            let options = paths::in_options(&suite.paths, &path, &spec.options);
            Some((Entry::Scorer, shared.roles.filled(&options)))
        }
        RoleKind::Diagnostic | RoleKind::Catalog => None,
    }
}
