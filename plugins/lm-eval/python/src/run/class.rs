//! Classes of Python files: attributes, methods, one base.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::{ClassDefinition, StmtKind};
use crate::run::Session;
use crate::value::{Dict, ExceptionClass, ExceptionObject, Object, Str, Value};

/// Special methods that are called where Python calls them.
const SPECIAL: &[&str] = &["__init__", "__call__", "__str__", "__repr__", "__getitem__"];

/// A class.
#[derive(Debug)]
pub struct Class {
    name: Str,
    base: Option<Rc<Class>>,
    exception: Option<&'static str>,
    members: RefCell<Dict>,
    /// The names that are annotated in its body, in their order.
    annotated: Vec<Str>,
    /// Whether its instances are equal where their annotated attributes are.
    compares_fields: Cell<bool>,
}

/// An instance of a class.
#[derive(Debug)]
pub struct Instance {
    pub(crate) class: Rc<Class>,
    pub(crate) attributes: RefCell<Dict>,
}

impl Instance {
    /// Whether it has no hash, because it is equal to others.
    pub(crate) fn is_unhashable(&self) -> bool {
        self.class.compares_fields.get()
    }

    /// Whether two are equal; `equal` compares attributes.
    pub(crate) fn is_equal(&self, other: &Instance, equal: impl Fn(&Value, &Value) -> Outcome<bool>) -> Outcome<bool> {
        if std::ptr::eq(self, other) {
            return Ok(true);
        }
        if !self.class.compares_fields.get() || !Rc::ptr_eq(&self.class, &other.class) {
            return Ok(false);
        }
        let (ours, theirs) = (self.attributes.borrow(), other.attributes.borrow());
        for name in self.class.annotated() {
            let is_same = match (ours.get_str(&name), theirs.get_str(&name)) {
                (Some(ours), Some(theirs)) => equal(ours, theirs)?,
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            };
            if !is_same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What keeps a class from being run here.
pub(crate) fn refused_members(class: &ClassDefinition) -> Option<String> {
    class.code.body.iter().find_map(|stmt| match &stmt.kind {
        StmtKind::Function(definition, _) => {
            let name = &*definition.code.name;
            let special = name.starts_with("__") && name.ends_with("__");
            (special && !SPECIAL.contains(&name)).then(|| format!("a class with `{name}`"))
        }
        _ => None,
    })
}

impl Class {
    pub(crate) fn new(definition: &ClassDefinition, bases: Vec<Value>, members: Dict) -> Outcome<Rc<Class>> {
        let (mut base, mut exception) = (None, None);
        for value in bases {
            match value {
                Value::Class(class) if base.is_none() => {
                    exception = class.exception;
                    base = Some(class);
                }
                Value::ExceptionType(class) if base.is_none() && exception.is_none() => exception = Some(class),
                Value::Type("object" | "abc.ABC" | "typing") => {}
                Value::Class(_) | Value::ExceptionType(_) => {
                    return Err(Error::unsupported("a class with several bases"));
                }
                other => {
                    let name = crate::repr_of(&other);
                    return Err(Error::unsupported(format!("a class derived from {name}")));
                }
            }
        }
        let functions: Vec<Value> = members.iter().map(|(_, value)| value.clone()).collect();
        let class = Rc::new(Class {
            name: definition.name.clone(),
            base,
            exception,
            members: RefCell::new(members),
            annotated: definition.annotated.clone(),
            compares_fields: Cell::new(false),
        });
        for value in &functions {
            class.own(value);
        }
        Ok(class)
    }

    /// Makes a function one of its methods.
    fn own(self: &Rc<Self>, value: &Value) {
        match value {
            Value::Function(function) => {
                function.owner.borrow_mut().get_or_insert_with(|| Rc::clone(self));
            }
            Value::Object(object) => {
                if let Some(descriptor) = object.as_any().downcast_ref::<Descriptor>() {
                    self.own(&descriptor.function);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The class of exceptions that it is below.
    pub(crate) fn exception_base(&self) -> Option<&'static str> {
        self.exception
    }

    /// A member of it or of its bases.
    pub(crate) fn find(&self, name: &str) -> Option<Value> {
        let own = self.members.borrow().get_str(name).cloned();
        own.or_else(|| self.base.as_ref().and_then(|base| base.find(name)))
    }

    /// Whether it has a member itself.
    pub(crate) fn has_own(&self, name: &str) -> bool {
        self.members.borrow().get_str(name).is_some()
    }

    /// The annotated names of dataclasses that it is derived from, and its own.
    pub(crate) fn annotated(&self) -> Vec<Str> {
        let base = self.base.as_ref().filter(|base| base.compares_fields.get());
        let mut names = base.map(|base| base.annotated()).unwrap_or_default();
        names.extend(self.annotated.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
        names
    }

    /// From now on its instances are equal where their annotated attributes are.
    pub(crate) fn compares_fields(&self) {
        self.compares_fields.set(true);
    }

    pub(crate) fn set(&self, name: Str, value: Value) {
        self.members.borrow_mut().insert_str(name, value);
    }

    /// Whether it is another class or derived from it.
    pub(crate) fn is_below(&self, other: &Rc<Class>) -> bool {
        std::ptr::eq(self, Rc::as_ptr(other)) || self.base.as_ref().is_some_and(|base| base.is_below(other))
    }
}

/// What a member of a class is.
pub(crate) enum Member {
    Function,
    Static(Value),
    Class(Value),
    Property(Value),
    Plain,
}

/// `staticmethod`, `classmethod` and `property`.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) kind: &'static str,
    pub(crate) function: Value,
}

impl Object for Descriptor {
    fn type_name(&self) -> &'static str {
        self.kind
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Member {
    pub(crate) fn of(value: &Value) -> Member {
        match value {
            Value::Function(_) => Member::Function,
            Value::Object(object) => match object.as_any().downcast_ref::<Descriptor>() {
                Some(Descriptor { kind: "staticmethod", function }) => Member::Static(function.clone()),
                Some(Descriptor { kind: "classmethod", function }) => Member::Class(function.clone()),
                Some(Descriptor { function, .. }) => Member::Property(function.clone()),
                None => Member::Plain,
            },
            _ => Member::Plain,
        }
    }
}

/// An attribute of an instance: its own, else a member of its class.
pub(crate) fn instance_attribute(instance: &Instance, name: &str) -> Option<Value> {
    if name == "__class__" {
        return Some(Value::Class(Rc::clone(&instance.class)));
    }
    let own = instance.attributes.borrow().get_str(name).cloned();
    own.or_else(|| instance.class.find(name))
}

/// The class of an instance.
pub(crate) fn class_of(value: &Value) -> Value {
    match value {
        Value::Instance(instance) => Value::Class(Rc::clone(&instance.class)),
        Value::Exception(exception) => match &exception.class {
            ExceptionClass::User(class) => Value::Class(Rc::clone(class)),
            ExceptionClass::Builtin(name) => Value::ExceptionType(name),
        },
        _ => Value::None,
    }
}

/// `Class(...)`.
pub(crate) fn instantiate(session: &mut Session, class: &Rc<Class>, args: Arguments) -> Outcome<Value> {
    let value = if class.exception.is_some() {
        let exception = ExceptionObject {
            class: ExceptionClass::User(Rc::clone(class)),
            args: RefCell::new(args.positional.clone()),
            attributes: RefCell::new(Dict::new()),
            exact: true,
        };
        Value::Exception(Rc::new(exception))
    } else {
        Value::Instance(Rc::new(Instance { class: Rc::clone(class), attributes: RefCell::new(Dict::new()) }))
    };
    match class.find("__init__") {
        Some(method) => {
            let mut args = args;
            args.positional.insert(0, value.clone());
            session.invoke(&method, args)?;
        }
        None if class.exception.is_some() => {
            if !args.keywords.is_empty() {
                return Err(Error::type_error(format!("{}() takes no keyword arguments", class.name())));
            }
        }
        None if args.positional.is_empty() && args.keywords.is_empty() => {}
        None => return Err(Error::raise("TypeError", format!("{}() takes no arguments", class.name()))),
    }
    Ok(value)
}

/// An exception of a class that is built in.
pub(crate) fn builtin_exception(name: &'static str, args: Arguments) -> Outcome<Value> {
    if !args.keywords.is_empty() {
        return Err(Error::unsupported(format!("a named argument of `{name}`")));
    }
    if matches!(name, "UnicodeDecodeError" | "UnicodeEncodeError" | "JSONDecodeError" | "OSError") {
        return Err(Error::unsupported(format!("making a `{name}`")));
    }
    Ok(Value::Exception(Rc::new(ExceptionObject::builtin(name, args.positional, true))))
}

/// `super()`: what the bases of a method's class have.
#[derive(Debug)]
struct Super {
    class: Rc<Class>,
    object: Value,
}

/// `super()` in a method.
pub(crate) fn super_of(method: Option<&(Rc<Class>, Value)>) -> Outcome<Value> {
    match method {
        Some((class, object)) => Ok(Value::Object(Rc::new(Super { class: Rc::clone(class), object: object.clone() }))),
        None => Err(Error::unsupported("`super()` outside of a method")),
    }
}

impl Object for Super {
    fn type_name(&self) -> &'static str {
        "super"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, mut args: Arguments) -> Result<Value, Error> {
        if let Some(member) = self.class.base.as_ref().and_then(|base| base.find(name)) {
            return match Member::of(&member) {
                Member::Function => {
                    args.positional.insert(0, self.object.clone());
                    session.invoke(&member, args)
                }
                Member::Static(function) => session.invoke(&function, args),
                _ => Err(Error::unsupported(format!("`super().{name}`"))),
            };
        }
        match (name, &self.object) {
            ("__init__", Value::Exception(exception)) if args.keywords.is_empty() => {
                *exception.args.borrow_mut() = args.positional;
                Ok(Value::None)
            }
            ("__init__", Value::Instance(_)) if args.positional.is_empty() && args.keywords.is_empty() => {
                Ok(Value::None)
            }
            _ => Err(Error::unsupported(format!("`super().{name}`"))),
        }
    }
}
