//! Which choice a gold answer means.

use crate::options::GoldIs;
use serde_json::Value;

/// The index of the right choice.
///
/// # Errors
/// What is wrong with the value: it names no choice, or, under [`GoldIs::Auto`], its readings name different ones.
pub(crate) fn choice(value: &Value, choices: &[String], how: GoldIs) -> Result<usize, String> {
    let readings = match how {
        GoldIs::Auto => vec![index(value, choices), letter(value, choices), text(value, choices)],
        GoldIs::Index => vec![index(value, choices)],
        GoldIs::Letter => vec![letter(value, choices)],
        GoldIs::Text => vec![text(value, choices)],
    };
    let mut found = readings.into_iter().flatten();
    let Some((first, as_first)) = found.next() else {
        let expected = match how {
            GoldIs::Auto => "an index, letter or text",
            GoldIs::Index => "an index from 0",
            GoldIs::Letter => "a letter from `A`",
            GoldIs::Text => "the text",
        };
        return Err(format!("`gold` is `{value}`, expected {expected} of one of {} choices", choices.len()));
    };
    match found.find(|(other, _)| *other != first) {
        None => Ok(first),
        Some((other, as_other)) => Err(format!(
            "`gold` is `{value}`, which as {as_first} means choice {first} and as {as_other} choice {other}: set `gold_is`"
        )),
    }
}

/// An index among the choices, and how it was named.
type Reading = Option<(usize, &'static str)>;

fn index(value: &Value, choices: &[String]) -> Reading {
    let index = match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && *float >= 0.0);
            number.as_u64().or(whole.map(|float| float as u64))?
        }
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let index = usize::try_from(index).ok()?;
    (index < choices.len()).then_some((index, "an index"))
}

/// `A`, `a`, `(A)`, `A.` or `A)`.
fn letter(value: &Value, choices: &[String]) -> Reading {
    let text = value.as_str()?.trim();
    let text = text.strip_prefix('(').unwrap_or(text);
    let text = text.strip_suffix([')', '.', ':']).unwrap_or(text);
    let &[letter] = text.as_bytes() else { return None };
    let index = usize::from(letter.to_ascii_uppercase().checked_sub(b'A')?);
    (letter.is_ascii_alphabetic() && index < choices.len()).then_some((index, "a letter"))
}

fn text(value: &Value, choices: &[String]) -> Reading {
    let text = plain(value)?;
    choices.iter().position(|choice| *choice == text).map(|index| (index, "a text"))
}

/// A scalar as it is in the row: strings without quotes, numbers as they are written.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(value: Value, choices: &[&str], how: GoldIs) -> Result<usize, String> {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        choice(&value, &choices, how)
    }

    #[test]
    fn auto_takes_whatever_fits() {
        let words = ["bank", "mall", "library"];
        for (value, expected) in [
            (json!(1), 1),
            (json!("2"), 2),
            (json!(1.0), 1),
            (json!("B"), 1),
            (json!("(c)"), 2),
            (json!("A."), 0),
            (json!("library"), 2),
        ] {
            assert_eq!(find(value.clone(), &words, GoldIs::Auto), Ok(expected), "{value}");
        }
        assert_eq!(find(json!("D"), &["A", "B", "C", "D"], GoldIs::Auto), Ok(3), "letter and text agree");
        assert_eq!(find(json!(7), &["7", "8"], GoldIs::Auto), Ok(0), "no index, but a text");
    }

    #[test]
    fn readings_that_differ_must_be_told_apart() {
        let numbers = ["1", "0", "7"];
        assert_eq!(
            find(json!("1"), &numbers, GoldIs::Auto).unwrap_err(),
            "`gold` is `\"1\"`, which as an index means choice 1 and as a text choice 0: set `gold_is`"
        );
        assert_eq!(find(json!("1"), &numbers, GoldIs::Index), Ok(1));
        assert_eq!(find(json!("1"), &numbers, GoldIs::Text), Ok(0));
        assert_eq!(find(json!("B"), &["B", "A"], GoldIs::Letter), Ok(1));
    }

    #[test]
    fn what_names_no_choice_is_an_error() {
        let words = ["bank", "mall"];
        for value in [json!(2), json!(-1), json!(0.5), json!("C"), json!("Bank "), json!(null), json!(true), json!([0])]
        {
            assert!(find(value.clone(), &words, GoldIs::Auto).is_err(), "{value}");
        }
        assert_eq!(
            find(json!("bank"), &words, GoldIs::Letter).unwrap_err(),
            "`gold` is `\"bank\"`, expected a letter from `A` of one of 2 choices"
        );
    }
}
