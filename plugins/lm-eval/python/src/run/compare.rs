//! Comparisons, chained as in Python.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Frame, Session};
use crate::error::{Error, Outcome};
use crate::program::ir::{Comparison, Expr};
use crate::value::{Value, contains, order, same, try_equal};

impl Session {
    pub(super) fn comparison(
        &mut self,
        frame: &mut Frame,
        left: &Expr,
        right: &[(Comparison, Expr)],
    ) -> Outcome<Value> {
        let mut left = self.expr(frame, left)?;
        let mut result = Value::Bool(true);
        for (operator, next) in right {
            let next = self.expr(frame, next)?;
            result = self.compare(*operator, &left, &next)?;
            if right.len() > 1 && !self.truth(&result)? {
                return Ok(result);
            }
            left = next;
        }
        Ok(result)
    }

    pub(crate) fn compare(&mut self, operator: Comparison, left: &Value, right: &Value) -> Outcome<Value> {
        if let Value::Object(object) = left
            && object.type_name() == "numpy.ndarray"
        {
            return crate::modules::numpy_compare(operator, left, right);
        }
        if let Value::Object(object) = right
            && object.type_name() == "numpy.ndarray"
            && !matches!(operator, Comparison::In | Comparison::NotIn | Comparison::Is | Comparison::IsNot)
        {
            return crate::modules::numpy_compare(operator, left, right);
        }
        let result = match operator {
            Comparison::Equal => self.equal(left, right)?,
            Comparison::NotEqual => !self.equal(left, right)?,
            Comparison::Is => identical(left, right)?,
            Comparison::IsNot => !identical(left, right)?,
            Comparison::In => self.contains(right, left)?,
            Comparison::NotIn => !self.contains(right, left)?,
            Comparison::Less => self.ordered(left, right, "<")?.is_some_and(Ordering::is_lt),
            Comparison::LessEqual => self.ordered(left, right, "<=")?.is_some_and(Ordering::is_le),
            Comparison::Greater => self.ordered(left, right, ">")?.is_some_and(Ordering::is_gt),
            Comparison::GreaterEqual => self.ordered(left, right, ">=")?.is_some_and(Ordering::is_ge),
        };
        if matches!(left, Value::Scalar(_)) || matches!(right, Value::Scalar(_)) {
            let numeric = |value: &Value| value.as_float().is_some();
            let is_value = !matches!(operator, Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn);
            if is_value && numeric(left) && numeric(right) {
                return Ok(Value::Scalar(crate::value::Scalar::Bool(result)));
            }
        }
        Ok(Value::Bool(result))
    }

    pub(crate) fn equal(&mut self, left: &Value, right: &Value) -> Outcome<bool> {
        for value in [left, right] {
            if let Value::Instance(instance) = value
                && instance.class.find("__eq__").is_some()
            {
                return Err(Error::unsupported("a class with `__eq__`"));
            }
        }
        try_equal(left, right)
    }

    fn ordered(&mut self, left: &Value, right: &Value, sign: &str) -> Outcome<Option<Ordering>> {
        match (left, right) {
            (Value::Set(_) | Value::FrozenSet(_), Value::Set(_) | Value::FrozenSet(_)) => {
                let (a, b) = (set_of(left), set_of(right));
                let below = |a: &crate::value::Set, b: &crate::value::Set| a.keys().all(|key| b.has(key));
                Ok(match (below(&a, &b), below(&b, &a)) {
                    (true, true) => Some(Ordering::Equal),
                    (true, false) => Some(Ordering::Less),
                    (false, true) => Some(Ordering::Greater),
                    (false, false) => None,
                })
            }
            _ => order(left, right, sign),
        }
    }

    /// Python's `in`.
    pub(crate) fn contains(&mut self, container: &Value, value: &Value) -> Outcome<bool> {
        match container {
            Value::Str(text) => match value {
                Value::Str(part) => Ok(text.contains(&**part)),
                other => {
                    let name = other.type_name();
                    let text = format!("'in <string>' requires string as left operand, not {name}");
                    Err(Error::raise("TypeError", text))
                }
            },
            Value::List(items) => contains(&items.borrow(), value),
            Value::Tuple(items) => contains(items, value),
            Value::Dict(dict) | Value::View(dict, crate::value::View::Keys) => Ok(dict.borrow().get(value)?.is_some()),
            Value::Set(set) => set.borrow().contains(value),
            Value::FrozenSet(set) => set.contains(value),
            Value::Range(start, stop, step) => match value.as_int() {
                Some(number) if !matches!(value, Value::Scalar(_)) => {
                    let inside =
                        if *step > 0 { (*start..*stop).contains(&number) } else { *stop < number && number <= *start };
                    Ok(inside && (number - start) % step == 0)
                }
                _ => Err(Error::unsupported(format!("a `{}` in a range", value.type_name()))),
            },
            Value::Bytes(_) | Value::Object(_) | Value::Instance(_) => {
                Err(Error::unsupported(format!("`in` of a `{}`", container.type_name())))
            }
            Value::View(..) | Value::Iterator(_) => {
                let mut cursor = self.iterate(container)?;
                while let Some(item) = cursor.next(self)? {
                    self.step()?;
                    if same(&item, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            other => {
                Err(Error::raise("TypeError", format!("argument of type '{}' is not iterable", other.type_name())))
            }
        }
    }
}

fn set_of(value: &Value) -> crate::value::Set {
    match value {
        Value::Set(set) => set.borrow().clone(),
        Value::FrozenSet(set) => (**set).clone(),
        _ => crate::value::Set::new(),
    }
}

/// Python's `is`, where it is the same in every implementation.
fn identical(left: &Value, right: &Value) -> Outcome<bool> {
    Ok(match (left, right) {
        (Value::None, Value::None) | (Value::Ellipsis, Value::Ellipsis) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::None | Value::Ellipsis | Value::Bool(_), _) | (_, Value::None | Value::Ellipsis | Value::Bool(_)) => {
            false
        }
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Set(a), Value::Set(b)) => Rc::ptr_eq(a, b),
        (Value::Instance(a), Value::Instance(b)) => Rc::ptr_eq(a, b),
        (Value::Class(a), Value::Class(b)) => Rc::ptr_eq(a, b),
        (Value::Function(a), Value::Function(b)) => Rc::ptr_eq(a, b),
        (Value::Type(a), Value::Type(b)) | (Value::ExceptionType(a), Value::ExceptionType(b)) => a == b,
        (Value::Native(a, _), Value::Native(b, _)) => a == b,
        (Value::Exception(a), Value::Exception(b)) => Rc::ptr_eq(a, b),
        _ if left.type_name() != right.type_name() => false,
        _ => return Err(Error::unsupported(format!("`is` between two values of type `{}`", left.type_name()))),
    })
}
