//! Arrays of one dimension.

use std::any::Any;
use std::rc::Rc;

pub(super) mod reduce;
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::{Binary, Comparison};
use crate::run::{Session, resolve_index, slice_bounds};
use crate::value::{Object, Scalar, Value};

const METHODS: &[&str] = &["mean", "sum", "max", "min", "argmax", "argmin", "tolist", "astype"];
pub(crate) const ATTRIBUTES: &[&str] =
    &["mean", "sum", "max", "min", "argmax", "argmin", "tolist", "astype", "size", "shape"];

/// The numbers of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    Float(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

#[derive(Debug)]
pub(super) struct Array(pub(super) Numbers);

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Numbers::Float(numbers) => numbers.len(),
            Numbers::Int(numbers) => numbers.len(),
            Numbers::Bool(flags) => flags.len(),
        }
    }

    fn at(&self, index: usize) -> Value {
        Value::Scalar(match self {
            Numbers::Float(numbers) => Scalar::Float(numbers[index]),
            Numbers::Int(numbers) => Scalar::Int(numbers[index]),
            Numbers::Bool(flags) => Scalar::Bool(flags[index]),
        })
    }

    fn pick(&self, indices: &[usize]) -> Numbers {
        match self {
            Numbers::Float(numbers) => Numbers::Float(indices.iter().map(|index| numbers[*index]).collect()),
            Numbers::Int(numbers) => Numbers::Int(indices.iter().map(|index| numbers[*index]).collect()),
            Numbers::Bool(flags) => Numbers::Bool(indices.iter().map(|index| flags[*index]).collect()),
        }
    }

    fn floats(&self) -> Vec<f64> {
        match self {
            Numbers::Float(numbers) => numbers.clone(),
            Numbers::Int(numbers) => numbers.iter().map(|number| *number as f64).collect(),
            Numbers::Bool(flags) => flags.iter().map(|flag| f64::from(u8::from(*flag))).collect(),
        }
    }

    fn into_value(self) -> Value {
        Value::Object(Rc::new(Array(self)))
    }
}

/// The number that a value is.
pub(super) fn scalar(value: &Value) -> Option<f64> {
    match value {
        Value::Big(_) => None,
        other => other.as_float(),
    }
}

/// An array's numbers, or those of a list.
pub(super) fn numbers(value: &Value) -> Outcome<Numbers> {
    let items = match value {
        Value::Object(object) => {
            return match object.as_any().downcast_ref::<Array>() {
                Some(array) => Ok(array.0.clone()),
                None => Err(Error::unsupported(format!("a `{}` as an array", object.type_name()))),
            };
        }
        Value::List(items) => items.borrow().clone(),
        Value::Tuple(items) => items.to_vec(),
        other => return Err(Error::unsupported(format!("a `{}` as an array", other.type_name()))),
    };
    let is_bool = |value: &Value| matches!(value, Value::Bool(_) | Value::Scalar(Scalar::Bool(_)));
    if items.is_empty() {
        return Ok(Numbers::Float(Vec::new()));
    }
    if items.iter().all(is_bool) {
        return Ok(Numbers::Bool(items.iter().map(crate::truth).collect()));
    }
    if let Some(whole) = items.iter().map(Value::as_int).collect::<Option<Vec<i64>>>() {
        return Ok(Numbers::Int(whole));
    }
    let floats = items.iter().map(scalar).collect::<Option<Vec<f64>>>();
    floats.map(Numbers::Float).ok_or_else(|| Error::unsupported("an array of other things than numbers"))
}

pub(super) fn floats(value: &Value) -> Outcome<Vec<f64>> {
    numbers(value).map(|numbers| numbers.floats())
}

pub(super) fn of_floats(floats: Vec<f64>) -> Value {
    Numbers::Float(floats).into_value()
}

fn convert(numbers: Numbers, kind: &Value) -> Outcome<Numbers> {
    Ok(match kind {
        Value::None => numbers,
        Value::Type("float" | "numpy.float64") => Numbers::Float(numbers.floats()),
        Value::Type("bool") => Numbers::Bool(numbers.floats().iter().map(|number| *number != 0.0).collect()),
        Value::Type("int") => match numbers {
            Numbers::Int(_) => numbers,
            other => {
                let whole = |number: &f64| (number.abs() < 9e15).then_some(*number as i64);
                let converted = other.floats().iter().map(whole).collect::<Option<Vec<i64>>>();
                Numbers::Int(converted.ok_or_else(|| Error::unsupported("numbers too large for an array of integers"))?)
            }
        },
        _ => return Err(Error::unsupported("an array of this type")),
    })
}

pub(super) fn make(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, kind] = args.bind("numpy.array", ["object", "dtype"], 1)?;
    let numbers = numbers(&items.unwrap_or(Value::None))?;
    convert(numbers, &kind.unwrap_or(Value::None)).map(Numbers::into_value)
}

impl Object for Array {
    fn type_name(&self) -> &'static str {
        "numpy.ndarray"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "size" => Some(Value::count(self.0.len())),
            "shape" => Some(Value::tuple(vec![Value::count(self.0.len())])),
            _ => None,
        }
    }
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }
    fn length(&self) -> Option<usize> {
        Some(self.0.len())
    }
    fn items(&self) -> Option<Vec<Value>> {
        Some((0..self.0.len()).map(|index| self.0.at(index)).collect())
    }
    fn item(self: Rc<Self>, _session: &mut Session, index: &Value) -> Result<Value, Error> {
        match index {
            Value::Int(_) | Value::Scalar(Scalar::Int(_)) => {
                let index = resolve_index(index.as_int().unwrap_or_default(), self.0.len());
                let text = "the index is out of bounds for the array";
                index.map(|index| self.0.at(index)).ok_or_else(|| Error::raise_inexact("IndexError", text))
            }
            Value::Slice(parts) => Ok(self.0.pick(&slice_bounds(parts, self.0.len())?).into_value()),
            Value::Object(object) => match object.as_any().downcast_ref::<Array>() {
                Some(Array(Numbers::Bool(flags))) if flags.len() == self.0.len() => {
                    let indices: Vec<usize> = (0..flags.len()).filter(|index| flags[*index]).collect();
                    Ok(self.0.pick(&indices).into_value())
                }
                _ => Err(Error::unsupported("this index of an array")),
            },
            _ => Err(Error::unsupported("this index of an array")),
        }
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, mut args: Arguments) -> Result<Value, Error> {
        match name {
            "tolist" => {
                args.exactly::<0>(name)?;
                let plain = |scalar: Value| crate::types::call_method(session, &scalar, "item", Arguments::default());
                return self
                    .items()
                    .unwrap_or_default()
                    .into_iter()
                    .map(plain)
                    .collect::<Outcome<_>>()
                    .map(Value::list);
            }
            "astype" => {
                let [kind] = args.exactly(name)?;
                return convert(self.0.clone(), &kind).map(Numbers::into_value);
            }
            _ => {}
        }
        args.positional.insert(0, Value::Object(self));
        match name {
            "mean" => reduce::mean(session, args),
            "sum" => reduce::sum(session, args),
            "max" => reduce::max(session, args),
            "min" => reduce::min(session, args),
            "argmax" => reduce::argmax(session, args),
            "argmin" => reduce::argmin(session, args),
            _ => Err(Error::unsupported(format!("`{name}` of an array"))),
        }
    }
}

/// Both sides with the same length: a number counts for all.
fn sides(left: &Value, right: &Value) -> Outcome<(Numbers, Numbers)> {
    let side = |value: &Value, length: usize| -> Outcome<Numbers> {
        match value {
            Value::Bool(flag) | Value::Scalar(Scalar::Bool(flag)) => Ok(Numbers::Bool(vec![*flag; length])),
            Value::Int(number) | Value::Scalar(Scalar::Int(number)) => Ok(Numbers::Int(vec![*number; length])),
            Value::Float(number) | Value::Scalar(Scalar::Float(number)) => Ok(Numbers::Float(vec![*number; length])),
            other => numbers(other),
        }
    };
    let length = |value: &Value| match value {
        Value::Object(object) => object.length(),
        _ => None,
    };
    let common = length(left).or(length(right)).unwrap_or_default();
    let (left, right) = (side(left, common)?, side(right, common)?);
    if left.len() != right.len() {
        return Err(Error::unsupported("arrays of different lengths"));
    }
    Ok((left, right))
}

/// `left operator right`, where one of them is an array.
pub(crate) fn binary(operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    let (left, right) = sides(left, right)?;
    if let (Numbers::Bool(a), Numbers::Bool(b)) = (&left, &right) {
        let both: fn(bool, bool) -> bool = match operator {
            Binary::And => |a, b| a & b,
            Binary::Or => |a, b| a | b,
            _ => return Err(Error::unsupported("this operator on arrays of truth values")),
        };
        return Ok(Numbers::Bool(a.iter().zip(b).map(|(a, b)| both(*a, *b)).collect()).into_value());
    }
    let whole = matches!((&left, &right), (Numbers::Int(_) | Numbers::Bool(_), Numbers::Int(_) | Numbers::Bool(_)));
    if whole && operator != Binary::Divide {
        let (Numbers::Int(a), Numbers::Int(b)) = (&left, &right) else {
            return Err(Error::unsupported("an operator on an array of truth values and one of numbers"));
        };
        let each = |(a, b): (&i64, &i64)| match operator {
            Binary::Add => a.checked_add(*b),
            Binary::Subtract => a.checked_sub(*b),
            Binary::Multiply => a.checked_mul(*b),
            _ => None,
        };
        let result = a.iter().zip(b).map(each).collect::<Option<Vec<i64>>>();
        return result
            .map(|numbers| Numbers::Int(numbers).into_value())
            .ok_or_else(|| Error::unsupported("this operator on arrays of integers"));
    }
    let each: fn(f64, f64) -> f64 = match operator {
        Binary::Add => |a, b| a + b,
        Binary::Subtract => |a, b| a - b,
        Binary::Multiply => |a, b| a * b,
        Binary::Divide => |a, b| a / b,
        _ => return Err(Error::unsupported("this operator on arrays")),
    };
    let (a, b) = (left.floats(), right.floats());
    Ok(of_floats(a.into_iter().zip(b).map(|(a, b)| each(a, b)).collect()))
}

/// A comparison where one side is an array: an array of truth values.
pub(crate) fn compare(operator: Comparison, left: &Value, right: &Value) -> Outcome<Value> {
    let each: fn(f64, f64) -> bool = match operator {
        Comparison::Equal => |a, b| a == b,
        Comparison::NotEqual => |a, b| a != b,
        Comparison::Less => |a, b| a < b,
        Comparison::LessEqual => |a, b| a <= b,
        Comparison::Greater => |a, b| a > b,
        Comparison::GreaterEqual => |a, b| a >= b,
        Comparison::Is => return Ok(Value::Bool(false)),
        Comparison::IsNot => return Ok(Value::Bool(true)),
        Comparison::In | Comparison::NotIn => return Err(Error::unsupported("`in` of an array")),
    };
    let (left, right) = sides(left, right)?;
    let (a, b) = (left.floats(), right.floats());
    if a.iter().chain(&b).any(|number| number.abs() > 9e15) {
        return Err(Error::unsupported("a comparison of an array with very large numbers"));
    }
    Ok(Numbers::Bool(a.into_iter().zip(b).map(|(a, b)| each(a, b)).collect()).into_value())
}

/// `~array`.
pub(crate) fn invert(value: &Value) -> Outcome<Value> {
    match numbers(value)? {
        Numbers::Bool(flags) => Ok(Numbers::Bool(flags.into_iter().map(|flag| !flag).collect()).into_value()),
        _ => Err(Error::unsupported("`~` of an array of numbers")),
    }
}
