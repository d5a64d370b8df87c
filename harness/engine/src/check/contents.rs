//! What can be found without running: files that are not there, rows that do not fit, models and checkpoints that cannot do what is wanted
//! of them. Nothing is downloaded and no model is opened.

use super::abilities;
use crate::evaluate::first_questions;
use crate::graph::{Pair, Producer, pairs};
use crate::host::Shared;
use crate::parallel;
use crate::paths::{self, PathKind};
use crate::stages;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_hub::{Hub, was_offline};
use examiner_suite::{Evaluation, FieldPath, Loaded, Problem, Problems, StageKind, Suite, TrainData};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Everything that is wrong with what the suite refers to, all at once; or what could not be looked at, a line each. `shared` has the roles of the
/// suite in this process, and a hub that downloads nothing.
pub fn check_contents(loaded: &Loaded, shared: &Arc<Shared>) -> std::result::Result<Vec<String>, Problems> {
    let mut contents =
        Contents { loaded, shared, problems: Vec::new(), unseen: BTreeSet::new(), faulty: BTreeSet::new() };
    contents.files();
    contents.examinations();
    contents.starts();
    match contents.problems.is_empty() {
        true => Ok(contents.unseen.into_iter().collect()),
        false => Err(Problems::sorted(contents.problems)),
    }
}

struct Contents<'a> {
    loaded: &'a Loaded,
    shared: &'a Arc<Shared>,
    problems: Vec<Problem>,
    /// What could not be looked at, and why.
    unseen: BTreeSet<String>,
    /// Entries of which something is known to be wrong: what follows from it is not reported again.
    faulty: BTreeSet<FieldPath>,
}

impl Contents<'_> {
    fn suite(&self) -> &Suite {
        &self.loaded.suite
    }

    fn report(&mut self, field: &FieldPath, error: PluginError) {
        let position = self.loaded.locate(field);
        let message = error.chain();
        self.problems.push(Problem { position, path: field.to_string(), message, help: error.help });
    }

    /// Paths that lead nowhere.
    fn files(&mut self) {
        for path in paths::fields(self.suite(), &self.shared.roles.plugins) {
            let found = self.suite().paths.of_field(&path.field, &path.text).replace("$${", "\0");
            let is_local =
                path.kind == PathKind::Input && !found.is_empty() && !found.contains("${") && !Hub::is_address(&found);
            // A recipe may be about to make the rows.
            let is_made = !self.suite().teach.is_empty() && path.field.to_string().ends_with(".data");
            if !is_local || is_made || Path::new(&found.replace('\0', "${")).exists() {
                continue;
            }
            let found = found.replace('\0', "${");
            let whence =
                if Path::new(&path.text) == Path::new(&found) { String::new() } else { format!(" (`{found}`)") };
            let error = PluginError::not_found(format!("`{}`{whence} does not exist", path.text))
                .with_help("paths in a suite begin at its file; `--set` can change one without editing the suite");
            self.report(&path.field, error);
            let entry: Vec<String> = path.field.segments().iter().take(2).map(ToString::to_string).collect();
            self.faulty.insert(FieldPath::of(&entry.iter().map(String::as_str).collect::<Vec<_>>()));
        }
    }

    /// The first questions of each dataset, and whether the models can be asked them.
    fn examinations(&mut self) {
        let pairs = pairs(self.suite());
        let mut distinct: Vec<Pair> = Vec::new();
        for pair in &pairs {
            let needs = Pair { model: String::new(), ..pair.clone() }.needs(self.suite());
            let is_known = distinct.iter().any(|known| is_asked_alike(known, pair));
            if !is_known && needs.is_empty() && !self.faulty.contains(&field_of(pair)) {
                distinct.push(pair.clone());
            }
        }
        let opened = parallel::map(&distinct, |pair| first_questions(self.shared, pair));
        for (asked, scorers) in distinct.iter().zip(opened) {
            let scorers = match scorers {
                Ok(scorers) => scorers,
                Err(error) => {
                    self.judge(&field_of(asked), error);
                    continue;
                }
            };
            for pair in pairs.iter().filter(|pair| is_asked_alike(asked, pair)) {
                let lacking = scorers.iter().find_map(|(label, info)| {
                    abilities::lacking(self.suite(), &self.shared.roles.plugins, &pair.model, label, info)
                });
                if let Some(error) = lacking {
                    let is_meant = |entry: &Evaluation| {
                        entry.models.contains(&pair.model) && entry.datasets.contains(&pair.dataset)
                    };
                    let entry = self.suite().evaluate.iter().position(is_meant);
                    self.report(&FieldPath::of(&["evaluate"]).index(entry.unwrap_or_default()), error);
                }
            }
        }
    }

    /// What trainings and exports start from.
    fn starts(&mut self) {
        let trainings: Vec<String> = self.suite().train.keys().cloned().collect();
        for name in trainings {
            let dataset = match self.suite().train.get(&name).map(|spec| &spec.data) {
                Some(TrainData::Dataset { dataset, .. }) => Some(FieldPath::of(&["datasets", dataset])),
                _ => None,
            };
            let outcome = self.start(StageKind::Train, &name, |shared| stages::check_training(shared, &name));
            // What is wrong with the dataset is reported where it stands.
            if let Err((field, error)) = outcome
                && dataset.is_none_or(|dataset| !self.faulty.contains(&dataset))
            {
                self.judge(&field, error);
            }
        }
        let exports: Vec<String> = self.suite().export.keys().cloned().collect();
        for name in exports {
            let outcome = self.start(StageKind::Export, &name, |shared| stages::check_export(shared, &name));
            if let Err((field, error)) = outcome {
                self.judge(&field, error);
            }
        }
    }

    fn start(
        &self,
        kind: StageKind,
        name: &str,
        check: impl Fn(&Arc<Shared>) -> Result<()>,
    ) -> std::result::Result<(), (FieldPath, PluginError)> {
        let section = kind.to_string();
        let field = FieldPath::of(&[&section, name]);
        let producer = Producer { kind, name: name.to_owned() };
        // What is made first cannot be looked at before.
        if self.faulty.contains(&field) || !producer.needs(self.suite()).is_empty() {
            return Ok(());
        }
        check(self.shared).map_err(|error| (field, error))
    }

    /// Reports an error, unless it is only that something is not downloaded.
    fn judge(&mut self, field: &FieldPath, error: PluginError) {
        if was_offline(&error) {
            self.unseen.insert(format!("`{field}` was not looked at: what it reads is not downloaded yet"));
        } else if error.code != ErrorCode::Cancelled {
            self.faulty.insert(field.clone());
            self.report(field, error);
        }
    }
}

fn field_of(pair: &Pair) -> FieldPath {
    FieldPath::of(&["datasets", &pair.dataset])
}

/// Whether both are the same questions for the same scorers.
fn is_asked_alike(one: &Pair, other: &Pair) -> bool {
    one.dataset == other.dataset && one.scorers == other.scorers
}
