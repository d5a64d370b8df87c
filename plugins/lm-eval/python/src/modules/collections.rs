//! `collections`.

use crate::value::Value;

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "Counter" => Value::Type("Counter"),
        "OrderedDict" => Value::Type("OrderedDict"),
        "defaultdict" => Value::Type("defaultdict"),
        "abc" => Value::Module("collections.abc".into()),
        _ => return None,
    })
}
