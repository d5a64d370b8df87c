//! Modules for annotations and abstract classes.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::Value;

/// Nothing of the module is implemented; importing it does no harm.
pub(super) fn nothing(_name: &str) -> Option<Value> {
    None
}

pub(super) fn abc(name: &str) -> Option<Value> {
    Some(match name {
        "ABC" => Value::Type("abc.ABC"),
        "abstractmethod" => Value::Native("abc.abstractmethod", super::inert::identity),
        _ => return None,
    })
}

pub(super) fn typing(name: &str) -> Option<Value> {
    Some(match name {
        "TYPE_CHECKING" => Value::Bool(false),
        "cast" => Value::Native("typing.cast", cast),
        "overload" | "final" | "override" => Value::Native("typing.final", super::inert::identity),
        // Classes made from these have a behavior of their own.
        "NamedTuple" | "TypedDict" | "Enum" | "NewType" | "TypeVar" | "ParamSpec" => return None,
        _ => Value::Type("typing"),
    })
}

fn cast(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [_, value] = args.bind("cast", ["typ", "val"], 2)?;
    value.ok_or_else(|| Error::type_error("cast() needs a value"))
}
