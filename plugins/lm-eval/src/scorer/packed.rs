//! Any JSON value as finite numbers, so that a task's own aggregation gets back what its metric gave.

use serde_json::Value;

/// Bytes in each number: so many bits are exact in a number of 64 bits.
const BYTES: usize = 6;

/// A value as numbers: its length in bytes, and the bytes.
pub(super) fn pack(value: &Value) -> Vec<f64> {
    let bytes = value.to_string().into_bytes();
    let number = |chunk: &[u8]| chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) as f64;
    std::iter::once(bytes.len() as f64).chain(bytes.chunks(BYTES).map(number)).collect()
}

/// The value of some numbers; none where they are not those of [`pack`].
pub(super) fn unpack(numbers: &[f64]) -> Option<Value> {
    let (length, rest) = numbers.split_first()?;
    let length = *length as usize;
    if rest.len() != length.div_ceil(BYTES) {
        return None;
    }
    let mut bytes = Vec::with_capacity(length);
    for (index, number) in rest.iter().enumerate() {
        let width = BYTES.min(length - index * BYTES);
        let number = *number as u64;
        bytes.extend((0..width).rev().map(|place| (number >> (8 * place) & 0xff) as u8));
    }
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_packed_comes_back() {
        for value in [
            json!(null),
            json!(0.1),
            json!([1, "zwölf \u{1F600}", {"a": [true, -3.5e-300]}]),
            json!("x".repeat(1000)),
            json!(i64::MIN),
        ] {
            let numbers = pack(&value);
            assert!(numbers.iter().all(|number| number.is_finite()));
            assert_eq!(unpack(&numbers), Some(value));
        }
        assert_eq!(unpack(&[7.0, 1.0]), None);
        assert_eq!(unpack(&[]), None);
    }
}
