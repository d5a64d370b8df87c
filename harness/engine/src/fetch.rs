//! Gets all that a suite reads from elsewhere, and runs nothing: for a machine without a network.

use crate::evaluate::first_questions;
use crate::graph::{Pair, Producer, pairs, producers};
use crate::host::Shared;
use crate::paths::{self, PathKind};
use crate::stages;
use examiner_api::{Flow, PluginError, Result, Sample};
use examiner_hub::{GivenRepository, Hub};
use examiner_suite::{StageKind, Suite, references};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What became of the parts of a suite.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The repositories of which files are there now.
    pub repositories: Vec<GivenRepository>,
    /// What could not be had, by the place in the suite, and why.
    pub failures: Vec<(String, PluginError)>,
    /// The parts that read what a stage of the suite makes, so that there is nothing to get for them yet.
    pub made_later: Vec<String>,
}

/// What a training or an export reads of a checkpoint on the hub.
const CHECKPOINT: [&str; 4] = ["*.json", "*.safetensors", "*.txt", "*.model"];

/// Opens the datasets, models and stages of a suite, so that all is fetched that they read, and reads every sample of the datasets.
pub fn fetch(shared: &Arc<Shared>) -> Fetched {
    let mut work = Work { shared, suite: &shared.roles.suite, fetched: Fetched::default() };
    work.starts();
    work.datasets();
    work.roles();
    let mut fetched = work.fetched;
    shared.take_back();
    fetched.repositories = shared.hub.given().into_iter().filter(|given| !given.files.is_empty()).collect();
    fetched
}

struct Work<'a> {
    shared: &'a Arc<Shared>,
    suite: &'a Suite,
    fetched: Fetched,
}

impl Work<'_> {
    /// Does one part, unless it needs what has to be made first.
    fn part(&mut self, place: String, is_made_later: bool, work: impl FnOnce(&Arc<Shared>) -> Result<()>) {
        if self.shared.is_cancelled() {
            return;
        }
        if is_made_later {
            self.fetched.made_later.push(place);
        } else if let Err(error) = work(self.shared) {
            self.fetched.failures.push((place, error));
        }
    }

    /// The checkpoints and data of trainings and exports, which are named in the suite itself.
    fn starts(&mut self) {
        for field in paths::fields(self.suite, &self.shared.roles.plugins) {
            let text = self.suite.paths.of_field(&field.field, &field.text).to_owned();
            let section = field.field.segments().first().map(ToString::to_string).unwrap_or_default();
            let is_own = field.kind == PathKind::Input && matches!(section.as_str(), "train" | "export");
            if !is_own || !Hub::is_address(&text) {
                continue;
            }
            let is_repository = text.strip_prefix("hf://").is_some_and(|rest| rest.matches('/').count() == 1);
            self.part(field.field.to_string(), false, |shared| {
                let host = shared.host("fetch");
                match is_repository {
                    true => host.fetch_repository(&text, &CHECKPOINT).map(drop),
                    false => host.fetch(&text).map(drop),
                }
            });
        }
    }

    /// The samples of datasets, and what few-shot examples and scorers take beside them.
    fn datasets(&mut self) {
        for (name, spec) in &self.suite.datasets {
            let is_made_later = !references(&Value::Object(spec.options.clone())).is_empty();
            self.part(format!("datasets.{name}"), is_made_later, |shared| {
                let mut dataset = shared.roles.dataset(name, shared.host(&format!("datasets/{name}")))?;
                dataset.samples(&|_: Sample| if shared.is_cancelled() { Flow::Stop } else { Flow::Continue })
            });
        }
        let mut seen: Vec<Pair> = Vec::new();
        for pair in pairs(self.suite) {
            let is_same = |known: &Pair| known.dataset == pair.dataset && known.scorers == pair.scorers;
            if seen.iter().any(is_same) {
                continue;
            }
            let of_dataset = Pair { model: String::new(), ..pair.clone() };
            let place = format!("datasets.{}", pair.dataset);
            let is_known = self.fetched.made_later.contains(&place);
            let has_failed = self.fetched.failures.iter().any(|(failed, _)| *failed == place);
            if !is_known && !has_failed && of_dataset.needs(self.suite).is_empty() {
                self.part(place, false, |shared| first_questions(shared, &pair).map(drop));
            }
            seen.push(pair);
        }
    }

    /// Models, recipes, trainers and exporters.
    fn roles(&mut self) {
        for (name, spec) in &self.suite.models {
            let is_made_later = !references(&Value::Object(spec.options.clone())).is_empty();
            let work =
                |shared: &Arc<Shared>| shared.roles.model(name, shared.host(&format!("models/{name}"))).map(drop);
            self.part(format!("models.{name}"), is_made_later, work);
        }
        for producer in producers(self.suite) {
            let Producer { kind, name } = &producer;
            let is_made_later = !producer.needs(self.suite).is_empty();
            self.part(format!("{kind}.{name}"), is_made_later, |shared| match kind {
                StageKind::Teach => match shared.roles.suite.teach.get(name) {
                    Some(spec) => {
                        let options = shared.roles.located(&["teach", name], &spec.options);
                        let host = shared.host(&format!("teach/{name}"));
                        shared.roles.open_recipe(&spec.recipe, &options, host).map(drop)
                    }
                    None => Ok(()),
                },
                StageKind::Train => stages::check_training(shared, name),
                StageKind::Export => stages::check_export(shared, name),
            });
        }
    }
}

/// Copies what was fetched to a directory that `hub_mirror` can name. Returns its repositories with the bytes that were written.
///
/// # Errors
/// The directory cannot be written, or holds another state of a repository.
pub fn copy(repositories: &[GivenRepository], to: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let copied = repositories.iter().map(|given| Ok((to.join(&given.name), Hub::copy_to_mirror(given, to)?)));
    copied.collect()
}
