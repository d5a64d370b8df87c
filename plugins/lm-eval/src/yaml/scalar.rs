//! What a plain scalar means by YAML 1.1, to the letter of PyYAML's rules.

use crate::Setting;

/// The type and value of a plain scalar without a tag.
///
/// # Errors
/// PyYAML refuses the scalar, too, or makes something of it that no task needs: a date, a number of more than 64 bits.
pub(super) fn plain(text: &str) -> Result<Setting, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Setting::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Ok(Setting::Bool(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Ok(Setting::Bool(false)),
        "=" | "<<" => return Err(format!("a plain `{text}` is no value; quote it where it is meant as a text")),
        _ => {}
    }
    // Every other type begins with one of these.
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return Ok(Setting::Text(text.to_owned()));
    }
    if let Some(value) = float(text) {
        return Ok(Setting::Float(value));
    }
    if let Some(int) = int(text) {
        return int.map(Setting::Int);
    }
    if is_timestamp(text) {
        return Err(format!("`{text}` is a date, which no setting of a task is; quote it where it is meant as a text"));
    }
    Ok(Setting::Text(text.to_owned()))
}

/// The sign, and what stands behind it.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn is_all(text: &str, is_one: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(is_one)
}

fn is_decimal(one: char) -> bool {
    one.is_ascii_digit() || one == '_'
}

/// Digits and underscores behind a first digit.
fn is_grouped_digits(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.chars().all(is_decimal)
}

/// `5`, `05` or `59`: a part of a number of base 60.
fn is_sixtieth(text: &str) -> bool {
    match text.as_bytes() {
        [one] => one.is_ascii_digit(),
        [tens, one] => (b'0'..=b'5').contains(tens) && one.is_ascii_digit(),
        _ => false,
    }
}

fn without_underscores(text: &str) -> String {
    text.chars().filter(|one| *one != '_').collect()
}

/// A whole number, if the text is written as one. The inner error says why it has no value.
fn int(text: &str) -> Option<Result<i64, String>> {
    let (is_negative, digits) = signed(text);
    let in_base = |digits: &str, base: u32| {
        let digits = without_underscores(digits);
        let signed = if is_negative { format!("-{digits}") } else { digits };
        i64::from_str_radix(&signed, base).map_err(|_| format!("`{text}` is no whole number of at most 64 bits"))
    };
    if let Some(rest) = digits.strip_prefix("0b") {
        return is_all(rest, |one| matches!(one, '0' | '1' | '_')).then(|| in_base(rest, 2));
    }
    if let Some(rest) = digits.strip_prefix("0x") {
        return is_all(rest, |one| one.is_ascii_hexdigit() || one == '_').then(|| in_base(rest, 16));
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return match rest {
            "" => Some(Ok(0)),
            _ => is_all(rest, |one| matches!(one, '0'..='7' | '_')).then(|| in_base(digits, 8)),
        };
    }
    if is_grouped_digits(digits) {
        return Some(in_base(digits, 10));
    }
    let mut parts = digits.split(':');
    let first = parts.next().filter(|first| is_grouped_digits(first))?;
    let rest: Vec<&str> = parts.collect();
    let is_number = !rest.is_empty() && rest.iter().all(|part| is_sixtieth(part));
    is_number.then(|| {
        let parts = std::iter::once(without_underscores(first)).chain(rest.iter().map(|part| (*part).to_owned()));
        let value = parts.into_iter().try_fold(0_i64, |value, part| {
            let part: i64 = part.parse().ok()?;
            value.checked_mul(60)?.checked_add(if is_negative { -part } else { part })
        });
        value.ok_or_else(|| format!("`{text}` is no whole number of at most 64 bits"))
    })
}

/// A number with a point, if the text is written as one: PyYAML wants the point, and a sign in an exponent.
fn float(text: &str) -> Option<f64> {
    let (is_negative, digits) = signed(text);
    let sign = |value: f64| if is_negative { -value } else { value };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(sign(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return (digits == text).then_some(f64::NAN),
        _ => {}
    }
    let (whole, fraction) = digits.split_once('.')?;
    if whole.contains(':') {
        return sixtieths(whole, fraction).map(sign);
    }
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction, None),
    };
    let has_digits = match whole {
        // Without digits before the point there is no sign, and a digit comes first behind it.
        "" => digits == text && is_grouped_digits(fraction),
        _ => is_grouped_digits(whole) && fraction.chars().all(is_decimal),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['+', '-']).is_some_and(|digits| is_all(digits, |one| one.is_ascii_digit()))
    });
    if !has_digits || !is_exponent {
        return None;
    }
    without_underscores(digits).parse().ok().map(sign)
}

/// `1:30.5`, ninety and a half.
fn sixtieths(whole: &str, fraction: &str) -> Option<f64> {
    let parts: Vec<&str> = whole.split(':').collect();
    let (first, rest) = parts.split_first()?;
    if !is_grouped_digits(first) || !rest.iter().all(|part| is_sixtieth(part)) || !fraction.chars().all(is_decimal) {
        return None;
    }
    let (last, middle) = rest.split_last()?;
    let last = format!("{last}.{}", without_underscores(fraction));
    let parts = std::iter::once(without_underscores(first)).chain(middle.iter().map(|part| (*part).to_owned()));
    let mut values: Vec<f64> = parts.chain([last]).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    // From the last part on, as PyYAML adds them up.
    values.reverse();
    let mut base = 1.0;
    let mut sum = 0.0;
    for value in values {
        sum += value * base;
        base *= 60.0;
    }
    Some(sum)
}

/// Whether the text is written as a date, with or without a time.
fn is_timestamp(text: &str) -> bool {
    // A date alone has two digits for month and day; before a time one is enough.
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|one| one.is_ascii_digit()).count();
    let is = |at: usize, one: u8| bytes.get(at) == Some(&one);
    if digits(0) != 4 || !is(4, b'-') {
        return false;
    }
    let month = digits(5);
    let day = digits(6 + month);
    if !(1..=2).contains(&month) || !is(5 + month, b'-') || !(1..=2).contains(&day) {
        return false;
    }
    match &text[6 + month + day..] {
        "" => month == 2 && day == 2,
        time => is_time(time),
    }
}

/// What stands behind a date: a `T` or blanks, hours, minutes, seconds, a fraction, and a time zone.
fn is_time(text: &str) -> bool {
    let Some(text) = text.strip_prefix(['T', 't']).or_else(|| {
        let trimmed = text.trim_start_matches([' ', '\t']);
        (trimmed.len() < text.len()).then_some(trimmed)
    }) else {
        return false;
    };
    let split = |text: &str| {
        let length = text.chars().take_while(char::is_ascii_digit).count();
        (length, text[length..].to_owned())
    };
    let (hours, rest) = split(text);
    let Some((minutes, rest)) = rest.strip_prefix(':').map(split) else { return false };
    let Some((seconds, rest)) = rest.strip_prefix(':').map(split) else { return false };
    if !(1..=2).contains(&hours) || minutes != 2 || seconds != 2 {
        return false;
    }
    let rest = rest.strip_prefix('.').map(|rest| split(rest).1).unwrap_or(rest);
    let zone = rest.trim_start_matches([' ', '\t']);
    match zone.strip_prefix(['+', '-']) {
        None => zone == "Z" || rest.is_empty(),
        Some(zone) => {
            let (hours, rest) = split(zone);
            let has_minutes = rest.strip_prefix(':').is_some_and(|rest| split(rest) == (2, String::new()));
            (1..=2).contains(&hours) && (rest.is_empty() || has_minutes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Result<Setting, String> {
        Ok(Setting::Text(value.to_owned()))
    }

    #[test]
    fn words_are_null_and_truth_values_in_three_spellings_alone() {
        for word in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(word), Ok(Setting::Null), "{word}");
        }
        for (word, value) in [("yes", true), ("On", true), ("TRUE", true), ("no", false), ("off", false), ("NO", false)]
        {
            assert_eq!(plain(word), Ok(Setting::Bool(value)), "{word}");
        }
        for word in ["y", "n", "yEs", "nULL", "none", "None", "tRue", "."] {
            assert_eq!(plain(word), text(word), "{word}");
        }
    }

    #[test]
    fn whole_numbers_have_five_notations() {
        let numbers = [
            ("0", 0),
            ("-0", 0),
            ("00", 0),
            ("0_", 0),
            ("12", 12),
            ("+12", 12),
            ("-12", -12),
            ("1_000", 1000),
            ("1__0_", 10),
            ("010", 8),
            ("-0_17", -15),
            ("0x1F", 31),
            ("-0xf_f", -255),
            ("0b1_01", 5),
            ("1:30", 90),
            ("-190:20:30", -685_230),
            ("1_0:0:5", 36_005),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (word, value) in numbers {
            assert_eq!(plain(word), Ok(Setting::Int(value)), "{word}");
        }
        for word in ["08", "0o17", "0b2", "0xg", "1:60", "0:30", "_1", "1 2", "12a", "-", "+", "--1", "0x", "0b", "1:"]
        {
            assert_eq!(plain(word), text(word), "{word}");
        }
        for word in ["9223372036854775808", "0x_", "0b__", "999999999999999999:00"] {
            let error = plain(word).unwrap_err();
            assert!(error.contains("64 bits"), "{word}: {error}");
        }
    }

    #[test]
    fn other_numbers_have_a_point_and_a_sign_in_the_exponent() {
        let numbers = [
            ("1.5", 1.5),
            ("-1.5", -1.5),
            ("+1.5", 1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("0.0", 0.0),
            ("1_0.2_5", 10.25),
            ("1.0e+3", 1000.0),
            ("1.5E-2", 0.015),
            ("0.1", 0.1),
            (".inf", f64::INFINITY),
            ("-.INF", f64::NEG_INFINITY),
            ("1:30.5", 90.5),
            ("-1:00:0.25", -3600.25),
            ("1.e+2", 100.0),
            ("08.5", 8.5),
        ];
        for (word, value) in numbers {
            assert_eq!(plain(word), Ok(Setting::Float(value)), "{word}");
        }
        assert!(matches!(plain(".nan"), Ok(Setting::Float(value)) if value.is_nan()));
        for word in
            ["1e3", "1.0e3", "1e-5", "1e+3", "+.5", "-.5", "._5", "-.nan", ".iNF", "1.2.3", "1.5e", "1.5e+", "..5"]
        {
            assert_eq!(plain(word), text(word), "{word}");
        }
    }

    #[test]
    fn dates_are_refused_and_what_only_looks_like_one_is_a_text() {
        let dates = [
            "2024-01-31",
            "2001-12-14t21:59:43.10-05:00",
            "2001-1-4 2:59:43",
            "2001-12-15 2:59:43.1 Z",
            "2001-12-14 21:59:43.10 -5",
        ];
        for word in dates {
            assert!(plain(word).unwrap_err().contains("is a date"), "{word}");
        }
        for word in
            ["2024-1-31", "2024-01", "2024-01-311", "2024-01-31 x", "24-01-31", "2024-01-31T1:2:3", "2024-01-31-"]
        {
            assert_eq!(plain(word), text(word), "{word}");
        }
    }

    #[test]
    fn the_marks_of_merging_are_no_values() {
        assert!(plain("=").is_err());
        assert!(plain("<<").is_err());
        assert_eq!(plain("=="), text("=="));
    }
}
