//! `functools`.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Dict, Object, Partial, Value};

pub(super) const ATTRIBUTES: &[&str] = &["cache_clear"];

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "partial" => Value::Native("functools.partial", partial),
        "reduce" => Value::Native("functools.reduce", reduce),
        "cache" => Value::Native("functools.cache", cache),
        "lru_cache" => Value::Native("functools.lru_cache", lru_cache),
        "wraps" => Value::Native("functools.wraps", wraps),
        _ => return None,
    })
}

fn partial(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let Some((function, rest)) = args.positional.split_first() else {
        return Err(Error::type_error("partial() needs a function"));
    };
    let partial = Partial { function: function.clone(), args: rest.to_vec(), keywords: args.keywords };
    Ok(Value::Partial(Rc::new(partial)))
}

fn reduce(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [function, items, initial] = args.bind("reduce", ["function", "iterable", "initial"], 2)?;
    let function = function.unwrap_or(Value::None);
    let mut cursor = session.iterate(&items.unwrap_or(Value::None))?;
    let mut result = match initial {
        Some(initial) => initial,
        None => match cursor.next(session)? {
            Some(first) => first,
            None => {
                let text = "reduce() of empty iterable with no initial value";
                return Err(Error::raise("TypeError", text));
            }
        },
    };
    while let Some(item) = cursor.next(session)? {
        result = session.invoke(&function, Arguments::of(vec![result, item]))?;
    }
    Ok(result)
}

/// A function that remembers its results.
#[derive(Debug)]
struct Cached {
    function: Value,
    results: RefCell<Dict>,
}

impl Object for Cached {
    fn type_name(&self) -> &'static str {
        "functools._lru_cache_wrapper"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        ATTRIBUTES
    }
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "cache_clear" => {
                args.exactly::<0>(name)?;
                self.results.borrow_mut().clear();
                Ok(Value::None)
            }
            _ => Err(Error::unsupported(format!("`{name}` of a cached function"))),
        }
    }
    fn call(self: Rc<Self>, session: &mut Session, args: Arguments) -> Result<Value, Error> {
        let named =
            args.keywords.iter().map(|(name, value)| Value::tuple(vec![Value::Str(name.clone()), value.clone()]));
        let key = Value::tuple(vec![Value::tuple(args.positional.clone()), Value::tuple(named.collect())]);
        if let Some(known) = self.results.borrow().get(&key)? {
            return Ok(known.clone());
        }
        let result = session.invoke(&self.function, args)?;
        self.results.borrow_mut().insert(key, result.clone())?;
        Ok(result)
    }
}

fn cache(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [function] = args.exactly("cache")?;
    Ok(Value::Object(Rc::new(Cached { function, results: RefCell::new(Dict::new()) })))
}

fn lru_cache(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [first, typed] = args.bind("lru_cache", ["maxsize", "typed"], 0)?;
    if typed.is_some() {
        return Err(Error::unsupported("the argument `typed` of `lru_cache`"));
    }
    // How many results are remembered changes how long a call takes, and nothing else.
    match first {
        Some(function @ Value::Function(_)) => cache(session, Arguments::of(vec![function])),
        _ => Ok(Value::Native("functools.cache", cache)),
    }
}

fn wraps(_session: &mut Session, _args: Arguments) -> Outcome<Value> {
    Ok(Value::Native("functools.wraps", super::inert::identity))
}
