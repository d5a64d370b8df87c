//! Widths of texts, so that nothing overlaps.

/// The estimated width of a text, on the safe side: viewers that do not have the font use another one.
pub(super) fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(letter).sum::<f64>()
}

/// A letter's width as a fraction of the font's size.
fn letter(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | ' ' => 0.29,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' | '"' => 0.41,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.93,
        'A'..='Z' => 0.68,
        letter if letter.is_ascii() => 0.59,
        // Letters of East Asian scripts are as wide as high.
        letter if u32::from(letter) >= 0x2e80 => 1.0,
        _ => 0.65,
    }
}

/// The text if it is at most `room` wide, else its beginning and its end around `…`: similar names often differ at the end.
pub(super) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    for kept in (2..letters.len()).rev() {
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        let short: String =
            letters[..head].iter().chain(std::iter::once(&'…')).chain(&letters[letters.len() - tail..]).collect();
        if width(&short, size) <= room {
            return short;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(fitted("gsm8k", 12.0, 100.0), "gsm8k");
        let name = "logical_deduction_seven_objects";
        let short = fitted(name, 12.0, 120.0);
        assert!(width(&short, 12.0) <= 120.0 && short.starts_with("logic") && short.ends_with("objects"), "{short}");
        assert_eq!(fitted(name, 12.0, 1.0), "…");
    }
}
