//! Which choice a gold answer means.
//!
//! One way of naming choices holds for all rows of a file. Row by row, `B` may be a letter here and a text there, and `1` an
//! index where others count from 1: what fits a row by itself may still be another than the author's way.

use crate::options::GoldIs;
use serde_json::Value;

/// The ways of naming a choice, in the order in which they are tried.
const WAYS: [GoldIs; 3] = [GoldIs::Index, GoldIs::Letter, GoldIs::Text];

/// The index of the right choice. [`GoldIs::Auto`] takes the first way that fits.
///
/// # Errors
/// What is wrong with the value: it names no choice.
pub(crate) fn choice(value: &Value, choices: &[String], how: GoldIs) -> Result<usize, String> {
    let ways = match how {
        GoldIs::Auto => &WAYS[..],
        _ => std::slice::from_ref(&how),
    };
    ways.iter().find_map(|way| read(*way, value, choices)).ok_or_else(|| {
        let expected = match how {
            GoldIs::Auto => "an index, letter or text",
            GoldIs::Index => "an index from 0",
            GoldIs::Letter => "a letter from `A`",
            GoldIs::Text => "the text",
        };
        format!("`gold` is `{value}`, expected {expected} of one of {} choices", choices.len())
    })
}

fn read(way: GoldIs, value: &Value, choices: &[String]) -> Option<usize> {
    match way {
        GoldIs::Index => index(value, choices),
        GoldIs::Letter => letter(value, choices),
        GoldIs::Text => text(value, choices),
        GoldIs::Auto => None,
    }
}

fn name(way: GoldIs) -> &'static str {
    match way {
        GoldIs::Index => "index",
        GoldIs::Letter => "letter",
        GoldIs::Text => "text",
        GoldIs::Auto => "index, letter or text",
    }
}

/// The ways that fit every row of a file so far.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    /// For each of [`WAYS`], the first gold answer that it does not fit, and its place.
    unfit: [Option<(Value, String)>; 3],
    /// Two ways, by their places in [`WAYS`], and what the first row says in which they mean different choices.
    differences: Vec<([usize; 2], String)>,
}

impl Ways {
    /// Takes note of a row's gold answer, unless it names no choice at all, which [`choice`] says. `place` says where it
    /// stands.
    ///
    /// # Errors
    /// No way fits this row and all before it. The message names an earlier row.
    pub(crate) fn note(&mut self, value: &Value, choices: &[String], place: &dyn Fn() -> String) -> Result<(), String> {
        let found = WAYS.map(|way| read(way, value, choices));
        let Some(fits) = found.iter().position(Option::is_some) else { return Ok(()) };
        let is_left = |way: usize| found[way].is_some() && self.unfit[way].is_none();
        if !(0..WAYS.len()).any(is_left)
            && let Some((other, place)) = &self.unfit[fits]
        {
            let way = name(WAYS[fits]);
            return Err(format!(
                "`gold` is `{value}`, the {way} of a choice, but {place} has `{other}`, which is none"
            ));
        }
        for (found, unfit) in found.iter().zip(&mut self.unfit) {
            if found.is_none() && unfit.is_none() {
                *unfit = Some((value.clone(), place()));
            }
        }
        for ways in [[0, 1], [0, 2], [1, 2]] {
            if let [Some(one), Some(other)] = ways.map(|way| found[way])
                && one != other
                && self.differences.iter().all(|(known, _)| *known != ways)
            {
                let [as_one, as_other] = ways.map(|way| name(WAYS[way]));
                let message = format!(
                    "{}: `gold` is `{value}`, which by {as_one} means choice {one} and by {as_other} choice {other}",
                    place()
                );
                self.differences.push((ways, message));
            }
        }
        Ok(())
    }

    /// The way that fits every row, the first of several that mean the same.
    ///
    /// # Errors
    /// Two fit, and mean different choices in a row, which the message names.
    pub(crate) fn decide(self) -> Result<GoldIs, String> {
        let fits = |way: usize| self.unfit[way].is_none();
        if let Some((_, message)) = self.differences.iter().find(|(ways, _)| ways.iter().all(|way| fits(*way))) {
            return Err(message.clone());
        }
        Ok((0..WAYS.len()).find(|way| fits(*way)).map_or(GoldIs::Auto, |way| WAYS[way]))
    }
}

fn index(value: &Value, choices: &[String]) -> Option<usize> {
    let index = match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && *float >= 0.0);
            number.as_u64().or(whole.map(|float| float as u64))?
        }
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let index = usize::try_from(index).ok()?;
    (index < choices.len()).then_some(index)
}

/// `A`, `a`, `(A)`, `A.` or `A)`.
fn letter(value: &Value, choices: &[String]) -> Option<usize> {
    let text = value.as_str()?.trim();
    let text = text.strip_prefix('(').unwrap_or(text);
    let text = text.strip_suffix([')', '.', ':']).unwrap_or(text);
    let &[letter] = text.as_bytes() else { return None };
    let index = usize::from(letter.to_ascii_uppercase().checked_sub(b'A')?);
    (letter.is_ascii_alphabetic() && index < choices.len()).then_some(index)
}

fn text(value: &Value, choices: &[String]) -> Option<usize> {
    let text = plain(value)?;
    choices.iter().position(|choice| *choice == text)
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
    fn a_choice_is_named_in_one_of_three_ways() {
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

    /// What is decided of rows of gold answer and choices, in lines from 1.
    fn decide(rows: &[(Value, &[&str])]) -> Result<GoldIs, String> {
        let mut ways = Ways::default();
        for (number, (value, choices)) in (1..).zip(rows) {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            let place = || format!("line {number}");
            ways.note(value, &choices, &place).map_err(|message| format!("{}: {message}", place()))?;
        }
        ways.decide()
    }

    #[test]
    fn the_way_that_fits_every_row_is_taken() {
        let words: &[&str] = &["bank", "mall"];
        assert_eq!(decide(&[(json!("A"), words), (json!("b"), words)]), Ok(GoldIs::Letter));
        assert_eq!(decide(&[(json!("0"), words), (json!(1), words)]), Ok(GoldIs::Index));
        // The first fits two ways, the second one.
        assert_eq!(decide(&[(json!("B"), &["A", "B"]), (json!("mall"), words)]), Ok(GoldIs::Text));
        assert_eq!(
            decide(&[(json!("1"), &["1", "0"]), (json!("7"), &["8", "7"])]),
            Ok(GoldIs::Text),
            "no index fits both"
        );
        assert_eq!(decide(&[(json!("B"), &["A", "B"])]), Ok(GoldIs::Letter), "both ways mean the same");
        assert_eq!(decide(&[]), Ok(GoldIs::Index), "nothing to be read");
    }

    #[test]
    fn a_mix_of_ways_is_an_error_that_names_both_rows() {
        let words: &[&str] = &["bank", "mall"];
        assert_eq!(
            decide(&[(json!("B"), words), (json!("bank"), words)]).unwrap_err(),
            "line 2: `gold` is `\"bank\"`, the text of a choice, but line 1 has `\"B\"`, which is none"
        );
        // Answer keys of ARC: `1` is the first of the choices, which as an index is the second.
        let message = decide(&[(json!("A"), words), (json!("A"), words), (json!("1"), words)]).unwrap_err();
        assert!(
            message.starts_with("line 3: `gold` is `\"1\"`, the index of a choice, but line 1 has `\"A\"`"),
            "{message}"
        );
        let message = decide(&[(json!("A"), &["A", "B"]), (json!("A"), words), (json!("bank"), words)]).unwrap_err();
        assert!(message.contains("but line 2 has `\"A\"`, which is none"), "{message}");
        assert_eq!(decide(&[(json!("A"), words), (json!("C"), words)]), Ok(GoldIs::Letter), "`C` is another error");
    }

    #[test]
    fn two_ways_that_differ_in_a_row_must_be_told_apart() {
        let (numbers, others): (&[&str], &[&str]) = (&["1", "0", "7"], &["0", "1"]);
        assert_eq!(
            decide(&[(json!("1"), others), (json!("1"), numbers), (json!("0"), numbers)]).unwrap_err(),
            "line 2: `gold` is `\"1\"`, which by index means choice 1 and by text choice 0"
        );
        assert_eq!(find(json!("1"), numbers, GoldIs::Index), Ok(1));
        assert_eq!(find(json!("1"), numbers, GoldIs::Text), Ok(0));
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
