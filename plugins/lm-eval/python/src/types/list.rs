//! Methods of lists and tuples.

use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::{Session, resolve_index};
use crate::value::{List, Value, same};

pub(super) const METHODS: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
pub(super) const TUPLE_METHODS: &[&str] = &["count", "index"];

pub(super) fn call(session: &mut Session, list: &List, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "append" => {
            let [item] = args.exactly(name)?;
            list.borrow_mut().push(item);
        }
        "extend" => {
            let [items] = args.exactly(name)?;
            let items = session.collect(&items)?;
            session.fits(list.borrow().len() + items.len())?;
            list.borrow_mut().extend(items);
        }
        "insert" => {
            let [index, item] = args.exactly(name)?;
            let index = index.as_int().ok_or_else(|| Error::type_error("the index must be an integer"))?;
            let mut list = list.borrow_mut();
            let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
            let index = if index < 0 { (index + length).max(0) } else { index.min(length) };
            list.insert(usize::try_from(index).unwrap_or_default(), item);
        }
        "pop" => {
            let [index] = args.bind(name, ["index"], 0)?;
            let index = match index {
                None => -1,
                Some(index) => index.as_int().ok_or_else(|| Error::type_error("the index must be an integer"))?,
            };
            let mut list = list.borrow_mut();
            if list.is_empty() {
                return Err(Error::raise("IndexError", "pop from empty list"));
            }
            return match resolve_index(index, list.len()) {
                Some(index) => Ok(list.remove(index)),
                None => Err(Error::raise("IndexError", "pop index out of range")),
            };
        }
        "remove" => {
            let [item] = args.exactly(name)?;
            let index = position(&list.borrow(), &item)?;
            match index {
                Some(index) => {
                    list.borrow_mut().remove(index);
                }
                None => return Err(Error::raise("ValueError", "list.remove(x): x not in list")),
            }
        }
        "clear" => {
            args.exactly::<0>(name)?;
            list.borrow_mut().clear();
        }
        "copy" => {
            args.exactly::<0>(name)?;
            return Ok(Value::list(list.borrow().clone()));
        }
        "reverse" => {
            args.exactly::<0>(name)?;
            list.borrow_mut().reverse();
        }
        "sort" => {
            if !args.positional.is_empty() {
                return Err(Error::raise("TypeError", "sort() takes no positional arguments"));
            }
            let [key, reverse] = args.bind(name, ["key", "reverse"], 0)?;
            let items = list.borrow().clone();
            let sorted = super::sorted(session, items, key.as_ref(), reverse.as_ref())?;
            *list.borrow_mut() = sorted;
        }
        "count" | "index" => return look_in(&list.borrow(), name, args),
        _ => return super::no_attribute(&Value::List(Rc::clone(list)), name),
    }
    Ok(Value::None)
}

pub(super) fn call_tuple(items: &Rc<[Value]>, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "count" | "index" => look_in(items, name, args),
        _ => super::no_attribute(&Value::Tuple(Rc::clone(items)), name),
    }
}

fn look_in(items: &[Value], name: &str, args: Arguments) -> Outcome<Value> {
    if name == "count" {
        let [wanted] = args.exactly(name)?;
        let mut count = 0;
        for item in items {
            count += i64::from(same(item, &wanted)?);
        }
        return Ok(Value::Int(count));
    }
    let [wanted, start, stop] = args.bind(name, ["value", "start", "stop"], 1)?;
    if stop.is_some() {
        return Err(Error::unsupported("`index` of a list with an end"));
    }
    let wanted = wanted.unwrap_or(Value::None);
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let start = start.as_ref().and_then(Value::as_int).unwrap_or_default();
    let start = usize::try_from(if start < 0 { (start + length).max(0) } else { start }).unwrap_or_default();
    for (index, item) in items.iter().enumerate().skip(start) {
        if same(item, &wanted)? {
            return Ok(Value::count(index));
        }
    }
    let text = crate::value::try_repr(&wanted).map(|wanted| format!("{wanted} is not in list"));
    Err(match text {
        Ok(text) => Error::raise("ValueError", text),
        Err(_) => Error::value_error("the value is not in the list"),
    })
}

fn position(items: &[Value], wanted: &Value) -> Outcome<Option<usize>> {
    for (index, item) in items.iter().enumerate() {
        if same(item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
