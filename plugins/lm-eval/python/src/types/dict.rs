//! Methods of dictionaries, and of the classes derived from them.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::Binary;
use crate::run::Session;
use crate::value::{Dict, DictKind, DictRef, Value, View, order};

pub(super) const METHODS: &[&str] = &[
    "clear",
    "copy",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
    "most_common",
    "elements",
    "move_to_end",
    "fromkeys",
    "total",
];

pub(super) fn call(session: &mut Session, dict: &DictRef, name: &str, args: Arguments) -> Outcome<Value> {
    let view = |view: View, args: Arguments| args.exactly::<0>(name).map(|_| Value::View(Rc::clone(dict), view));
    match name {
        "get" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let found = dict.borrow().get(&key.unwrap_or(Value::None))?.cloned();
            Ok(found.or(default).unwrap_or(Value::None))
        }
        "keys" => view(View::Keys, args),
        "values" => view(View::Values, args),
        "items" => view(View::Items, args),
        "pop" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Value::None);
            let found = dict.borrow_mut().remove(&key)?;
            found.or(default).ok_or_else(|| Error::raise_value("KeyError", vec![key]))
        }
        "popitem" => {
            let [last] = args.bind(name, ["last"], 0)?;
            if last.is_some() {
                return Err(Error::unsupported("the argument `last` of `popitem`"));
            }
            match dict.borrow_mut().pop_last() {
                Some((key, value)) => Ok(Value::tuple(vec![key, value])),
                None => Err(Error::raise("KeyError", "popitem(): dictionary is empty")),
            }
        }
        "setdefault" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Value::None);
            let found = dict.borrow().get(&key)?.cloned();
            if let Some(value) = found {
                return Ok(value);
            }
            let value = default.unwrap_or(Value::None);
            dict.borrow_mut().insert(key, value.clone())?;
            Ok(value)
        }
        "update" => {
            update(session, dict, args)?;
            Ok(Value::None)
        }
        "clear" => {
            args.exactly::<0>(name)?;
            dict.borrow_mut().clear();
            Ok(Value::None)
        }
        "copy" => {
            args.exactly::<0>(name)?;
            Ok(Value::Dict(Rc::new(RefCell::new(dict.borrow().clone()))))
        }
        "most_common" if is_counter(dict) => {
            let [count] = args.bind(name, ["n"], 0)?;
            most_common(dict, count.as_ref())
        }
        "elements" if is_counter(dict) => {
            args.exactly::<0>(name)?;
            let mut items = Vec::new();
            for (key, count) in dict.borrow().iter() {
                let count = count.as_int().ok_or_else(|| Error::type_error("the counts must be integers"))?;
                items.extend(std::iter::repeat_n(key.clone(), usize::try_from(count).unwrap_or_default()));
                session.fits(items.len())?;
            }
            let items = Value::list(items);
            let cursor = session.iterate(&items)?;
            Ok(Value::iterator(cursor))
        }
        "total" if is_counter(dict) => {
            args.exactly::<0>(name)?;
            let counts: Vec<Value> = dict.borrow().iter().map(|(_, count)| count.clone()).collect();
            let mut total = Value::Int(0);
            for count in counts {
                total = crate::run::binary(session, Binary::Add, &total, &count)?;
            }
            Ok(total)
        }
        "move_to_end" if matches!(dict.borrow().kind, DictKind::Ordered) => {
            let [key, last] = args.bind(name, ["key", "last"], 1)?;
            let key = key.unwrap_or(Value::None);
            let last = last.is_none_or(|last| crate::truth(&last));
            match dict.borrow_mut().move_to(&key, last)? {
                true => Ok(Value::None),
                false => Err(Error::raise_value("KeyError", vec![key])),
            }
        }
        _ => {
            let plain = matches!(dict.borrow().kind, DictKind::Plain);
            if plain
                && matches!(name, "most_common" | "elements" | "total" | "move_to_end" | "default_factory" | "subtract")
            {
                let text = format!("'dict' object has no attribute '{name}'");
                return Err(Error::raise("AttributeError", text));
            }
            super::no_attribute(&Value::Dict(Rc::clone(dict)), name)
        }
    }
}

fn is_counter(dict: &DictRef) -> bool {
    matches!(dict.borrow().kind, DictKind::Counter)
}

fn update(session: &mut Session, dict: &DictRef, args: Arguments) -> Outcome<()> {
    if args.positional.len() > 1 {
        return Err(Error::type_error("update expected at most 1 argument"));
    }
    if is_counter(dict) {
        if !args.keywords.is_empty() {
            return Err(Error::unsupported("named arguments of `update` of a `Counter`"));
        }
        return args.positional.first().map_or(Ok(()), |items| count_into(session, dict, items));
    }
    if let Some(other) = args.positional.first() {
        merge(session, dict, other)?;
    }
    let mut dict = dict.borrow_mut();
    for (key, value) in args.keywords {
        dict.insert_str(key, value);
    }
    Ok(())
}

/// Adds the entries of a mapping or of pairs.
pub(crate) fn merge(session: &mut Session, dict: &DictRef, other: &Value) -> Outcome<()> {
    for (key, value) in session.entries(other)? {
        dict.borrow_mut().insert(key, value)?;
    }
    Ok(())
}

/// Counts items, or adds the counts of a mapping.
pub(crate) fn count_into(session: &mut Session, dict: &DictRef, items: &Value) -> Outcome<()> {
    let counts: Vec<(Value, Value)> = match items {
        Value::Dict(other) => other.borrow().iter().map(|(key, count)| (key.clone(), count.clone())).collect(),
        other => session.collect(other)?.into_iter().map(|item| (item, Value::Int(1))).collect(),
    };
    for (key, count) in counts {
        let before = dict.borrow().get(&key)?.cloned();
        let after = match before {
            Some(before) => crate::run::binary(session, Binary::Add, &count, &before)?,
            None => count,
        };
        dict.borrow_mut().insert(key, after)?;
    }
    Ok(())
}

/// The entries by their counts, those of the same count in the order of insertion.
fn most_common(dict: &DictRef, count: Option<&Value>) -> Outcome<Value> {
    let dict = dict.borrow();
    let mut entries: Vec<(&Value, &Value)> = dict.iter().collect();
    let mut failed = None;
    entries.sort_by(|(_, a), (_, b)| match order(b, a, "<") {
        Ok(Some(order)) => order,
        Ok(None) => std::cmp::Ordering::Equal,
        Err(error) => {
            failed = Some(error);
            std::cmp::Ordering::Equal
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let limit = match count {
        None | Some(Value::None) => entries.len(),
        Some(count) => {
            let count = count.as_int().ok_or_else(|| Error::type_error("the number of entries must be an integer"))?;
            usize::try_from(count).unwrap_or_default()
        }
    };
    let pair = |(key, count): (&Value, &Value)| Value::tuple(vec![key.clone(), count.clone()]);
    Ok(Value::list(entries.into_iter().take(limit).map(pair).collect()))
}

/// `+`, `-`, `&` and `|` of two `Counter`s: counts that are not positive are left out.
pub(crate) fn counter_operator(operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    let (Value::Dict(a), Value::Dict(b)) = (left, right) else {
        return Err(Error::unsupported("this operator of a `Counter`"));
    };
    if !is_counter(a) || !is_counter(b) {
        return Err(Error::unsupported("an operator between a `Counter` and another dictionary"));
    }
    let (a, b) = (a.borrow(), b.borrow());
    let count = |dict: &Dict, key: &Value| -> Outcome<i64> {
        match dict.get(key)? {
            None => Ok(0),
            Some(count) => count.as_int().ok_or_else(|| Error::unsupported("a count that is no whole number")),
        }
    };
    let mut result = Dict::of_kind(DictKind::Counter);
    let mut put = |key: &Value, count: i64| -> Outcome<()> {
        if count > 0 {
            result.insert(key.clone(), Value::Int(count))?;
        }
        Ok(())
    };
    for (key, _) in a.iter() {
        let (x, y) = (count(&a, key)?, count(&b, key)?);
        put(
            key,
            match operator {
                Binary::Add => x + y,
                Binary::Subtract => x - y,
                Binary::And => x.min(y),
                _ => x.max(y),
            },
        )?;
    }
    if operator != Binary::And {
        for (key, _) in b.iter() {
            if a.get(key)?.is_none() {
                let count = count(&b, key)?;
                put(key, if operator == Binary::Subtract { -count } else { count })?;
            }
        }
    }
    Ok(Value::Dict(Rc::new(RefCell::new(result))))
}
