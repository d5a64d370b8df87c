//! Holds a suite against the plugins: does every role exist, and do its options fit the schema it publishes?

use crate::loader::Plugins;
use crate::suite::{FieldPath, Loaded, Options, Problem, Problems, ScorerSpec, check_options};
use examiner_api::RoleKind;
use serde_json::Value;

/// Everything that is wrong with what the suite says of its roles, all at once. Nothing is opened.
pub fn check(loaded: &Loaded, plugins: &Plugins) -> Result<(), Problems> {
    let suite = &loaded.suite;
    let mut check = Check { loaded, plugins, problems: Vec::new() };
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
    let mut check = Check { loaded, plugins, problems: Vec::new() };
    check.datasets();
    check.evaluations();
    check.end()
}

struct Check<'a> {
    loaded: &'a Loaded,
    plugins: &'a Plugins,
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
        for (place, evaluation) in self.loaded.suite.evaluate.iter().enumerate() {
            self.scorers(&FieldPath::of(&["evaluate"]).index(place).key("scorer"), &evaluation.scorers);
            self.twice(place);
        }
    }

    fn role(&mut self, entry: &[&str], key: &str, kind: RoleKind, name: &str, options: &Options) {
        let entry = FieldPath::of(entry);
        self.options(&entry, &entry.key(key), kind, name, options);
    }

    /// A pair has one journal and one set of scorers: a second entry with others would be passed over in silence.
    fn twice(&mut self, place: usize) {
        let entries = &self.loaded.suite.evaluate;
        let entry = &entries[place];
        for before in entries[..place].iter().filter(|before| before.scorers != entry.scorers) {
            let model = entry.models.iter().find(|model| before.models.contains(model));
            let dataset = entry.datasets.iter().find(|dataset| before.datasets.contains(dataset));
            if let (Some(model), Some(dataset)) = (model, dataset) {
                let path = FieldPath::of(&["evaluate"]).index(place);
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
        for (place, scorer) in scorers.iter().enumerate() {
            let entry = path.index(place);
            self.options(&entry, &entry.key("name"), RoleKind::Scorer, &scorer.name, &scorer.options);
        }
    }

    fn options(&mut self, entry: &FieldPath, name_path: &FieldPath, kind: RoleKind, name: &str, options: &Options) {
        match self.plugins.find(kind, name) {
            Ok((_, role)) => {
                self.problems.extend(check_options(self.loaded, entry, &Value::Object(options.clone()), &role.options))
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
