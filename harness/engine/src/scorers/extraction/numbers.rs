//! Finding numbers in running text.

/// The first number in a text, as in [`last_number`].
pub fn first_number(text: &str) -> Option<String> {
    next_number(text, 0).map(|(number, _)| number)
}

/// The last number in a text: an optional sign, digits with or without commas between thousands, an optional
/// fraction. Currency signs are left out.
///
/// A sign counts where it does not follow a letter, a digit or a closing parenthesis, so that `10-5` ends in `5` and
/// `= -5` in `-5`. `1,234` is one number; `1,2` and `1234,567` are two.
pub fn last_number(text: &str) -> Option<String> {
    let mut last = None;
    let mut from = 0;
    while let Some((number, end)) = next_number(text, from) {
        last = Some(number);
        from = end;
    }
    last
}

/// The first number that starts at byte `from` or later, and where it ends.
fn next_number(text: &str, from: usize) -> Option<(String, usize)> {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let digits_from = |start: usize| (start..).take_while(|&index| digit(index)).count();
    let start = (from..bytes.len()).find(|&index| digit(index) || (bytes[index] == b'.' && digit(index + 1)))?;
    let lead = digits_from(start);
    let mut end = start + lead;
    if (1..=3).contains(&lead) {
        while bytes.get(end) == Some(&b',') && digits_from(end + 1) == 3 {
            end += 4;
        }
    }
    if bytes.get(end) == Some(&b'.') && digit(end + 1) {
        end += 1 + digits_from(end + 1);
    }
    // The rest of `1.2.3` is not `.3`.
    let start = if lead == 0 && from > 0 && start == from && digit(start - 1) { start + 1 } else { start };
    let sign = if is_negative(&text[..start]) { "-" } else { "" };
    Some((format!("{sign}{}", &text[start..end]), end))
}

/// Whether the text before a number ends in a minus sign that belongs to the number.
fn is_negative(before: &str) -> bool {
    let before = before.strip_suffix(['$', '€', '£', '¥']).unwrap_or(before);
    let Some(before) = before.strip_suffix(['-', '−']) else { return false };
    !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_with_sign_and_separators() {
        for (text, first, last) in [
            ("It is 1,234 or 2,345,678.90.", "1,234", "2,345,678.90"),
            ("1,2,3", "1", "3"),
            ("1234,567", "1234", "567"),
            ("1,2345", "1", "2345"),
            ("$5 and -$6", "5", "-6"),
            ("10-5", "10", "5"),
            ("(10)-5 = -5", "10", "-5"),
            ("= −7", "-7", "-7"),
            ("half is .5", ".5", ".5"),
            ("version 1.2.3", "1.2", "3"),
            ("1.", "1", "1"),
            ("x2 é3", "2", "3"),
            ("5%", "5", "5"),
        ] {
            assert_eq!(first_number(text).as_deref(), Some(first), "{text}");
            assert_eq!(last_number(text).as_deref(), Some(last), "{text}");
        }
        for text in ["", "none", "...", "$,-"] {
            assert_eq!(last_number(text), None, "{text}");
        }
    }
}
