//! Whole numbers that 64 bits do not hold.
//!
//! `serde_json` reads them as floats: `12345678901234567890123` becomes `1.2345678901234568e22`, and that is what a prompt would
//! say. Here they become texts, which stay what they are.

use serde_json::Value;
use std::borrow::Cow;

/// No shorter number is too large.
const DIGITS: usize = 19;

/// Reads a JSON document in which a whole number that 64 bits do not hold is a text.
///
/// # Errors
/// The text is not JSON; line and column are those of `text`.
pub(super) fn parse(text: &str) -> serde_json::Result<Value> {
    let value = serde_json::from_str(text)?;
    match quoted(text) {
        Cow::Borrowed(_) => Ok(value),
        Cow::Owned(text) => serde_json::from_str(&text),
    }
}

/// Puts whole numbers that are too large into quotation marks. `text` is JSON.
fn quoted(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut found = String::new();
    let (mut copied, mut at, mut in_text) = (0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 2,
            b'"' => {
                in_text = !in_text;
                at += 1;
            }
            b'-' | b'0'..=b'9' if !in_text => {
                let is_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = bytes[at..].iter().position(|byte| !is_number(byte)).unwrap_or(bytes.len() - at);
                let number = &text[at..at + length];
                if length >= DIGITS && is_too_large(number) {
                    found.push_str(&text[copied..at]);
                    found.push_str(&format!("\"{number}\""));
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    found.push_str(&text[copied..]);
    Cow::Owned(found)
}

fn is_too_large(number: &str) -> bool {
    let is_whole = number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    is_whole && number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_stay_what_they_are() {
        let large = "12345678901234567890123";
        let text = format!("{{\"a\": {large}, \"b\": [-{large}, {{\"c\":{large}}}], \"d\": \"say \\\" {large}\"}}");
        let expected = json!({
            "a": large, "b": [format!("-{large}"), { "c": large }], "d": format!("say \" {large}")
        });
        assert_eq!(parse(&text).unwrap(), expected);
        assert_eq!(parse(large).unwrap(), json!(large));
    }

    #[test]
    fn what_64_bits_hold_is_a_number() {
        for (text, expected) in [
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("9007199254740993", json!(9_007_199_254_740_993_u64)),
            ("1234567890123456789.5", json!(1_234_567_890_123_456_789.5)),
            ("12345678901234567890123e1", json!(1.2345678901234568e23)),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(parse("18446744073709551616").unwrap(), json!("18446744073709551616"));
        assert_eq!(parse("-9223372036854775809").unwrap(), json!("-9223372036854775809"));
    }

    #[test]
    fn an_error_is_where_it_is_in_the_text() {
        let error = parse("[12345678901234567890123, x]").unwrap_err();
        assert_eq!((error.line(), error.column()), (1, 27));
    }
}
