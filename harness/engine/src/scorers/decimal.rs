//! Decimal numbers in texts.

/// The canonical form of a decimal number: no plus sign, no leading or trailing zeros, no `-0`. None for a text that is not a
/// plain decimal number.
pub fn canonical_decimal(text: &str) -> Option<String> {
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative && (whole != "0" || !fraction.is_empty()) { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A finite number in plain or exponential notation. `inf` and `nan` are not numbers.
pub(super) fn number(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let plain = canonical_decimal(mantissa)?;
    let exponent: i32 = exponent.parse().ok()?;
    format!("{plain}e{exponent}").parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_canonical_form() {
        for (text, expected) in
            [("1.0", "1"), ("-0", "0"), ("+00.50", "0.5"), ("5.", "5"), (".5", "0.5"), ("-1.20", "-1.2")]
        {
            assert_eq!(canonical_decimal(text).as_deref(), Some(expected));
        }
        for text in ["", ".", "-", "1,2", "1e3", "0x1", "１", "1 2", "--1"] {
            assert_eq!(canonical_decimal(text), None, "{text}");
        }
    }
}
