//! `dataclasses`: the decorator `dataclass` without arguments, and `field`.

use std::any::Any;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Object, Str, Value};

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "dataclass" => Value::Native("dataclasses.dataclass", dataclass),
        "field" => Value::Native("dataclasses.field", field),
        _ => return None,
    })
}

/// What `field` gives: how a field without a value gets one.
#[derive(Debug)]
struct Field {
    default: Option<Value>,
    default_factory: Option<Value>,
}

impl Object for Field {
    fn type_name(&self) -> &'static str {
        "Field"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn field(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    if !args.positional.is_empty() {
        return Err(Error::type_error("field() takes 0 positional arguments"));
    }
    let [default, default_factory] = args.bind("field", ["default", "default_factory"], 0)?;
    Ok(Value::Object(Rc::new(Field { default, default_factory })))
}

/// The `__init__` that the decorator adds.
#[derive(Debug)]
struct Init {
    class: Str,
    /// The fields in their order, each with what stands for it.
    fields: Vec<(Str, Option<Value>)>,
}

impl Object for Init {
    fn type_name(&self) -> &'static str {
        "function"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn call(self: Rc<Self>, session: &mut Session, args: Arguments) -> Result<Value, Error> {
        let mut given = args.positional.into_iter();
        let Some(Value::Instance(instance)) = given.next() else {
            return Err(Error::unsupported("`__init__` of a dataclass without its instance"));
        };
        let mut named = args.keywords;
        for (name, default) in &self.fields {
            let by_name = named.iter().position(|(key, _)| key == name).map(|place| named.remove(place).1);
            let value = match (given.next(), by_name) {
                (Some(_), Some(_)) => {
                    let text = format!("{}.__init__() got multiple values for argument '{name}'", self.class);
                    return Err(Error::raise("TypeError", text));
                }
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => match default.as_ref().map(|value| (value, as_field(value))) {
                    Some((_, Some(Field { default_factory: Some(factory), .. }))) => {
                        session.invoke(factory, Arguments::of(Vec::new()))?
                    }
                    Some((_, Some(Field { default: Some(value), .. }))) | Some((value, None)) => value.clone(),
                    Some((_, Some(_))) | None => {
                        let text = format!("{}.__init__() missing a required argument: '{name}'", self.class);
                        return Err(Error::raise("TypeError", text));
                    }
                },
            };
            instance.attributes.borrow_mut().insert_str(name.clone(), value);
        }
        if given.next().is_some() || !named.is_empty() {
            return Err(Error::raise("TypeError", format!("{}.__init__() got too many arguments", self.class)));
        }
        Ok(Value::None)
    }
}

fn as_field(value: &Value) -> Option<&Field> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Field>(),
        _ => None,
    }
}

fn dataclass(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    if !args.keywords.is_empty() || args.positional.len() != 1 {
        return Err(Error::unsupported("an argument of `dataclass`"));
    }
    let [value] = args.exactly("dataclass")?;
    let Value::Class(class) = &value else {
        return Err(Error::unsupported(format!("a dataclass of a `{}`", value.type_name())));
    };
    if class.exception_base().is_some() {
        return Err(Error::unsupported("a dataclass of an exception"));
    }
    let fields: Vec<(Str, Option<Value>)> =
        class.annotated().into_iter().map(|name| (name.clone(), class.find(&name))).collect();
    let mut has_default = false;
    for (name, default) in &fields {
        match default {
            Some(Value::List(_) | Value::Dict(_) | Value::Set(_)) => {
                return Err(Error::unsupported(format!("the mutable default of the field `{name}`")));
            }
            None if has_default => {
                let text = format!("non-default argument '{name}' follows default argument");
                return Err(Error::raise("TypeError", text));
            }
            default => has_default |= default.is_some(),
        }
    }
    if !class.has_own("__init__") {
        class.set(Str::from("__init__"), Value::Object(Rc::new(Init { class: Str::from(class.name()), fields })));
    }
    class.compares_fields();
    Ok(value)
}
