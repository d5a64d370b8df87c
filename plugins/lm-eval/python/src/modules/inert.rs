//! What has no effect on results: logs, warnings, progress, registries.

use std::any::Any;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Object, Value};

pub(super) const ATTRIBUTES: &[&str] =
    &["info", "debug", "warning", "error", "critical", "exception", "setLevel", "warn", "log", "warning_once"];

pub(super) fn logging(name: &str) -> Option<Value> {
    Some(match name {
        "getLogger" => Value::Native("logging.getLogger", get_logger),
        "info" | "debug" | "warning" | "error" | "critical" | "exception" | "basicConfig" | "warn" => {
            Value::Native("logging.info", nothing)
        }
        "DEBUG" => Value::Int(10),
        "INFO" => Value::Int(20),
        "WARNING" => Value::Int(30),
        "ERROR" => Value::Int(40),
        "CRITICAL" => Value::Int(50),
        _ => return None,
    })
}

pub(super) fn warnings(name: &str) -> Option<Value> {
    matches!(name, "warn" | "filterwarnings" | "simplefilter").then_some(Value::Native("warnings.warn", nothing))
}

/// `tqdm(items)` iterates over the items.
pub(super) fn tqdm(name: &str) -> Option<Value> {
    (name == "tqdm").then_some(Value::Native("tqdm.tqdm", progress))
}

/// Decorators that put a function under a name, and leave it as it is.
pub(super) fn registry(name: &str) -> Option<Value> {
    match name {
        "register_filter" | "register_metric" | "register_aggregation" | "register_model" => {
            Some(Value::Native("lm_eval.api.registry.register", register))
        }
        _ => None,
    }
}

fn register(_session: &mut Session, _args: Arguments) -> Outcome<Value> {
    Ok(Value::Native("lm_eval.api.registry.register", identity))
}

/// A function that returns its argument.
pub(super) fn identity(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("decorator")?;
    Ok(value)
}

fn nothing(_session: &mut Session, _args: Arguments) -> Outcome<Value> {
    Ok(Value::None)
}

fn progress(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let Some(items) = args.positional.first() else {
        return Err(Error::unsupported("`tqdm` without items"));
    };
    let cursor = session.iterate(items)?;
    Ok(Value::iterator(cursor))
}

/// A logger, which logs nothing.
#[derive(Debug)]
struct Logger;

impl Object for Logger {
    fn type_name(&self) -> &'static str {
        "Logger"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        ATTRIBUTES
    }
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, _args: Arguments) -> Result<Value, Error> {
        if ATTRIBUTES.contains(&name) {
            return Ok(Value::None);
        }
        Err(Error::unsupported(format!("`{name}` of a logger")))
    }
}

fn get_logger(_session: &mut Session, _args: Arguments) -> Outcome<Value> {
    Ok(Value::Object(Rc::new(Logger)))
}
