//! What a task's YAML says, typed: all that can be known of it without its data. What is not supported is refused here, by name.

use super::field::{Field, Named};
use super::generation;
use super::metrics;
use super::setting::{self, Refused, function, text};
use crate::spec::{OutputType, TaskSpec};
use crate::{FunctionName, Setting, TaskConfig};

/// The settings that lm-evaluation-harness knows.
const KNOWN: [&str; 35] = [
    "task",
    "task_alias",
    "tag",
    "custom_dataset",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "process_docs",
    "doc_to_text",
    "doc_to_target",
    "doc_to_image",
    "doc_to_audio",
    "unsafe_code",
    "doc_to_choice",
    "process_results",
    "use_prompt",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "fewshot_config",
    "num_fewshot",
    "metric_list",
    "output_type",
    "generation_kwargs",
    "repeats",
    "filter_list",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "gen_prefix",
    "metadata",
    "class",
];

/// The settings of few-shot examples that it knows.
const KNOWN_OF_SHOTS: [&str; 11] = [
    "sampler",
    "split",
    "process_docs",
    "fewshot_indices",
    "samples",
    "doc_to_text",
    "doc_to_choice",
    "doc_to_target",
    "gen_prefix",
    "fewshot_delimiter",
    "target_delimiter",
];

/// A task, as far as it is known without its data.
#[derive(Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Where its rows are.
    pub source: RowsOf,
    pub(super) training_split: Option<String>,
    pub(super) validation_split: Option<String>,
    pub(super) test_split: Option<String>,
    pub(super) process_docs: Option<FunctionName>,
    pub(super) text: Field,
    pub(super) target: Field,
    pub(super) choice: Option<Field>,
    /// What stands before the examples: a column, a template, or nothing.
    pub(super) description: Option<Named>,
    pub(super) target_delimiter: String,
    pub(super) gen_prefix: Option<Named>,
    pub(super) shots: Shots,
    /// How many few-shot examples the task itself asks for.
    pub num_fewshot: Option<usize>,
    /// What judging depends on.
    pub spec: TaskSpec,
}

/// What `datasets.load_dataset` is given.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsOf {
    /// `ORG/NAME`, or the name of a format.
    pub path: String,
    /// The configuration.
    pub name: Option<String>,
    /// What else.
    pub options: Vec<(String, Setting)>,
}

/// How few-shot examples are made.
#[derive(Debug)]
pub(super) struct Shots {
    pub(super) sampler: Sampler,
    pub(super) split: Option<String>,
    pub(super) process_docs: Option<FunctionName>,
    pub(super) samples: Option<Samples>,
    /// Where it is not the task's own.
    pub(super) text: Option<Field>,
    pub(super) target: Option<Field>,
    pub(super) choice: Option<Field>,
    pub(super) gen_prefix: Option<Named>,
    pub(super) delimiter: String,
    pub(super) target_delimiter: String,
}

/// Which examples are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampler {
    /// Random ones.
    Random,
    /// The first.
    First,
}

/// Examples that are written in the task.
#[derive(Debug, Clone)]
pub(super) enum Samples {
    List(Vec<Setting>),
    Function(FunctionName),
}

impl Task {
    /// What a task says.
    ///
    /// # Errors
    /// The first thing that is not supported, as a phrase: ``the metric `bleurt` ``.
    pub fn compile(config: &TaskConfig) -> Result<Task, Refused> {
        refuse_unknown(config)?;
        for name in ["custom_dataset", "use_prompt", "doc_to_image", "doc_to_audio", "class"] {
            if let Some(setting) = config.get(name) {
                return Err(format!("`{name}` ({})", setting.kind()));
            }
        }
        refuse_unsafe(config)?;
        let get = |name: &str| text(name, config.get(name));
        let output_type = output_type(config)?;
        let target_delimiter = get("target_delimiter")?.unwrap_or_else(|| " ".to_owned());
        let separator = get("fewshot_delimiter")?.unwrap_or_else(|| "\n\n".to_owned());
        let process_docs = function("process_docs", config.get("process_docs"))?;
        let field = |name: &str| config.get(name).map(|setting| Field::read(name, setting)).transpose();
        let missing = |name: &str| format!("no `{name}`");
        let gen_prefix = named("gen_prefix", config.get("gen_prefix"))?;
        let shots = shots(config, process_docs.as_ref(), gen_prefix.as_ref(), &separator, &target_delimiter)?;
        let choice = field("doc_to_choice")?;
        if !matches!(choice, None | Some(Field::Named(_) | Field::List(_) | Field::Map(_) | Field::Function(_))) {
            return Err("a number as `doc_to_choice`".to_owned());
        }
        let mut spec = metrics::spec(config, output_type)?;
        spec.has_choices = choice.is_some();
        if output_type == OutputType::GenerateUntil {
            spec.sampling = generation::sampling(config.get("generation_kwargs"), Some(&separator))?;
        }
        if output_type == OutputType::MultipleChoice && choice.is_none() {
            return Err(missing("doc_to_choice"));
        }
        Ok(Task {
            name: config.name.clone(),
            source: RowsOf {
                path: get("dataset_path")?.ok_or_else(|| missing("dataset_path"))?,
                name: get("dataset_name")?,
                options: kwargs(config)?,
            },
            training_split: get("training_split")?,
            validation_split: get("validation_split")?,
            test_split: get("test_split")?,
            process_docs,
            text: field("doc_to_text")?.ok_or_else(|| missing("doc_to_text"))?,
            target: field("doc_to_target")?.ok_or_else(|| missing("doc_to_target"))?,
            choice,
            description: named("description", config.get("description"))?,
            target_delimiter,
            gen_prefix,
            shots,
            num_fewshot: match config.get("num_fewshot") {
                None => None,
                Some(Setting::Int(number)) => {
                    Some(usize::try_from(*number).map_err(|_| format!("{number} as `num_fewshot`"))?)
                }
                Some(other) => return Err(format!("{} as `num_fewshot`", other.kind())),
            },
            spec,
        })
    }

    /// The functions of Python files that it calls, but for those that judge.
    pub fn functions(&self) -> Vec<&FunctionName> {
        let fields = [Some(&self.text), Some(&self.target), self.choice.as_ref()];
        let shots = [self.shots.text.as_ref(), self.shots.target.as_ref(), self.shots.choice.as_ref()];
        let fields = fields.into_iter().chain(shots).flatten().filter_map(Field::function);
        let samples = match &self.shots.samples {
            Some(Samples::Function(function)) => Some(function),
            _ => None,
        };
        fields.chain(&self.process_docs).chain(&self.shots.process_docs).chain(samples).collect()
    }

    /// The split that few-shot examples are taken from, where it is one.
    pub(super) fn shots_split(&self) -> Option<&str> {
        match (&self.shots.split, &self.shots.samples) {
            (Some(split), _) => Some(split),
            (None, Some(_)) => None,
            (None, None) => {
                self.training_split.as_deref().or(self.validation_split.as_deref()).or(self.test_split.as_deref())
            }
        }
    }

    /// Where the documents are that a model is examined on.
    pub(super) fn examined_split(&self) -> Result<&str, Refused> {
        let split = self.test_split.as_deref().or(self.validation_split.as_deref());
        split.ok_or_else(|| "neither `test_split` nor `validation_split`".to_owned())
    }
}

/// Refuses what lm-evaluation-harness does not know.
pub(super) fn refuse_unknown(config: &TaskConfig) -> Result<(), Refused> {
    let is_unknown =
        |(name, setting): &&(String, Setting)| !KNOWN.contains(&name.as_str()) && *setting != Setting::Null;
    match config.settings.iter().find(is_unknown) {
        Some((name, _)) => Err(format!("the setting `{name}`, which lm-evaluation-harness does not know")),
        None => Ok(()),
    }
}

/// Refuses a task that runs what a model has written.
pub(super) fn refuse_unsafe(config: &TaskConfig) -> Result<(), Refused> {
    match config.get("unsafe_code") {
        None | Some(Setting::Bool(false)) => Ok(()),
        Some(_) => Err("`unsafe_code`: it runs what a model has written".to_owned()),
    }
}

/// What a task asks of a model.
pub(super) fn output_type(config: &TaskConfig) -> Result<OutputType, Refused> {
    match text("output_type", config.get("output_type"))? {
        None => Ok(OutputType::GenerateUntil),
        Some(name) => OutputType::named(&name).ok_or_else(|| format!("the output type `{name}`")),
    }
}

/// A text that is the name of a column or a template. An empty one is none.
fn named(name: &str, setting: Option<&Setting>) -> Result<Option<Named>, Refused> {
    match text(name, setting)?.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => Named::new(name, &text).map(Some),
    }
}

/// `dataset_kwargs` without what has no effect.
fn kwargs(config: &TaskConfig) -> Result<Vec<(String, Setting)>, Refused> {
    let Some(setting) = config.get("dataset_kwargs") else { return Ok(Vec::new()) };
    let entries = setting.as_map().ok_or_else(|| format!("{} as `dataset_kwargs`", setting.kind()))?;
    Ok(entries.iter().filter(|(name, _)| name != "trust_remote_code").cloned().collect())
}

fn shots(
    config: &TaskConfig,
    process_docs: Option<&FunctionName>,
    gen_prefix: Option<&Named>,
    separator: &str,
    target_delimiter: &str,
) -> Result<Shots, Refused> {
    let entries = match config.get("fewshot_config") {
        None => &[][..],
        Some(setting) => setting.as_map().ok_or_else(|| format!("{} as `fewshot_config`", setting.kind()))?,
    };
    if let Some((name, _)) = entries.iter().find(|(name, _)| !KNOWN_OF_SHOTS.contains(&name.as_str())) {
        return Err(format!("`{name}` in `fewshot_config`, which lm-evaluation-harness does not know"));
    }
    let get = |name: &str| entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    // What is there as null takes the place of what the task says: it is not the same as what is not there.
    let over = |name: &str, otherwise: Option<&str>| match get(name) {
        None => Ok(otherwise.map(str::to_owned)),
        some => text(name, some),
    };
    let field = |name: &str| match get(name) {
        None => Ok(None),
        Some(Setting::Null) if config.get(name).is_none() => Ok(None),
        Some(Setting::Null) if name != "doc_to_choice" => Ok(None),
        Some(setting) => Field::read(name, setting).map(Some),
    };
    let split = match get("split") {
        None => text("fewshot_split", config.get("fewshot_split"))?,
        some => text("split", some)?,
    };
    let sampler = match get("sampler") {
        None => Sampler::Random,
        Some(Setting::Text(name)) if name == "default" => Sampler::Random,
        Some(Setting::Text(name)) if name == "first_n" => Sampler::First,
        Some(other) => return Err(format!("{} as `sampler` of `fewshot_config`", other.kind())),
    };
    let samples = match get("samples") {
        None | Some(Setting::Null) => None,
        Some(Setting::List(list)) => Some(Samples::List(list.clone())),
        Some(Setting::Function(function)) => Some(Samples::Function(function.clone())),
        Some(other) => return Err(format!("{} as `samples` of `fewshot_config`", other.kind())),
    };
    let no = |name: &str| format!("no `{name}` in `fewshot_config`");
    Ok(Shots {
        sampler,
        split,
        process_docs: match get("process_docs") {
            None => process_docs.cloned(),
            some => setting::function("process_docs", some)?,
        },
        samples,
        text: field("doc_to_text")?,
        target: field("doc_to_target")?,
        choice: field("doc_to_choice")?,
        gen_prefix: match get("gen_prefix") {
            None => gen_prefix.cloned(),
            some => named("gen_prefix", some)?,
        },
        delimiter: over("fewshot_delimiter", Some(separator))?.ok_or_else(|| no("fewshot_delimiter"))?,
        target_delimiter: over("target_delimiter", Some(target_delimiter))?.ok_or_else(|| no("target_delimiter"))?,
    })
}
