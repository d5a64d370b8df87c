//! Sorting, and functions that say by what.

use std::cmp::Ordering;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Value, order};

/// The values that are compared, one for each item.
pub(crate) fn key_function(session: &mut Session, items: &[Value], key: Option<&Value>) -> Outcome<Vec<Value>> {
    match key {
        None | Some(Value::None) => Ok(items.to_vec()),
        Some(key) => items.iter().map(|item| session.invoke(key, Arguments::of(vec![item.clone()]))).collect(),
    }
}

/// `sorted(items, key=key, reverse=reverse)`.
pub(crate) fn sorted(
    session: &mut Session,
    items: Vec<Value>,
    key: Option<&Value>,
    reverse: Option<&Value>,
) -> Outcome<Vec<Value>> {
    let keys = key_function(session, &items, key)?;
    let reverse = match reverse {
        None => false,
        Some(reverse) => session.truth(reverse)?,
    };
    let mut pairs: Vec<(Value, Value)> = keys.into_iter().zip(items).collect();
    // As CPython does: what is sorted backwards keeps the order of equals.
    if reverse {
        pairs.reverse();
    }
    let mut failed = None;
    pairs.sort_by(|(a, _), (b, _)| {
        if failed.is_some() {
            return Ordering::Equal;
        }
        match order(a, b, "<") {
            Ok(Some(order)) => order,
            Ok(None) => {
                failed = Some(Error::unsupported("sorting what has no order, such as `nan`"));
                Ordering::Equal
            }
            Err(error) => {
                failed = Some(error);
                Ordering::Equal
            }
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    if reverse {
        pairs.reverse();
    }
    Ok(pairs.into_iter().map(|(_, item)| item).collect())
}
