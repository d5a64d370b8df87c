//! Iteration.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::{Frame, Session};
use crate::error::{Error, Outcome};
use crate::program::ir::Generator;
use crate::run::class::Instance;
use crate::value::{DictRef, List, Set, Str, Value, View};

/// What gives one value after another.
pub trait Iterate: fmt::Debug {
    /// The next value; none at the end, and ever after.
    ///
    /// # Errors
    /// When it raises.
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error>;
}

/// Where an iteration is.
pub(crate) enum Cursor {
    List(List, usize),
    Tuple(Rc<[Value]>, usize),
    Chars(Str, usize),
    Bytes(Arc<[u8]>, usize),
    /// Next number, how many are left, step.
    Range(i64, usize, i64),
    /// With the number of entries at the beginning.
    Dict(DictRef, View, usize, usize),
    Set(Rc<RefCell<Set>>, Vec<Value>, usize),
    Values(std::vec::IntoIter<Value>),
    Iterator(Rc<RefCell<Box<dyn Iterate>>>),
    /// An instance with `__getitem__` is not one of these.
    Generator(Box<Generating>),
}

impl fmt::Debug for Cursor {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Cursor")
    }
}

impl Iterate for Cursor {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        Cursor::next(self, session)
    }
}

impl Cursor {
    pub(crate) fn next(&mut self, session: &mut Session) -> Outcome<Option<Value>> {
        Ok(match self {
            Cursor::List(list, index) => {
                let item = list.borrow().get(*index).cloned();
                match item {
                    Some(_) => *index += 1,
                    // A list that grows later does not wake an iterator that has ended.
                    None => *index = usize::MAX,
                }
                item
            }
            Cursor::Tuple(items, index) => {
                *index += 1;
                items.get(*index - 1).cloned()
            }
            Cursor::Chars(text, offset) => {
                let next = text.get(*offset..).and_then(|rest| rest.chars().next());
                next.map(|c| {
                    *offset += c.len_utf8();
                    Value::str(c.encode_utf8(&mut [0; 4]))
                })
            }
            Cursor::Bytes(bytes, index) => {
                *index += 1;
                bytes.get(*index - 1).map(|byte| Value::Int(i64::from(*byte)))
            }
            Cursor::Range(next, left, step) => match left.checked_sub(1) {
                Some(fewer) => {
                    let value = *next;
                    *left = fewer;
                    *next = next.wrapping_add(*step);
                    Some(Value::Int(value))
                }
                None => None,
            },
            Cursor::Dict(dict, view, index, length) => {
                let dict = dict.borrow();
                if dict.len() != *length {
                    return Err(Error::raise("RuntimeError", "dictionary changed size during iteration"));
                }
                *index += 1;
                dict.entry_at(*index - 1).map(|(key, value)| match view {
                    View::Keys => key.clone(),
                    View::Values => value.clone(),
                    View::Items => Value::tuple(vec![key.clone(), value.clone()]),
                })
            }
            Cursor::Set(set, members, index) => {
                if set.borrow().len() != members.len() {
                    return Err(Error::raise("RuntimeError", "Set changed size during iteration"));
                }
                *index += 1;
                members.get(*index - 1).cloned()
            }
            Cursor::Values(values) => values.next(),
            Cursor::Iterator(iterator) => {
                let iterator = Rc::clone(iterator);
                let Ok(mut iterator) = iterator.try_borrow_mut() else {
                    return Err(Error::raise("ValueError", "generator already executing"));
                };
                iterator.next(session)?
            }
            Cursor::Generator(generating) => generating.next(session)?,
        })
    }
}

impl Session {
    /// Python's `iter()`.
    pub(crate) fn iterate(&mut self, value: &Value) -> Outcome<Cursor> {
        Ok(match value {
            Value::List(list) => Cursor::List(Rc::clone(list), 0),
            Value::Tuple(items) => Cursor::Tuple(Rc::clone(items), 0),
            Value::Str(text) => Cursor::Chars(text.clone(), 0),
            Value::Bytes(bytes) => Cursor::Bytes(Arc::clone(bytes), 0),
            Value::Range(start, stop, step) => {
                Cursor::Range(*start, crate::types::range_length(*start, *stop, *step), *step)
            }
            Value::Dict(dict) => {
                let length = dict.borrow().len();
                Cursor::Dict(Rc::clone(dict), View::Keys, 0, length)
            }
            Value::View(dict, view) => {
                let length = dict.borrow().len();
                Cursor::Dict(Rc::clone(dict), *view, 0, length)
            }
            Value::Set(set) => {
                let members = set.borrow().in_order()?;
                Cursor::Set(Rc::clone(set), members, 0)
            }
            Value::FrozenSet(set) => Cursor::Values(set.in_order()?.into_iter()),
            Value::Iterator(iterator) => Cursor::Iterator(Rc::clone(iterator)),
            Value::Object(object) => match object.items() {
                Some(items) => Cursor::Values(items.into_iter()),
                None => return Err(Error::unsupported(format!("iterating over a `{}`", object.type_name()))),
            },
            Value::Instance(instance) => return self.iterate_instance(instance),
            other => {
                let text = format!("'{}' object is not iterable", other.type_name());
                return Err(Error::raise("TypeError", text));
            }
        })
    }

    fn iterate_instance(&mut self, instance: &Rc<Instance>) -> Outcome<Cursor> {
        Err(Error::unsupported(format!("iterating over an instance of `{}`", instance.class.name())))
    }
}

/// A generator expression in the middle of its work.
#[derive(Debug)]
pub(crate) struct Generating {
    generator: Arc<Generator>,
    frame: Frame,
    /// One for each clause that has begun; none once it has ended.
    cursors: Option<Vec<Cursor>>,
}

impl Generating {
    fn next(&mut self, session: &mut Session) -> Outcome<Option<Value>> {
        let Some(mut cursors) = self.cursors.take() else { return Ok(None) };
        // An error ends it: the cursors are put back only with a value.
        let clauses = &self.generator.clauses;
        while let Some(depth) = cursors.len().checked_sub(1) {
            session.step()?;
            let Some(item) = cursors[depth].next(session)? else {
                cursors.pop();
                continue;
            };
            let clause = &clauses[depth];
            session.assign(&mut self.frame, &clause.target, item)?;
            let mut passes = true;
            for condition in &clause.conditions {
                if !session.test(&mut self.frame, condition)? {
                    passes = false;
                    break;
                }
            }
            if !passes {
                continue;
            }
            if let Some(inner) = clauses.get(depth + 1) {
                let iterable = session.expr(&mut self.frame, &inner.iterable)?;
                cursors.push(session.iterate(&iterable)?);
                continue;
            }
            let value = session.expr(&mut self.frame, &self.generator.element)?;
            self.cursors = Some(cursors);
            return Ok(Some(value));
        }
        Ok(None)
    }
}

impl Session {
    /// A generator expression, whose first iterable is evaluated at once.
    pub(super) fn generator(&mut self, frame: &mut Frame, generator: &Arc<Generator>) -> Outcome<Value> {
        let first = self.expr(frame, &generator.first)?;
        let first = self.iterate(&first)?;
        let inner = Frame {
            module: frame.module,
            slots: vec![None; generator.code.slots.len()],
            cells: generator.code.cells.iter().map(|_| super::CellRef::default()).collect(),
            free: frame.captured(&generator.code.captures),
            code: None,
            class: None,
            handled: Vec::new(),
            method: None,
        };
        let generating = Generating { generator: Arc::clone(generator), frame: inner, cursors: Some(vec![first]) };
        Ok(Value::iterator(Cursor::Generator(Box::new(generating))))
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&mut self, value: &Value) -> Outcome<Vec<(Value, Value)>> {
        match value {
            Value::Dict(dict) => Ok(dict.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
            Value::Object(object) => {
                Err(Error::unsupported(format!("a `{}` where a dictionary is expected", object.type_name())))
            }
            other => {
                let mut entries = Vec::new();
                for item in self.collect(other)? {
                    let pair = self.collect(&item)?;
                    let [key, value] = <[Value; 2]>::try_from(pair)
                        .map_err(|_| Error::value_error("dictionary update sequence element has no length of 2"))?;
                    entries.push((key, value));
                }
                Ok(entries)
            }
        }
    }
}
