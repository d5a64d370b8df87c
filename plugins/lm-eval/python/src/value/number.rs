//! Whole numbers and floats, one made of the other.

use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

use super::Value;

/// The whole number that a float is, if it is one.
pub(crate) fn int_of_float(number: f64) -> Option<Value> {
    if !number.is_finite() || number.fract() != 0.0 {
        return None;
    }
    BigInt::from_f64(number).map(Value::int)
}

/// The float next to a whole number; none where it would be infinite.
pub(crate) fn float_of_big(number: &BigInt) -> Option<f64> {
    number.to_f64().filter(|float| float.is_finite())
}
