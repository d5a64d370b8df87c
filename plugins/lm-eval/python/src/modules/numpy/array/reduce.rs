//! Sums and extremes of arrays.

use super::{Numbers, floats, numbers};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Scalar, Value};

/// The sum of floats in the order in which numpy adds: by halves of halves down to 128, and there in eight lanes.
pub(super) fn pairwise(numbers: &[f64]) -> f64 {
    let length = numbers.len();
    if length < 8 {
        return numbers.iter().fold(0.0, |sum, number| sum + number);
    }
    if length <= 128 {
        let mut lanes = [0.0; 8];
        lanes.copy_from_slice(&numbers[..8]);
        let whole = length - length % 8;
        for chunk in numbers[8..whole].chunks_exact(8) {
            for (lane, number) in lanes.iter_mut().zip(chunk) {
                *lane += number;
            }
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
        return numbers[whole..].iter().fold(sum, |sum, number| sum + number);
    }
    let half = length / 2 - length / 2 % 8;
    pairwise(&numbers[..half]) + pairwise(&numbers[half..])
}

fn float(number: f64) -> Value {
    Value::Scalar(Scalar::Float(number))
}

fn one(args: Arguments, name: &str) -> Outcome<Value> {
    let [value] = args.exactly(name)?;
    Ok(value)
}

pub(crate) fn mean(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.mean")?;
    let floats = floats(&value)?;
    Ok(float(pairwise(&floats) / floats.len() as f64))
}

pub(crate) fn nanmean(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.nanmean")?;
    let floats = floats(&value)?;
    let count = floats.iter().filter(|number| !number.is_nan()).count();
    // What is not a number counts as nothing.
    let filled: Vec<f64> = floats.into_iter().map(|number| if number.is_nan() { 0.0 } else { number }).collect();
    Ok(float(pairwise(&filled) / count as f64))
}

pub(crate) fn sum(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.sum")?;
    Ok(match numbers(&value)? {
        Numbers::Float(numbers) => float(pairwise(&numbers)),
        Numbers::Int(numbers) => {
            let sum = numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(*number));
            let sum = sum.ok_or_else(|| Error::unsupported("a sum of integers of more than 64 bits"))?;
            Value::Scalar(Scalar::Int(sum))
        }
        Numbers::Bool(flags) => Value::Scalar(Scalar::Int(flags.iter().map(|flag| i64::from(*flag)).sum())),
    })
}

/// The index of the first extreme; one that is not a number is the first of all.
fn extreme(value: &Value, largest: bool) -> Outcome<Option<usize>> {
    let floats = floats(value)?;
    let mut best: Option<usize> = None;
    for (index, number) in floats.iter().enumerate() {
        if number.is_nan() {
            return Ok(Some(index));
        }
        if best.is_none_or(|best| if largest { *number > floats[best] } else { *number < floats[best] }) {
            best = Some(index);
        }
    }
    Ok(best)
}

fn empty() -> Error {
    Error::raise_inexact("ValueError", "an empty array has no extreme")
}

fn extreme_value(args: Arguments, name: &str, largest: bool) -> Outcome<Value> {
    let value = one(args, name)?;
    let index = extreme(&value, largest)?.ok_or_else(empty)?;
    Ok(Value::Scalar(match numbers(&value)? {
        Numbers::Float(numbers) => Scalar::Float(numbers[index]),
        Numbers::Int(numbers) => Scalar::Int(numbers[index]),
        Numbers::Bool(flags) => Scalar::Bool(flags[index]),
    }))
}

pub(crate) fn max(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    extreme_value(args, "numpy.max", true)
}

pub(crate) fn min(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    extreme_value(args, "numpy.min", false)
}

pub(crate) fn nanmax(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.nanmax")?;
    let Numbers::Float(numbers) = numbers(&value)? else {
        return Err(Error::unsupported("`numpy.nanmax` of integers"));
    };
    if numbers.is_empty() {
        return Err(empty());
    }
    let known = numbers.into_iter().filter(|number| !number.is_nan());
    Ok(float(
        known
            .fold(None, |best: Option<f64>, number| {
                Some(best.map_or(number, |best| if number > best { number } else { best }))
            })
            .unwrap_or(f64::NAN),
    ))
}

pub(crate) fn argmax(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.argmax")?;
    let index = extreme(&value, true)?.ok_or_else(empty)?;
    Ok(Value::Scalar(Scalar::Int(index as i64)))
}

pub(crate) fn argmin(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let value = one(args, "numpy.argmin")?;
    let index = extreme(&value, false)?.ok_or_else(empty)?;
    Ok(Value::Scalar(Scalar::Int(index as i64)))
}
