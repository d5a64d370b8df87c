//! `copy`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Dict, Set, Value};

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "copy" => Value::Native("copy.copy", copy),
        "deepcopy" => Value::Native("copy.deepcopy", deepcopy),
        _ => return None,
    })
}

fn copy(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("copy")?;
    Ok(match &value {
        Value::List(items) => Value::list(items.borrow().clone()),
        Value::Dict(dict) => Value::Dict(Rc::new(RefCell::new(dict.borrow().clone()))),
        Value::Set(set) => Value::set(set.borrow().clone()),
        other => immutable(other, "copy")?,
    })
}

/// Values that are their own copies.
fn immutable(value: &Value, name: &str) -> Outcome<Value> {
    match value {
        Value::None | Value::Ellipsis | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => {
            Ok(value.clone())
        }
        Value::Scalar(_) | Value::Str(_) | Value::Bytes(_) | Value::Range(..) => Ok(value.clone()),
        Value::Tuple(_) | Value::FrozenSet(_) | Value::Function(_) | Value::Type(_) | Value::Native(..) => {
            Ok(value.clone())
        }
        other => Err(Error::unsupported(format!("`{name}` of a `{}`", other.type_name()))),
    }
}

fn deepcopy(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("deepcopy")?;
    deep(&value, &mut HashMap::new(), 0)
}

/// What has been copied is not copied again: it stays the same object.
fn deep(value: &Value, known: &mut HashMap<usize, Value>, depth: usize) -> Outcome<Value> {
    if depth > 200 {
        return Err(Error::limit("a value is nested too deep, more than 200 levels, to be copied"));
    }
    let address = match value {
        Value::List(items) => Rc::as_ptr(items) as usize,
        Value::Dict(dict) => Rc::as_ptr(dict) as usize,
        Value::Set(set) => Rc::as_ptr(set) as usize,
        Value::Tuple(items) => {
            return Ok(Value::tuple(items.iter().map(|item| deep(item, known, depth + 1)).collect::<Outcome<_>>()?));
        }
        other => return immutable(other, "deepcopy"),
    };
    if let Some(copied) = known.get(&address) {
        return Ok(copied.clone());
    }
    match value {
        Value::List(items) => {
            let copied = Rc::new(RefCell::new(Vec::new()));
            known.insert(address, Value::List(Rc::clone(&copied)));
            for item in items.borrow().iter() {
                let item = deep(item, known, depth + 1)?;
                copied.borrow_mut().push(item);
            }
            Ok(Value::List(copied))
        }
        Value::Dict(dict) => {
            let copied = Rc::new(RefCell::new(Dict::of_kind(dict.borrow().kind.clone())));
            known.insert(address, Value::Dict(Rc::clone(&copied)));
            for (key, value) in dict.borrow().iter() {
                let value = deep(value, known, depth + 1)?;
                copied.borrow_mut().insert(key.clone(), value)?;
            }
            Ok(Value::Dict(copied))
        }
        Value::Set(set) => {
            let mut copied = Set::new();
            for item in set.borrow().iter() {
                copied.insert(item.clone())?;
            }
            Ok(Value::set(copied))
        }
        _ => Ok(value.clone()),
    }
}
