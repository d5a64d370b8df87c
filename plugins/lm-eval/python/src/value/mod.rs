//! Values of Python.

mod compare;
mod dict;
mod exception;
mod hash;
mod number;
mod repr;
mod set;
mod text;

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;

use crate::error::{Error, Outcome};
use crate::natives::{Arguments, Hook};
use crate::run::class::{Class, Instance};
use crate::run::{Function, Iterate, Session};

pub use compare::equal;
pub(crate) use compare::{contains, order, same, try_equal};
pub use dict::Dict;
pub(crate) use dict::DictKind;
pub use exception::ExceptionObject;
pub(crate) use exception::{ExceptionClass, is_builtin_exception, is_subclass_name};
pub(crate) use hash::Key;
pub(crate) use number::{float_of_big, int_of_float};
pub(crate) use repr::float_repr;
pub(crate) use repr::{quoted, try_repr, try_str};
pub use repr::{repr_of, str_of};
pub use set::Set;
pub use text::Str;

/// A list, shared by all who hold it.
pub type List = Rc<RefCell<Vec<Value>>>;
/// A dictionary, shared by all who hold it.
pub type DictRef = Rc<RefCell<Dict>>;
/// What a native function is.
pub(crate) type NativeFn = fn(&mut Session, Arguments) -> Outcome<Value>;

/// A value of Python.
///
/// As in Python, lists, dictionaries and sets are shared: a clone is the same list.
#[derive(Clone)]
pub enum Value {
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number that 64 bits can hold.
    Int(i64),
    /// A whole number that 64 bits cannot hold.
    Big(Arc<BigInt>),
    /// A floating-point number.
    Float(f64),
    /// A scalar of numpy.
    Scalar(Scalar),
    /// A text.
    Str(Str),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(List),
    /// A tuple.
    Tuple(Rc<[Value]>),
    /// A dictionary, or one of the classes derived from it.
    Dict(DictRef),
    /// The keys, values or items of a dictionary.
    View(DictRef, View),
    /// A set.
    Set(Rc<RefCell<Set>>),
    /// A set that does not change.
    FrozenSet(Rc<Set>),
    /// `range(start, stop, step)`.
    Range(i64, i64, i64),
    /// `slice(start, stop, step)`.
    Slice(Rc<[Value; 3]>),
    /// A function of a Python file.
    Function(Rc<Function>),
    /// A function that is implemented here: its name, and what it does.
    Native(&'static str, NativeFn),
    /// A function that the program supplies.
    Hook(Arc<Hook>),
    /// A method of a value, not yet called.
    Method(Rc<(Value, Str)>),
    /// A function of a class, bound to an instance.
    Bound(Rc<(Value, Value)>),
    /// `functools.partial(...)`.
    Partial(Rc<Partial>),
    /// A type that is built in, by its name.
    Type(&'static str),
    /// A class of exceptions that is built in, by its name.
    ExceptionType(&'static str),
    /// A class of a Python file.
    Class(Rc<Class>),
    /// An instance of such a class.
    Instance(Rc<Instance>),
    /// An exception.
    Exception(Rc<ExceptionObject>),
    /// A module, by its name.
    Module(Str),
    /// An iterator.
    Iterator(Rc<RefCell<Box<dyn Iterate>>>),
    /// Anything else.
    Object(Rc<dyn Object>),
}

/// A scalar of numpy, whose arithmetic is not that of Python's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// `numpy.float64`.
    Float(f64),
    /// `numpy.int64`.
    Int(i64),
    /// `numpy.bool`.
    Bool(bool),
}

/// Which view of a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `keys()`.
    Keys,
    /// `values()`.
    Values,
    /// `items()`.
    Items,
}

/// A function with some of its arguments.
#[derive(Debug)]
pub struct Partial {
    /// The function.
    pub function: Value,
    /// Its first arguments.
    pub args: Vec<Value>,
    /// Its named arguments.
    pub keywords: Vec<(Str, Value)>,
}

/// A value whose kind is not built in.
pub trait Object: fmt::Debug {
    /// The name of its type.
    fn type_name(&self) -> &'static str;
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
    /// An attribute that is no method.
    fn attribute(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The names of its methods.
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }
    /// Calls one of its methods.
    ///
    /// # Errors
    /// When the method is not implemented, or raises.
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, _args: Arguments) -> Result<Value, Error> {
        Err(Error::unsupported(format!("the method `{name}` of `{}`", self.type_name())))
    }
    /// Calls the object itself.
    ///
    /// # Errors
    /// When the object cannot be called, or raises.
    fn call(self: Rc<Self>, _session: &mut Session, _args: Arguments) -> Result<Value, Error> {
        Err(Error::unsupported(format!("calling a `{}`", self.type_name())))
    }
    /// `object[index]`.
    ///
    /// # Errors
    /// When it has no items, or not this one.
    fn item(self: Rc<Self>, _session: &mut Session, _index: &Value) -> Result<Value, Error> {
        Err(Error::unsupported(format!("an item of a `{}`", self.type_name())))
    }
    /// `len(object)`.
    fn length(&self) -> Option<usize> {
        None
    }
    /// All that iterating over it gives.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }
    /// `repr(object)`, where it is the same in every run.
    fn repr(&self) -> Option<String> {
        None
    }
}

impl Value {
    /// A text.
    pub fn str(text: &str) -> Value {
        Value::Str(Str::from(text))
    }

    /// A list.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(RefCell::new(items)))
    }

    /// A tuple.
    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(items.into())
    }

    /// A dictionary with texts as keys.
    pub fn dict(items: impl IntoIterator<Item = (Str, Value)>) -> Value {
        let mut dict = Dict::new();
        for (key, value) in items {
            dict.insert_str(key, value);
        }
        Value::Dict(Rc::new(RefCell::new(dict)))
    }

    /// A whole number of any size.
    pub fn int(number: BigInt) -> Value {
        match i64::try_from(&number) {
            Ok(small) => Value::Int(small),
            Err(_) => Value::Big(Arc::new(number)),
        }
    }

    /// A whole number from a count.
    pub(crate) fn count(number: usize) -> Value {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(crate) fn set(set: Set) -> Value {
        Value::Set(Rc::new(RefCell::new(set)))
    }

    pub(crate) fn iterator(iterator: impl Iterate + 'static) -> Value {
        Value::Iterator(Rc::new(RefCell::new(Box::new(iterator))))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The name of its type, as messages have it.
    pub fn type_name(&self) -> &str {
        match self {
            Value::None => "NoneType",
            Value::Ellipsis => "ellipsis",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Big(_) => "int",
            Value::Float(_) => "float",
            Value::Scalar(Scalar::Float(_)) => "numpy.float64",
            Value::Scalar(Scalar::Int(_)) => "numpy.int64",
            Value::Scalar(Scalar::Bool(_)) => "numpy.bool",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(dict) => dict.borrow().kind.type_name(),
            Value::View(_, View::Keys) => "dict_keys",
            Value::View(_, View::Values) => "dict_values",
            Value::View(_, View::Items) => "dict_items",
            Value::Set(_) => "set",
            Value::FrozenSet(_) => "frozenset",
            Value::Range(..) => "range",
            Value::Slice(_) => "slice",
            Value::Function(_) => "function",
            Value::Native(..) | Value::Hook(_) | Value::Method(_) => "builtin_function_or_method",
            Value::Bound(_) => "method",
            Value::Partial(_) => "functools.partial",
            Value::Type(_) | Value::ExceptionType(_) | Value::Class(_) => "type",
            Value::Instance(instance) => instance.class.name(),
            Value::Exception(exception) => exception.class_name(),
            Value::Module(_) => "module",
            Value::Iterator(_) => "iterator",
            Value::Object(object) => object.type_name(),
        }
    }

    /// The whole number, if it is one that 64 bits hold; `True` is 1.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Bool(flag) | Value::Scalar(Scalar::Bool(flag)) => Some(i64::from(*flag)),
            Value::Int(number) | Value::Scalar(Scalar::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// The number as a float, if it is a number.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(number) | Value::Scalar(Scalar::Float(number)) => Some(*number),
            Value::Big(number) => float_of_big(number),
            other => other.as_int().map(|number| number as f64),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&repr_of(self))
    }
}

/// Python's truth of a value that is built in; of an instance it is true.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::None => false,
        Value::Bool(flag) | Value::Scalar(Scalar::Bool(flag)) => *flag,
        Value::Int(number) | Value::Scalar(Scalar::Int(number)) => *number != 0,
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(items) => !items.borrow().is_empty(),
        Value::Tuple(items) => !items.is_empty(),
        Value::Dict(dict) | Value::View(dict, _) => !dict.borrow().is_empty(),
        Value::Set(set) => !set.borrow().is_empty(),
        Value::FrozenSet(set) => !set.is_empty(),
        Value::Range(start, stop, step) => crate::types::range_length(*start, *stop, *step) != 0,
        Value::Object(object) => object.length() != Some(0),
        _ => true,
    }
}
