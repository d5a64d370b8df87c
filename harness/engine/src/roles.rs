//! Opens the roles that a suite names: which plugin plays what, with options in which references are filled in.

use crate::loader::Plugins;
use crate::paths;
use crate::worker::{self, Workers};
use examiner_api::{
    Dataset, Exporter, Host, Metadata, Model, ModelInfo, OpenRole, PluginError, Recipe, Result, RoleKind, Scorer,
    Trainer,
};
use examiner_suite::{FieldPath, Options, Reference, ScorerSpec, StageKind, Suite, substitute};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The roles of a suite.
pub struct Roles {
    /// What was typed.
    pub suite: Suite,
    /// Where roles come from.
    pub plugins: Plugins,
    products: Mutex<BTreeMap<(StageKind, String), String>>,
    workers: Option<Workers>,
}

macro_rules! open {
    ($(#[$doc:meta])* $method:ident, $kind:ident) => {
        $(#[$doc])*
        pub fn $method(&self, plugin: &str, options: &Options, host: Host) -> Result<Box<dyn $kind>> {
            let options = self.filled(options)?;
            match worker::open(self.workers.as_ref(), &self.plugins, RoleKind::$kind, plugin, options, host)? {
                OpenRole::$kind(role) => Ok(role),
                _ => Err(PluginError::new(
                    examiner_api::ErrorCode::Protocol,
                    format!("plugin `{plugin}` opened another kind of role than the {} asked for", RoleKind::$kind),
                )),
            }
        }
    };
}

impl Roles {
    /// The roles of `suite`, played by `plugins`.
    pub fn new(suite: Suite, plugins: Plugins) -> Self {
        Roles { suite, plugins, products: Mutex::default(), workers: None }
    }

    /// The same, with the roles of plugin files in workers, which are `program`, if the suite wants it.
    #[must_use]
    pub fn in_workers(mut self, program: Option<PathBuf>) -> Self {
        let isolation = self.suite.isolate.clone();
        let mirror = self.suite.hub_mirror.as_ref().map(|mirror| std::path::absolute(mirror).unwrap_or(mirror.clone()));
        self.workers =
            program.zip(isolation).map(|(program, isolation)| Workers::new(program, isolation).mirrored(mirror));
        self
    }

    /// From now on, `${stage.name}` means `product`.
    pub fn offer(&self, stage: StageKind, name: &str, product: String) {
        self.products.lock().insert((stage, name.to_owned()), product);
    }

    /// What `${stage.name}` means, if it has been made.
    pub fn product(&self, reference: &Reference) -> Option<String> {
        let products = self.products.lock();
        products.get(&(reference.stage, reference.name.clone())).cloned()
    }

    /// The options of an entry of the suite, `["models", "teacher"]`, with the paths in them as they were found.
    pub(crate) fn located(&self, entry: &[&str], options: &Options) -> Options {
        paths::in_options(&self.suite.paths, &FieldPath::of(entry), options)
    }

    /// The path or address in a field of the suite, with its references filled in.
    pub(crate) fn path(&self, field: &[&str], text: &str) -> Result<String> {
        self.fill(self.suite.paths.of_field(&FieldPath::of(field), text))
    }

    /// A text with its references filled in.
    pub fn fill(&self, text: &str) -> Result<String> {
        match self.fill_value(Value::String(text.to_owned()))? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    /// Options with their references filled in.
    pub fn filled(&self, options: &Options) -> Result<Metadata> {
        match self.fill_value(Value::Object(options.clone()))? {
            Value::Object(options) => Ok(options),
            _ => Ok(Metadata::new()),
        }
    }

    fn fill_value(&self, mut value: Value) -> Result<Value> {
        let missing = substitute(&mut value, |reference| self.product(reference));
        match missing.first() {
            None => Ok(value),
            Some(reference) => Err(PluginError::not_found(format!("`{reference}` has not been made"))
                .with_help(format!("stage `{}/{}` failed or was left out", reference.stage, reference.name))),
        }
    }

    /// A model of the suite.
    pub fn model(&self, name: &str, host: Host) -> Result<Box<dyn Model>> {
        let spec = self.suite.models.get(name).ok_or_else(|| undefined("model", name))?;
        self.open_model(&spec.plugin, &self.located(&["models", name], &spec.options), host)
    }

    /// A model of the suite, and what it says of itself.
    pub fn model_with_info(&self, name: &str, host: Host) -> Result<(Box<dyn Model>, ModelInfo)> {
        let model = self.model(name, host)?;
        let info = model.info()?;
        Ok((model, info))
    }

    /// The checkpoint that a model of the suite is opened from, if its plugin declares which option names it. The model is not
    /// opened.
    pub fn checkpoint(&self, name: &str) -> Result<Option<String>> {
        let spec = self.suite.models.get(name).ok_or_else(|| undefined("model", name))?;
        let (_, role) = self.plugins.find(RoleKind::Model, &spec.plugin)?;
        let Some(option) = &role.checkpoint_option else { return Ok(None) };
        let options = self.filled(&self.located(&["models", name], &spec.options))?;
        Ok(options.get(option).and_then(Value::as_str).map(str::to_owned))
    }

    /// A dataset of the suite.
    pub fn dataset(&self, name: &str, host: Host) -> Result<Box<dyn Dataset>> {
        let spec = self.suite.datasets.get(name).ok_or_else(|| undefined("dataset", name))?;
        self.open_dataset(&spec.plugin, &self.located(&["datasets", name], &spec.options), host)
    }

    /// A scorer.
    pub fn scorer(&self, spec: &ScorerSpec, host: Host) -> Result<Box<dyn Scorer>> {
        self.open_scorer(&spec.name, &paths::in_scorer_options(&self.suite, spec), host)
    }

    open!(/// A model by its plugin.
        open_model, Model);
    open!(/// A dataset by its plugin.
        open_dataset, Dataset);
    open!(/// A scorer by its name.
        open_scorer, Scorer);
    open!(/// A trainer by its name.
        open_trainer, Trainer);
    open!(/// A recipe by its name.
        open_recipe, Recipe);
    open!(/// An exporter by its name.
        open_exporter, Exporter);

    /// The identity of the build that plays a role.
    pub fn build(&self, kind: RoleKind, name: &str) -> Result<String> {
        self.plugins.find(kind, name).map(|(file, _)| file.sha256.clone())
    }
}

fn undefined(kind: &str, name: &str) -> PluginError {
    PluginError::not_found(format!("the suite has no {kind} named `{name}`"))
}
