//! `min`, `max`, `sorted`, `sum`.

use std::cmp::Ordering;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::Binary;
use crate::run::{Session, binary};
use crate::types;
use crate::value::{Value, order};

pub(super) fn sorted(session: &mut Session, args: Arguments) -> Outcome<Value> {
    if args.positional.len() > 1 {
        return Err(Error::type_error("sorted expected 1 argument"));
    }
    let [items, key, reverse] = args.bind("sorted", ["iterable", "key", "reverse"], 1)?;
    let items = items.unwrap_or(Value::None);
    // What is equal by a key keeps its order.
    let items = if key.is_none() { session.collect_unordered(&items)? } else { session.collect(&items)? };
    types::sorted(session, items, key.as_ref(), reverse.as_ref()).map(Value::list)
}

pub(super) fn min(session: &mut Session, args: Arguments) -> Outcome<Value> {
    extreme(session, args, "min", Ordering::Less)
}

pub(super) fn max(session: &mut Session, args: Arguments) -> Outcome<Value> {
    extreme(session, args, "max", Ordering::Greater)
}

fn extreme(session: &mut Session, args: Arguments, name: &str, wanted: Ordering) -> Outcome<Value> {
    let (mut key, mut default) = (None, None);
    for (keyword, value) in args.keywords {
        match &*keyword {
            "key" => key = Some(value),
            "default" => default = Some(value),
            other => return Err(Error::unsupported(format!("the argument `{other}` of `{name}`"))),
        }
    }
    let items = match args.positional.as_slice() {
        [] => return Err(Error::type_error(format!("{name} expected at least 1 argument, got 0"))),
        [items] if key.is_none() => session.collect_unordered(items)?,
        [items] => session.collect(items)?,
        several => several.to_vec(),
    };
    let keys = types::key_function(session, &items, key.as_ref())?;
    let sign = if wanted == Ordering::Less { "<" } else { ">" };
    let mut best: Option<usize> = None;
    for (index, key) in keys.iter().enumerate() {
        match best {
            None => best = Some(index),
            Some(known) => {
                if order(key, &keys[known], sign)? == Some(wanted) {
                    best = Some(index);
                }
            }
        }
    }
    match best {
        Some(index) => Ok(items[index].clone()),
        None => default.ok_or_else(|| Error::raise("ValueError", format!("{name}() arg is an empty sequence"))),
    }
}

/// `sum(items, start)`: one after the other, as CPython 3.11 does.
pub(super) fn sum(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, start] = args.bind("sum", ["iterable", "start"], 1)?;
    let mut total = start.unwrap_or(Value::Int(0));
    if matches!(total, Value::Str(_)) {
        return Err(Error::raise("TypeError", "sum() can't sum strings [use ''.join(seq) instead]"));
    }
    let mut cursor = session.iterate(&items.unwrap_or(Value::None))?;
    while let Some(item) = cursor.next(session)? {
        session.step()?;
        total = binary(session, Binary::Add, &total, &item)?;
    }
    Ok(total)
}
