//! Tasks that can be examined, each by the way that runs it.

use super::compile::Task;
use super::options::Options;
use super::runnable::runnable;
use super::setting::json_map;
use super::with_python::runnable_with_python;
use crate::python_tasks::{Interpreter, Made, PythonTask, Session, TaskCall};
use crate::spec::TaskSpec;
use crate::tree::{Member, Tree};
use crate::{Setting, TaskConfig};
use examiner_api::{Host, PluginError, Result};
use std::sync::Mutex;

/// The variable that names a directory which is read instead of the hub.
const MIRROR_VARIABLE: &str = "EXAMINER_HUB_MIRROR";

/// A task that can be examined.
pub(super) enum Opened {
    /// This plugin runs it.
    Native(Box<Task>),
    /// lm-evaluation-harness's own code runs it.
    Python(Box<PythonTask>),
}

impl Opened {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Opened::Native(task) => &task.name,
            Opened::Python(task) => task.name(),
        }
    }

    /// What is reported of it, as far as it is known before its samples are made.
    pub(super) fn spec(&self) -> TaskSpec {
        match self {
            Opened::Native(task) => task.spec.clone(),
            Opened::Python(task) => task.spec(&Made::default(), String::new()),
        }
    }
}

/// Tasks, and the Python that runs some of them.
#[derive(Default)]
pub(super) struct AllOpened {
    pub(super) tasks: Vec<Opened>,
    pub(super) python: Option<Running>,
}

/// The Python that runs tasks.
pub(super) struct Running {
    pub(super) interpreter: Interpreter,
    pub(super) session: Mutex<Session>,
}

/// Opens tasks: by Python those that need it, where the options say so.
///
/// # Errors
/// A task cannot be run, or Python does not open it.
pub(super) fn all(configs: &[TaskConfig], tree: &Tree, options: &Options, host: &Host) -> Result<AllOpened> {
    let mut opened = AllOpened::default();
    let mut session: Option<(Interpreter, Session)> = None;
    for config in configs {
        let why = match runnable(config) {
            Ok(task) if !options.python.everywhere() => {
                opened.tasks.push(Opened::Native(Box::new(task)));
                continue;
            }
            Ok(_) => None,
            Err(what) => Some(what),
        };
        allowed(config, why.as_deref(), options)?;
        let (_, session) = match &mut session {
            Some(running) => running,
            none => {
                let interpreter = interpreter(options, tree);
                let running = Session::start(&interpreter, host)?;
                none.insert((interpreter, running))
            }
        };
        let task = PythonTask::open(config, call(config, tree, options)?, session)?;
        opened.tasks.push(Opened::Python(Box::new(task)));
    }
    opened.python = session.map(|(interpreter, session)| Running { interpreter, session: Mutex::new(session) });
    Ok(opened)
}

/// Refuses a task that Python cannot run, or is not to. `why` is why it does not run without.
fn allowed(config: &TaskConfig, why: Option<&str>, options: &Options) -> Result<()> {
    let name = &config.name;
    let with_python = runnable_with_python(config);
    match (why, with_python) {
        (_, Ok(())) if options.python.where_needed() => Ok(()),
        (why, Ok(())) => {
            let what = why.unwrap_or_default();
            Err(PluginError::unsupported(format!("the task `{name}` cannot be run without Python: it has {what}")).with_help(
                "`python: true` has it run by lm-evaluation-harness itself, in a Python of yours (`docs/lm-eval.md`, \"Tasks that need \
                 Python\"); else leave it out: `examiner tasks` says of every task whether it can be run",
            ))
        }
        (_, Err(what)) => Err(PluginError::unsupported(format!("the task `{name}` cannot be run: it has {what}"))
            .with_help("`examiner tasks` says of every task whether it can be run; leave this one out")),
    }
}

fn interpreter(options: &Options, tree: &Tree) -> Interpreter {
    let variable = || std::env::var(MIRROR_VARIABLE).ok().filter(|mirror| !mirror.is_empty());
    Interpreter {
        program: options.python_program.clone(),
        tasks_dir: tree.directories().first().cloned().unwrap_or_default(),
        hub_mirror: options.hub_mirror.clone().or_else(variable),
        pass_env: options.pass_env.clone(),
        heartbeat_s: options.heartbeat_s,
    }
}

/// How Python is told which task is meant: by its file, and by what the groups above it say differently.
fn call(config: &TaskConfig, tree: &Tree, options: &Options) -> Result<TaskCall> {
    let refused = |what: String| {
        PluginError::unsupported(format!("the task `{}` cannot be run by Python: {what}", config.name))
            .with_help("name the task itself, not a group that it is in")
    };
    let Member::Task(own) = tree.described_by(&config.path)? else {
        return Err(refused(format!("it is described in the group of `{}`", config.path.display())));
    };
    let differs = |(name, setting): &&(String, Setting)| {
        name != "task" && own.settings.iter().all(|known| known.0 != *name || known.1 != *setting)
    };
    let overrides = json_map(config.settings.iter().filter(differs))
        .map_err(|what| refused(format!("a group above it has {what}")))?;
    Ok(TaskCall {
        task: config.name.clone(),
        path: config.path.clone(),
        overrides,
        num_fewshot: options.num_fewshot,
        fewshot_seed: options.fewshot_seed,
    })
}
