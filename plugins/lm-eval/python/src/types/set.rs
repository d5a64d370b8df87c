//! Methods of sets.

use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Set, Value};

pub(super) const METHODS: &[&str] = &[
    "add",
    "clear",
    "copy",
    "difference",
    "difference_update",
    "discard",
    "intersection",
    "intersection_update",
    "isdisjoint",
    "issubset",
    "issuperset",
    "remove",
    "symmetric_difference",
    "union",
    "update",
];

fn members(value: &Value) -> Set {
    match value {
        Value::Set(set) => set.borrow().clone(),
        Value::FrozenSet(set) => (**set).clone(),
        _ => Set::new(),
    }
}

fn set_of(session: &mut Session, value: &Value) -> Outcome<Set> {
    match value {
        Value::Set(_) | Value::FrozenSet(_) => Ok(members(value)),
        other => {
            let mut set = Set::new();
            for item in session.collect_unordered(other)? {
                set.insert(item)?;
            }
            Ok(set)
        }
    }
}

pub(super) fn call(session: &mut Session, own: &Value, name: &str, args: Arguments) -> Outcome<Value> {
    if let Some((keyword, _)) = args.keywords.first() {
        return Err(Error::unsupported(format!("the argument `{keyword}` of `{name}`")));
    }
    let frozen = matches!(own, Value::FrozenSet(_));
    let made = |set: Set| if frozen { Value::FrozenSet(Rc::new(set)) } else { Value::set(set) };
    match name {
        "union" | "intersection" | "difference" | "symmetric_difference" => {
            let mut result = members(own);
            for other in &args.positional {
                let other = set_of(session, other)?;
                result = match name {
                    "union" => result.union(&other),
                    "intersection" => result.intersection(&other),
                    "difference" => result.difference(&other),
                    _ => result.symmetric_difference(&other),
                };
            }
            return Ok(made(result));
        }
        "isdisjoint" | "issubset" | "issuperset" => {
            let [other] = args.exactly(name)?;
            let (own, other) = (members(own), set_of(session, &other)?);
            let below = |a: &Set, b: &Set| a.keys().all(|key| b.has(key));
            return Ok(Value::Bool(match name {
                "isdisjoint" => !own.keys().any(|key| other.has(key)),
                "issubset" => below(&own, &other),
                _ => below(&other, &own),
            }));
        }
        "copy" => return Ok(made(members(own))),
        _ => {}
    }
    let Value::Set(set) = own else { return super::no_attribute(own, name) };
    match name {
        "add" => {
            let [item] = args.exactly(name)?;
            set.borrow_mut().insert(item)?;
        }
        "discard" | "remove" => {
            let [item] = args.exactly(name)?;
            let found = set.borrow_mut().remove(&item)?;
            if !found && name == "remove" {
                return Err(Error::raise_value("KeyError", vec![item]));
            }
        }
        "update" => {
            for other in &args.positional {
                for item in session.collect_unordered(other)? {
                    set.borrow_mut().insert(item)?;
                }
            }
        }
        "difference_update" | "intersection_update" => {
            for other in &args.positional {
                let other = set_of(session, other)?;
                let result = if name == "difference_update" {
                    set.borrow().difference(&other)
                } else {
                    set.borrow().intersection(&other)
                };
                *set.borrow_mut() = result;
            }
        }
        "clear" => set.borrow_mut().clear(),
        _ => return super::no_attribute(own, name),
    }
    Ok(Value::None)
}
