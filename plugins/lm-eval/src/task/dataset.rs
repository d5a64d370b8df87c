//! The dataset `lm-eval`: the documents of one or more tasks as samples.

use super::compile::Task;
use super::documents::Locate;
use super::fingerprint;
use super::runnable::runnable;
use super::samples::{self, Asking, Naming, Shape};
use crate::TaskConfig;
use crate::scorer::ScorerOptions;
use crate::spec::TaskSpec;
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{
    Dataset, DatasetInfo, Flow, Metadata, PluginError, Result, Sample, Sampling, Shot, Sink, SubsetGroup, rows,
};
use examiner_bounds::{Bounded, TextLimits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands for the reading of a task's rows, where documents have their index.
const READING: u64 = u64::MAX;

/// The options of the dataset `lm-eval`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The name of a task, a group or a tag of lm-evaluation-harness, or a list of those.
    pub task: TaskNames,
    /// The directory of tasks, or one that holds `lm_eval/tasks`; `lm_eval==0.4.13` is that of a version, which is downloaded once. Where it
    /// is left out, the directory in the variable `LM_EVAL_TASKS`, else that of the installed lm-evaluation-harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_dir: Option<String>,
    /// How many few-shot examples stand before each question; what the task says where it is left out. A task that says 0 keeps it, as
    /// under `--num_fewshot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_fewshot: Option<usize>,
    /// What random few-shot examples are drawn by; that of lm-evaluation-harness where it is left out.
    #[serde(default = "fewshot_seed")]
    pub fewshot_seed: i64,
    /// At most so many documents of each task, the first ones, as under `--limit`. (The suite's own `limit` counts the samples
    /// of all tasks.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_task: Option<usize>,
    /// A directory with `ORG/NAME/README.md` and the data of each dataset, which is read instead of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_mirror: Option<String>,
}

fn fewshot_seed() -> i64 {
    1234
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name of a task, or a list of names")]
pub enum TaskNames {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl TaskNames {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            TaskNames::One(name) => std::slice::from_ref(name),
            TaskNames::Many(names) => names,
        }
    }
}

/// The dataset, opened.
pub struct Tasks {
    tasks: Arc<Vec<Task>>,
    asking: Asking,
    locate: Locate,
    info: DatasetInfo,
}

impl Tasks {
    /// The samples of some tasks, tried once.
    ///
    /// # Errors
    /// A task says what is not supported, its rows cannot be had, or one of them does not fit it.
    pub(crate) fn new(
        configs: &[TaskConfig],
        groups: Vec<SubsetGroup>,
        options: &Options,
        locate: Locate,
    ) -> Result<Self> {
        let asking = Asking {
            num_fewshot: options.num_fewshot,
            fewshot_seed: options.fewshot_seed,
            limit: options.limit_per_task,
        };
        let mut tasks = Vec::new();
        for config in configs {
            let task = compiled(config)?;
            tasks.push(task);
        }
        let mut dataset = Tasks { tasks: Arc::new(tasks), asking, locate, info: DatasetInfo::default() };
        let shapes = dataset.try_all()?;
        dataset.info = dataset.described(configs, groups, &shapes)?;
        Ok(dataset)
    }

    /// Makes every sample once.
    fn try_all(&self) -> Result<Vec<Shape>> {
        let mut shapes = vec![Shape::default(); self.tasks.len()];
        self.each(|made| {
            if let Made::Shape(place, shape) = made {
                shapes[place] = shape;
            }
            Flow::Continue
        })?;
        Ok(shapes)
    }

    fn described(&self, configs: &[TaskConfig], groups: Vec<SubsetGroup>, shapes: &[Shape]) -> Result<DatasetInfo> {
        let mut specs = BTreeMap::new();
        let mut parts = vec![json!([self.asking.num_fewshot, self.asking.fewshot_seed, self.asking.limit]).to_string()];
        for ((task, config), shape) in self.tasks.iter().zip(configs).zip(shapes) {
            let spec = TaskSpec {
                multiple_inputs: shape.multiple_inputs,
                multiple_targets: shape.multiple_targets,
                ..task.spec.clone()
            };
            let with_shots = samples::shot_count(task, self.asking) > 0;
            parts.push(fingerprint::of(config, task, with_shots, &self.locate)?);
            specs.insert(task.name.clone(), spec);
        }
        // What all tasks say alike holds for the dataset; the suite may say it differently.
        let mut samplings = self.tasks.iter().map(|task| &task.spec.sampling);
        let first = samplings.next().cloned().unwrap_or_default();
        let sampling = if samplings.all(|other| *other == first) { first } else { Sampling::default() };
        let options = serde_json::to_value(ScorerOptions::new(specs, sampling.clone()));
        let scorer_options: Metadata = match options {
            Ok(Value::Object(options)) => options,
            Ok(_) => Metadata::new(),
            Err(error) => return Err(PluginError::bad_input("cannot write the scorer's options").with_cause(&error)),
        };
        let fingerprint = rows::digest(parts);
        Ok(DatasetInfo {
            version: fingerprint.chars().take(6).collect(),
            fingerprint,
            rows: Some(shapes.iter().map(|shape| shape.samples).sum()),
            scorer: Some("lm-eval".to_owned()),
            scorer_options,
            sampling,
            groups,
            has_turns: shapes.iter().any(|shape| shape.has_turns),
            ..DatasetInfo::default()
        })
    }

    /// Makes all samples, task by task, in a thread whose memory and time are bounded.
    fn each(&self, mut take: impl FnMut(Made) -> Flow) -> Result<()> {
        let (tasks, asking, locate) = (self.tasks.clone(), self.asking, self.locate.clone());
        let limits = TextLimits::default().work();
        let mut made = Bounded::spawn(limits, move |bounds, send| {
            for (place, task) in tasks.iter().enumerate() {
                let naming = Naming { subset: (tasks.len() > 1).then(|| task.name.clone()) };
                if !send(Ok(Made::Task(place))) {
                    return;
                }
                let within = |index: u64, make: &mut dyn FnMut() -> Result<Sample>| bounds.within(index, make);
                let mut is_wanted = true;
                let shape = samples::each(task, asking, &naming, &locate, &within, |sample| {
                    is_wanted = send(Ok(Made::Sample(Box::new(sample))));
                    if is_wanted { Flow::Continue } else { Flow::Stop }
                });
                let is_wanted = is_wanted
                    && match shape {
                        Ok(shape) => send(Ok(Made::Shape(place, shape))),
                        Err(error) => {
                            send(Err(error));
                            false
                        }
                    };
                if !is_wanted {
                    return;
                }
            }
        });
        let mut current = 0;
        loop {
            let next = made.next().map_err(|exceeded| {
                let name = self.tasks.get(current).map_or("", |task| task.name.as_str());
                samples::too_much(name, &exceeded.what.to_string(), Some(exceeded.number).filter(|n| *n != READING))
            })?;
            match next.transpose()? {
                None => return Ok(()),
                Some(Made::Task(place)) => current = place,
                Some(made) => {
                    if take(made) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What the thread that makes samples sends.
enum Made {
    /// The task whose samples follow.
    Task(usize),
    Sample(Box<Sample>),
    /// What is known of a task after its last sample.
    Shape(usize, Shape),
}

/// A task that can be run.
fn compiled(config: &TaskConfig) -> Result<Task> {
    runnable(config).map_err(|what| {
        PluginError::unsupported(format!("the task `{}` cannot be run: it has {what}", config.name))
            .with_help("`examiner tasks` says of every task whether it can be run; leave this one out")
    })
}

impl Dataset for Tasks {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(self.info.clone())
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        Err(PluginError::unsupported("the dataset `lm-eval` puts few-shot examples before its questions itself")
            .with_help("leave out `shots`, and say `num_fewshot: N` instead"))
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.each(|made| match made {
            Made::Sample(sample) => sink.send(*sample),
            _ => Flow::Continue,
        })
    }
}
