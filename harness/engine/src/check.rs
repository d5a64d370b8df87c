//! Holds a suite against the plugins: does every role exist, and do its options fit the schema it publishes?

mod abilities;
mod contents;

pub use contents::check_contents;

use crate::graph::{pairs, producers, selected};
use crate::loader::Plugins;
use examiner_api::{RoleKind, nearest};
use examiner_suite::{FieldPath, Loaded, Options, OptionsSchema, Problem, Problems, ScorerSpec, Suite};
use serde_json::Value;
use std::collections::HashMap;

/// Everything that is wrong with what the suite says of its roles, all at once. Nothing is opened.
pub fn check(loaded: &Loaded, plugins: &Plugins) -> Result<(), Problems> {
    let suite = &loaded.suite;
    let mut check = Check { loaded, plugins, schemas: HashMap::new(), problems: Vec::new() };
    for name in suite.plugins.keys() {
        check.entry(name);
    }
    for (name, spec) in &suite.models {
        check.role(&["models", name], "plugin", RoleKind::Model, &spec.plugin, &spec.options);
    }
    check.datasets();
    for (name, spec) in &suite.teach {
        check.role(&["teach", name], "recipe", RoleKind::Recipe, &spec.recipe, &spec.options);
    }
    for (name, spec) in &suite.train {
        check.role(&["train", name], "trainer", RoleKind::Trainer, &spec.trainer, &spec.options);
    }
    for (name, spec) in &suite.export {
        check.role(&["export", name], "exporter", RoleKind::Exporter, &spec.exporter, &spec.options);
    }
    check.evaluations();
    check.end()
}

/// As [`check`], of what it takes to judge answers that are there: datasets and scorers. Models may be gone.
pub fn check_judging(loaded: &Loaded, plugins: &Plugins) -> Result<(), Problems> {
    let mut check = Check { loaded, plugins, schemas: HashMap::new(), problems: Vec::new() };
    check.datasets();
    check.evaluations();
    check.end()
}

/// Refuses a pattern of `--only` that selects nothing: it was more likely misspelt than meant.
///
/// # Errors
/// The pattern, and the stages that there are.
pub fn check_only(suite: &Suite, only: &[String]) -> Result<(), String> {
    let producers = producers(suite).into_iter().map(|producer| producer.to_string());
    let stages: Vec<String> = producers.chain(pairs(suite).iter().map(|pair| pair.stage())).collect();
    let idle = |pattern: &&String| {
        pattern.is_empty() || !stages.iter().any(|stage| selected(std::slice::from_ref(*pattern), stage))
    };
    let Some(pattern) = only.iter().find(idle) else { return Ok(()) };
    let parts = stages.iter().flat_map(|stage| stage.split('/'));
    let near = nearest(pattern, parts.chain(stages.iter().map(String::as_str)));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let listed = match stages.is_empty() {
        true => "the suite has none".to_owned(),
        false => format!("the stages are `{}`", stages.join("`, `")),
    };
    Err(format!("--only: no stage is, or has as a part, `{pattern}`{near}; {listed}"))
}

struct Check<'a> {
    loaded: &'a Loaded,
    plugins: &'a Plugins,
    /// By kind and name of the role.
    schemas: HashMap<(RoleKind, &'a str), OptionsSchema<'a>>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn end(self) -> Result<(), Problems> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    fn datasets(&mut self) {
        for (name, spec) in &self.loaded.suite.datasets {
            self.role(&["datasets", name], "plugin", RoleKind::Dataset, &spec.plugin, &spec.options);
            self.scorers(&FieldPath::of(&["datasets", name, "scorer"]), &spec.scorers);
        }
    }

    fn evaluations(&mut self) {
        for (index, evaluation) in self.loaded.suite.evaluate.iter().enumerate() {
            self.scorers(&FieldPath::of(&["evaluate"]).index(index).key("scorer"), &evaluation.scorers);
            self.twice(index);
        }
    }

    /// An entry of `plugins` that no plugin answers to would be a pin that holds nothing.
    fn entry(&mut self, name: &str) {
        let pinned = self.loaded.suite.plugins.get(name).and_then(|pin| pin.sha256.as_deref());
        let (message, help) = match self.plugins.named(name) {
            Ok(file) if pinned.is_none_or(|pinned| file.sha256.eq_ignore_ascii_case(pinned)) => return,
            // Files of another content were refused when they were found.
            Ok(_) => {
                let message = format!("plugin `{name}` is part of the program and has no file to pin");
                (message, Some("remove the pin".to_owned()))
            }
            Err(error) => (error.message, error.help),
        };
        let path = FieldPath::of(&["plugins", name]);
        self.problems.push(Problem { position: self.loaded.locate(&path), path: path.to_string(), message, help });
    }

    fn role(&mut self, entry: &[&str], key: &str, kind: RoleKind, name: &str, options: &Options) {
        let entry = FieldPath::of(entry);
        self.options(&entry, &entry.key(key), kind, name, options);
    }

    /// A pair has one journal and one set of scorers: a second entry with others would be passed over in silence.
    fn twice(&mut self, index: usize) {
        let entries = &self.loaded.suite.evaluate;
        let entry = &entries[index];
        for before in entries[..index].iter().filter(|before| before.scorers != entry.scorers) {
            let model = entry.models.iter().find(|model| before.models.contains(model));
            let dataset = entry.datasets.iter().find(|dataset| before.datasets.contains(dataset));
            if let (Some(model), Some(dataset)) = (model, dataset) {
                let path = FieldPath::of(&["evaluate"]).index(index);
                self.problems.push(Problem {
                    position: self.loaded.locate(&path),
                    path: path.to_string(),
                    message: format!("`{model}` is examined on `{dataset}` twice, with different scorers"),
                    help: Some("give one entry a list of scorers".to_owned()),
                });
            }
        }
    }

    fn scorers(&mut self, path: &FieldPath, scorers: &[ScorerSpec]) {
        for (index, scorer) in scorers.iter().enumerate() {
            let entry = path.index(index);
            self.options(&entry, &entry.key("name"), RoleKind::Scorer, &scorer.name, &scorer.options);
        }
    }

    fn options(&mut self, entry: &FieldPath, name_path: &FieldPath, kind: RoleKind, name: &str, options: &Options) {
        match self.plugins.find(kind, name) {
            Ok((_, role)) => {
                let schema =
                    self.schemas.entry((kind, &role.name)).or_insert_with(|| OptionsSchema::new(&role.options));
                self.problems.extend(schema.check(self.loaded, entry, &Value::Object(options.clone())));
            }
            Err(error) => self.problems.push(Problem {
                position: self.loaded.locate(name_path),
                path: name_path.to_string(),
                message: error.message,
                help: error.help,
            }),
        }
    }
}
