//! Attributes, and the texts of values that may be instances.

use std::rc::Rc;

use super::Session;
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::{ExceptionClass, Str, Value, try_repr, try_str};

impl Session {
    /// `object.name`.
    pub(crate) fn attribute(&mut self, object: &Value, name: &str) -> Outcome<Value> {
        match object {
            Value::Module(module) => {
                let module = module.clone();
                self.module_item(&module, name)
            }
            Value::Instance(instance) => match crate::run::class::instance_attribute(instance, name) {
                Some(value) => self.resolve_descriptor(object, value),
                None => {
                    let class = instance.class.name();
                    let text = format!("'{class}' object has no attribute '{name}'");
                    Err(Error::raise("AttributeError", text))
                }
            },
            Value::Class(class) => match name {
                "__name__" => Ok(Value::str(class.name())),
                _ => match class.find(name) {
                    Some(value) => self.resolve_class_member(object, value),
                    None => {
                        let text = format!("type object '{}' has no attribute '{name}'", class.name());
                        Err(Error::raise("AttributeError", text))
                    }
                },
            },
            Value::Object(known) => match known.attribute(name) {
                Some(value) => Ok(value),
                None if known.methods().contains(&name) => Ok(method(object, name)),
                None => Err(Error::unsupported(format!("`{name}` of a `{}`", known.type_name()))),
            },
            Value::Exception(exception) => {
                if let Some(value) = exception.attributes.borrow().get_str(name) {
                    return Ok(value.clone());
                }
                match name {
                    "args" if exception.exact => Ok(Value::tuple(exception.args.borrow().clone())),
                    _ => match &exception.class {
                        ExceptionClass::User(class) => match class.find(name) {
                            Some(value) => self.resolve_descriptor(object, value),
                            None => {
                                let text = format!("'{}' object has no attribute '{name}'", class.name());
                                Err(Error::raise("AttributeError", text))
                            }
                        },
                        ExceptionClass::Builtin(class) => {
                            Err(Error::unsupported(format!("the attribute `{name}` of a `{class}`")))
                        }
                    },
                }
            }
            Value::Function(function) => match name {
                "__name__" => Ok(Value::Str(function.code.name.clone())),
                _ => Err(Error::unsupported(format!("the attribute `{name}` of a function"))),
            },
            Value::Partial(partial) => match name {
                "func" => Ok(partial.function.clone()),
                _ => Err(Error::unsupported(format!("the attribute `{name}` of `functools.partial`"))),
            },
            Value::Type(class) => match name {
                "__name__" => Ok(Value::str(class)),
                _ if crate::types::has_type_method(class, name) => Ok(method(object, name)),
                _ => Err(Error::unsupported(format!("`{name}` of the type `{class}`"))),
            },
            Value::Native("itertools.chain", _) if name == "from_iterable" => {
                Ok(Value::Native("itertools.chain.from_iterable", crate::modules::chain_from_iterable))
            }
            Value::ExceptionType(class) if name == "__name__" => Ok(Value::str(class)),
            Value::Range(start, stop, step) => match name {
                "start" => Ok(Value::Int(*start)),
                "stop" => Ok(Value::Int(*stop)),
                "step" => Ok(Value::Int(*step)),
                _ => Err(Error::unsupported(format!("`{name}` of a range"))),
            },
            _ if crate::types::has_method(object, name) => Ok(method(object, name)),
            other => crate::types::no_attribute(other, name),
        }
    }

    /// A member of a class, seen from an instance.
    fn resolve_descriptor(&mut self, object: &Value, value: Value) -> Outcome<Value> {
        use crate::run::class::Member;
        match Member::of(&value) {
            Member::Function => Ok(Value::Bound(Rc::new((object.clone(), value)))),
            Member::Static(function) => Ok(function),
            Member::Class(function) => Ok(Value::Bound(Rc::new((crate::run::class::class_of(object), function)))),
            Member::Property(getter) => self.invoke(&getter, Arguments::of(vec![object.clone()])),
            Member::Plain => Ok(value),
        }
    }

    fn resolve_class_member(&mut self, class: &Value, value: Value) -> Outcome<Value> {
        use crate::run::class::Member;
        match Member::of(&value) {
            Member::Static(function) => Ok(function),
            Member::Class(function) => Ok(Value::Bound(Rc::new((class.clone(), function)))),
            Member::Property(_) => Err(Error::unsupported("a property of a class")),
            Member::Function | Member::Plain => Ok(value),
        }
    }

    pub(crate) fn set_attribute(&mut self, object: &Value, name: &Str, value: Value) -> Outcome<()> {
        match object {
            Value::Instance(instance) => {
                if let Some(member) = instance.class.find(name)
                    && matches!(crate::run::class::Member::of(&member), crate::run::class::Member::Property(_))
                {
                    return Err(Error::unsupported("an assignment to a property"));
                }
                instance.attributes.borrow_mut().insert_str(name.clone(), value);
                Ok(())
            }
            Value::Exception(exception) => {
                exception.attributes.borrow_mut().insert_str(name.clone(), value);
                Ok(())
            }
            Value::Class(class) => {
                class.set(name.clone(), value);
                Ok(())
            }
            other => Err(Error::unsupported(format!("an assignment to an attribute of a `{}`", other.type_name()))),
        }
    }

    /// Python's `str()`.
    pub(crate) fn str(&mut self, value: &Value) -> Outcome<String> {
        match value {
            Value::Instance(_) | Value::Exception(_) => {
                if let Some(text) = self.special(value, "__str__")? {
                    return Ok(text);
                }
                match value {
                    Value::Instance(_) => self.repr(value),
                    _ => try_str(value),
                }
            }
            other => try_str(other),
        }
    }

    /// Python's `repr()`.
    pub(crate) fn repr(&mut self, value: &Value) -> Outcome<String> {
        if let Value::Instance(instance) = value {
            if let Some(text) = self.special(value, "__repr__")? {
                return Ok(text);
            }
            return Err(Error::unsupported(format!("the text of an instance of `{}`", instance.class.name())));
        }
        try_repr(value)
    }

    /// What a method of the class makes of an instance.
    fn special(&mut self, value: &Value, name: &str) -> Outcome<Option<String>> {
        let method = match value {
            Value::Instance(instance) => instance.class.find(name),
            Value::Exception(exception) => match &exception.class {
                ExceptionClass::User(class) => class.find(name),
                ExceptionClass::Builtin(_) => None,
            },
            _ => None,
        };
        let Some(method) = method else { return Ok(None) };
        match self.invoke(&method, Arguments::of(vec![value.clone()]))? {
            Value::Str(text) => Ok(Some(text.to_string())),
            other => Err(Error::type_error(format!("{name} returned non-string (type {})", other.type_name()))),
        }
    }
}

fn method(object: &Value, name: &str) -> Value {
    Value::Method(Rc::new((object.clone(), Str::from(name))))
}
