//! The dataset `lm-eval`: the documents of one or more tasks as samples.

use super::documents::Locate;
use super::fingerprint;
use super::opened::{AllOpened, Opened, Running};
use super::options::Options;
use super::samples::{self, Asking, Naming, Shape};
use crate::TaskConfig;
use crate::python_tasks::{PythonTask, Session};
use crate::scorer::ScorerOptions;
use crate::spec::TaskSpec;
use examiner_api::{
    Dataset, DatasetInfo, Flow, Metadata, PluginError, Result, Sample, Sampling, Shot, Sink, SubsetGroup, rows,
};
use examiner_bounds::{Bounded, TextLimits};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

/// What stands for the reading of a task's rows, where documents have their index.
const READING: u64 = u64::MAX;

/// The dataset, opened.
pub struct Tasks {
    tasks: Arc<Vec<Opened>>,
    python: Option<Running>,
    asking: Asking,
    locate: Locate,
    info: DatasetInfo,
}

impl Tasks {
    /// The samples of some tasks, tried once.
    ///
    /// # Errors
    /// A task says what is not supported, its rows cannot be had, or one of them does not fit it.
    pub(super) fn new(
        configs: &[TaskConfig],
        opened: AllOpened,
        groups: Vec<SubsetGroup>,
        options: &Options,
        locate: Locate,
    ) -> Result<Self> {
        let asking = Asking {
            num_fewshot: options.num_fewshot,
            fewshot_seed: options.fewshot_seed,
            limit: options.limit_per_task,
        };
        let (tasks, python) = (Arc::new(opened.tasks), opened.python);
        let mut dataset = Tasks { tasks, python, asking, locate, info: DatasetInfo::default() };
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
        let imported = self.with_session(|session| session.imported())?.unwrap_or_default();
        let mut samplings = Vec::new();
        for ((task, config), shape) in self.tasks.iter().zip(configs).zip(shapes) {
            let spec = match (task, &shape.python) {
                (Opened::Native(task), _) => {
                    let with_shots = samples::shot_count(task, self.asking) > 0;
                    parts.push(fingerprint::of(config, task, with_shots, &self.locate)?);
                    let (multiple_inputs, multiple_targets) = (shape.multiple_inputs, shape.multiple_targets);
                    TaskSpec { multiple_inputs, multiple_targets, ..task.spec.clone() }
                }
                (Opened::Python(task), made) => {
                    let made = made.clone().unwrap_or_default();
                    let identity = self.with_session(|session| task.identity(session, &imported))?.unwrap_or_default();
                    parts.push(task.fingerprint(&made, &identity));
                    task.spec(&made, identity)
                }
            };
            samplings.push(spec.sampling.clone());
            specs.insert(task.name().to_owned(), spec);
        }
        // What all tasks say alike holds for the dataset; the suite may say it differently.
        let first = samplings.first().cloned().unwrap_or_default();
        let sampling = if samplings.iter().all(|other| *other == first) { first } else { Sampling::default() };
        let interpreter = self.python.as_ref().map(|python| python.interpreter.clone());
        let options = serde_json::to_value(ScorerOptions::new(specs, sampling.clone(), interpreter));
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

    /// Does something with the Python that runs tasks, if one does.
    fn with_session<T>(&self, run: impl FnOnce(&mut Session) -> Result<T>) -> Result<Option<T>> {
        let Some(python) = &self.python else { return Ok(None) };
        run(&mut python.session.lock().unwrap_or_else(PoisonError::into_inner)).map(Some)
    }

    /// Makes all samples, task by task.
    fn each(&self, mut take: impl FnMut(Made) -> Flow) -> Result<()> {
        let mut place = 0;
        while let Some(task) = self.tasks.get(place) {
            let end = match task {
                Opened::Python(_) => place + 1,
                Opened::Native(_) => {
                    let is_python = |task: &Opened| matches!(task, Opened::Python(_));
                    self.tasks[place..].iter().position(is_python).map_or(self.tasks.len(), |count| place + count)
                }
            };
            let flow = match task {
                Opened::Python(task) => self.each_by_python(place, task, &mut take)?,
                Opened::Native(_) => self.each_native(place..end, &mut take)?,
            };
            if flow == Flow::Stop {
                return Ok(());
            }
            place = end;
        }
        Ok(())
    }

    /// Makes the samples of a task that Python runs.
    fn each_by_python(&self, place: usize, task: &PythonTask, take: &mut dyn FnMut(Made) -> Flow) -> Result<Flow> {
        let (limit, is_subset) = (self.asking.limit, self.tasks.len() > 1);
        let mut flow = Flow::Continue;
        let made = self.with_session(|session| {
            task.each(session, limit, is_subset, &mut |sample| {
                flow = take(Made::Sample(Box::new(sample)));
                flow
            })
        })?;
        let made = made.unwrap_or_default();
        let (samples, has_turns) = (made.samples, made.has_turns);
        let shape = Shape { samples, has_turns, python: Some(made), ..Shape::default() };
        Ok(if flow == Flow::Stop { flow } else { take(Made::Shape(place, shape)) })
    }

    /// Makes the samples of tasks beside each other that this plugin runs, in a thread whose memory and time are bounded.
    fn each_native(&self, places: Range<usize>, take: &mut dyn FnMut(Made) -> Flow) -> Result<Flow> {
        let (tasks, asking, locate) = (self.tasks.clone(), self.asking, self.locate.clone());
        let limits = TextLimits::default().work();
        let mut current = places.start;
        let mut made = Bounded::spawn(limits, move |bounds, send| {
            for place in places {
                let Opened::Native(task) = &tasks[place] else { continue };
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
        loop {
            let next = made.next().map_err(|exceeded| {
                let name = self.tasks.get(current).map_or("", |task| task.name());
                samples::too_much(name, &exceeded.what.to_string(), Some(exceeded.number).filter(|n| *n != READING))
            })?;
            match next.transpose()? {
                None => return Ok(Flow::Continue),
                Some(Made::Task(place)) => current = place,
                Some(made) => {
                    if take(made) == Flow::Stop {
                        return Ok(Flow::Stop);
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
