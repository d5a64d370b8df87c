//! Runs functions.

mod arithmetic;
mod assign;
mod attribute;
mod call;
pub(crate) mod class;
mod compare;
mod cursor;
mod expr;
mod format;
mod globals;
mod operations;
mod percent;
mod stmt;
mod subscript;
mod template;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use examiner_metrics::python_regex::Pattern;

use crate::error::{Error, Outcome};
use crate::program::ir::Code;
use crate::program::{Library, Module, Program};
use crate::random::Random;
use crate::run::class::Class;
use crate::value::{Dict, ExceptionObject, Str, Value};

pub(crate) use arithmetic::binary;
pub(crate) use cursor::Cursor;
pub use cursor::Iterate;
pub(crate) use format::format_value;
pub use operations::{Operator, Relation};
pub(crate) use subscript::{resolve_index, slice_bounds};

/// How much a call may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many statements, calls and rounds of loops.
    pub steps: u64,
    /// How many calls within calls.
    pub depth: usize,
    /// How many bytes a text, or how many elements a list, may have.
    pub size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { steps: 2_000_000_000, depth: 900, size: 1 << 28 }
    }
}

/// An interpreter with the variables of modules.
///
/// It belongs to one thread. What functions change in their modules stays changed for the next call, as in Python.
#[derive(Debug)]
pub struct Session {
    program: Program,
    modules: Vec<Loaded>,
    by_path: HashMap<PathBuf, usize>,
    limits: Limits,
    steps: u64,
    depth: usize,
    /// The generator of the module `random`, once a seed was set in this call.
    pub(crate) random: Option<Rc<RefCell<Random>>>,
    /// Patterns that have been compiled, with their flags.
    pub(crate) patterns: HashMap<(Str, i64), Pattern>,
    /// The texts of files that modules have read.
    pub(crate) files: Vec<(String, Str)>,
}

/// A module whose names get their values when they are needed.
#[derive(Debug)]
struct Loaded {
    module: Arc<Module>,
    globals: Vec<Option<Value>>,
    /// Names whose statements have run.
    ready: Vec<bool>,
    /// Statements that have run.
    done: Vec<bool>,
    /// Why statements failed: they do so again for whoever needs them.
    failed: HashMap<usize, Error>,
    /// The statement that runs.
    running: Option<usize>,
    /// Names that statements have bound by `globals`, once they have run.
    dynamic: Option<Dict>,
}

/// A variable that functions share.
type CellRef = Rc<RefCell<Option<Value>>>;

/// A function of a Python file, with what it holds of the function around it.
#[derive(Debug)]
pub struct Function {
    pub(crate) code: Arc<Code>,
    pub(crate) module: usize,
    pub(crate) defaults: Vec<Option<Value>>,
    pub(crate) free: Rc<[CellRef]>,
    /// The class that it is a method of.
    pub(crate) owner: RefCell<Option<Rc<Class>>>,
}

/// The variables of a call.
#[derive(Debug)]
struct Frame {
    module: usize,
    slots: Vec<Option<Value>>,
    cells: Vec<CellRef>,
    free: Rc<[CellRef]>,
    /// The code, for the names of variables.
    code: Option<Arc<Code>>,
    /// The names of the class whose body runs.
    class: Option<Dict>,
    /// The exceptions that are handled.
    handled: Vec<Rc<ExceptionObject>>,
    /// The class of the method that runs, and its first argument.
    method: Option<(Rc<Class>, Value)>,
}

/// How a statement ends.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl Session {
    /// An interpreter for a program.
    pub fn new(program: &Program) -> Self {
        Session::with_limits(program, Limits::default())
    }

    /// An interpreter whose calls may need no more than this.
    pub fn with_limits(program: &Program, limits: Limits) -> Self {
        let mut session = Session {
            program: program.clone(),
            modules: Vec::new(),
            by_path: HashMap::new(),
            limits,
            steps: limits.steps,
            depth: 0,
            random: None,
            patterns: HashMap::new(),
            files: Vec::new(),
        };
        session.load(program.module());
        session
    }

    /// Calls a function of the program's file.
    ///
    /// # Errors
    /// When it raises an exception, needs what is not implemented, or needs more than the limits allow.
    pub fn call(&mut self, function: &str, args: Vec<Value>, keywords: Vec<(String, Value)>) -> Result<Value, Error> {
        let function = self.get(function)?;
        let keywords = keywords.into_iter().map(|(name, value)| (Str::from(name), value)).collect();
        self.call_value(&function, crate::Arguments { positional: args, keywords })
    }

    /// What a name of the program's file is bound to, once all that it uses has been evaluated.
    ///
    /// # Errors
    /// When the file does not have it, or it uses what is not implemented.
    pub fn get(&mut self, name: &str) -> Result<Value, Error> {
        self.steps = self.limits.steps;
        let program = self.program.clone();
        match &*program.reached(name) {
            Ok(reached) => self.prepare(reached)?,
            Err(refusal) => return Err(Error::Unsupported(Box::new(refusal.clone()))),
        }
        match program.module().globals.get_index_of(name) {
            Some(global) if !program.module().makers_of(global).is_empty() => self.global(0, global),
            _ => {
                let found = self.dynamic(0)?.get_str(name).cloned();
                found.ok_or_else(|| Error::unsupported(format!("the function `{name}`, which the file does not have")))
            }
        }
    }

    /// Calls any value that can be called, with a new budget of steps.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn call_value(&mut self, function: &Value, args: crate::Arguments) -> Result<Value, Error> {
        self.steps = self.limits.steps;
        crate::modules::forget_seed(self);
        self.invoke(function, args)
    }

    /// All that iterating over a value gives.
    ///
    /// # Errors
    /// When it cannot be iterated over, or its iterator raises.
    pub fn collect(&mut self, value: &Value) -> Result<Vec<Value>, Error> {
        self.collect_in(value, false)
    }

    /// As [`Session::collect`], where the order of a set's members does not matter.
    ///
    /// # Errors
    /// When the value cannot be iterated over.
    pub(crate) fn collect_unordered(&mut self, value: &Value) -> Result<Vec<Value>, Error> {
        self.collect_in(value, true)
    }

    fn collect_in(&mut self, value: &Value, any_order: bool) -> Result<Vec<Value>, Error> {
        match value {
            Value::List(items) => Ok(items.borrow().clone()),
            Value::Tuple(items) => Ok(items.to_vec()),
            Value::Set(set) if any_order => Ok(set.borrow().iter().cloned().collect()),
            Value::FrozenSet(set) if any_order => Ok(set.iter().cloned().collect()),
            other => {
                let mut cursor = self.iterate(other)?;
                let mut items = Vec::new();
                while let Some(item) = cursor.next(self)? {
                    if items.len() >= self.limits.size {
                        return Err(self.too_large());
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }
    }

    pub(crate) fn library(&self) -> &Library {
        self.program.library()
    }

    /// One statement, call or round of a loop.
    pub(crate) fn step(&mut self) -> Outcome<()> {
        match self.steps.checked_sub(1) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                let steps = self.limits.steps;
                Err(Error::limit(format!("the function did not end after {steps} steps, which is its limit")))
            }
        }
    }

    pub(crate) fn too_large(&self) -> Error {
        let size = self.limits.size;
        Error::limit(format!("the function made a text or a list of more than {size} elements, which is its limit"))
    }

    /// Holds a size against the limit.
    pub(crate) fn fits(&self, size: usize) -> Outcome<()> {
        if size > self.limits.size { Err(self.too_large()) } else { Ok(()) }
    }

    /// One level deeper; the stack grows where it must.
    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth >= self.limits.depth {
            let depth = self.limits.depth;
            return Err(Error::limit(format!(
                "the function called itself more than {depth} times, which is its limit"
            )));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || run(self));
        self.depth -= 1;
        result
    }
}
