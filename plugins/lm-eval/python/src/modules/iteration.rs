//! Builtins that give one value after another.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::{Cursor, Iterate, Session};
use crate::value::Value;

fn no_keywords(args: &Arguments, name: &str) -> Outcome<()> {
    match args.keywords.first() {
        Some((keyword, _)) => Err(Error::unsupported(format!("the argument `{keyword}` of `{name}`"))),
        None => Ok(()),
    }
}

fn cursors(session: &mut Session, values: &[Value]) -> Outcome<Vec<Cursor>> {
    values.iter().map(|value| session.iterate(value)).collect()
}

#[derive(Debug)]
struct Enumerate(Cursor, i64);

impl Iterate for Enumerate {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        let Some(item) = self.0.next(session)? else { return Ok(None) };
        self.1 += 1;
        Ok(Some(Value::tuple(vec![Value::Int(self.1 - 1), item])))
    }
}

pub(super) fn enumerate(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, start] = args.bind("enumerate", ["iterable", "start"], 1)?;
    let start = start.map_or(Ok(0), |start| {
        start.as_int().ok_or_else(|| Error::type_error("the start of enumerate() must be an integer"))
    })?;
    let cursor = session.iterate(&items.unwrap_or(Value::None))?;
    Ok(Value::iterator(Enumerate(cursor, start)))
}

#[derive(Debug)]
struct Zip(Vec<Cursor>, bool);

impl Iterate for Zip {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        let mut items = Vec::with_capacity(self.0.len());
        for (index, cursor) in self.0.iter_mut().enumerate() {
            match cursor.next(session)? {
                Some(item) => items.push(item),
                None if self.1 && index > 0 => {
                    return Err(Error::raise_inexact("ValueError", "the arguments of zip() differ in length"));
                }
                None if self.1 => {
                    for other in &mut self.0[1..] {
                        if other.next(session)?.is_some() {
                            let text = "the arguments of zip() differ in length";
                            return Err(Error::raise_inexact("ValueError", text));
                        }
                    }
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
        Ok(if items.is_empty() { None } else { Some(Value::tuple(items)) })
    }
}

pub(super) fn zip(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let strict = match args.keywords.as_slice() {
        [] => false,
        [(name, value)] if &**name == "strict" => session.truth(value)?,
        _ => return no_keywords(&args, "zip").map(|()| Value::None),
    };
    let cursors = cursors(session, &args.positional)?;
    Ok(Value::iterator(Zip(cursors, strict)))
}

#[derive(Debug)]
struct Map(Value, Vec<Cursor>);

impl Iterate for Map {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        let mut items = Vec::with_capacity(self.1.len());
        for cursor in &mut self.1 {
            match cursor.next(session)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        session.invoke(&self.0, Arguments::of(items)).map(Some)
    }
}

pub(super) fn map(session: &mut Session, args: Arguments) -> Outcome<Value> {
    no_keywords(&args, "map")?;
    let Some((function, items)) = args.positional.split_first().filter(|(_, items)| !items.is_empty()) else {
        return Err(Error::raise("TypeError", "map() must have at least two arguments."));
    };
    let cursors = cursors(session, items)?;
    Ok(Value::iterator(Map(function.clone(), cursors)))
}

#[derive(Debug)]
struct Filter(Value, Cursor);

impl Iterate for Filter {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        while let Some(item) = self.1.next(session)? {
            session.step()?;
            let test = match &self.0 {
                Value::None => item.clone(),
                function => session.invoke(function, Arguments::of(vec![item.clone()]))?,
            };
            if session.truth(&test)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

pub(super) fn filter(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [function, items] = args.exactly("filter")?;
    let cursor = session.iterate(&items)?;
    Ok(Value::iterator(Filter(function, cursor)))
}

pub(super) fn iter(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("iter")?;
    if matches!(items, Value::Iterator(_)) {
        return Ok(items);
    }
    let cursor = session.iterate(&items)?;
    Ok(Value::iterator(cursor))
}

pub(super) fn next(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [iterator, default] = args.bind("next", ["iterator", "default"], 1)?;
    let iterator = iterator.unwrap_or(Value::None);
    if !matches!(iterator, Value::Iterator(_)) {
        if matches!(iterator, Value::Object(_) | Value::Instance(_)) {
            return Err(Error::unsupported(format!("`next` of a `{}`", iterator.type_name())));
        }
        return Err(Error::raise("TypeError", format!("'{}' object is not an iterator", iterator.type_name())));
    }
    match session.iterate(&iterator)?.next(session)? {
        Some(item) => Ok(item),
        None => default.ok_or_else(|| Error::raise_value("StopIteration", Vec::new())),
    }
}

pub(super) fn reversed(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("reversed")?;
    let mut all = match &items {
        Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Range(..) | Value::Dict(_) | Value::View(..) => {
            session.collect(&items)?
        }
        Value::Object(_) | Value::Instance(_) => {
            return Err(Error::unsupported(format!("`reversed` of a `{}`", items.type_name())));
        }
        other => {
            return Err(Error::raise("TypeError", format!("'{}' object is not reversible", other.type_name())));
        }
    };
    all.reverse();
    Ok(Value::iterator(Cursor::Values(all.into_iter())))
}

pub(super) fn all(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("all")?;
    until(session, &items, false).map(|found| Value::Bool(!found))
}

pub(super) fn any(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("any")?;
    until(session, &items, true).map(Value::Bool)
}

/// Whether an item has this truth; what follows it is not looked at.
fn until(session: &mut Session, items: &Value, wanted: bool) -> Outcome<bool> {
    let mut cursor = session.iterate(items)?;
    while let Some(item) = cursor.next(session)? {
        session.step()?;
        if session.truth(&item)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}
