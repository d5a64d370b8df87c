use super::*;

#[test]
fn the_table_covers_every_code_point() {
    assert_eq!(RUNS.len(), 3968);
    assert_eq!(RUNS.last(), Some(&(0x10_fffe, 29)));
    assert_eq!((category(0), category(0x41), category(0x0664), category(0x1f600)), ("Cc", "Lu", "Nd", "So"));
    assert_eq!((category(0xd800), category(0xe000), category(0x0378)), ("Cs", "Co", "Cn"));
    // A combining vowel sign is no letter, though it is alphabetic.
    assert!(!is_alphanumeric(0x093f) && is_alphanumeric(0x0939));
}

#[test]
fn digits_have_the_value_of_their_place() {
    let digits = ['0', '9', '٣', '𝟘', '𝟙', '𝟡', '𝟬'].map(|digit| decimal(u32::from(digit)));
    assert_eq!(digits, [Some(0), Some(9), Some(3), Some(0), Some(1), Some(9), Some(0)]);
    assert_eq!((decimal(0x41), decimal(0xb2), decimal(0x10_ffff)), (None, None, None));
}

#[test]
fn characters_newer_than_the_table_have_no_case() {
    // Unicode 16 gave this letter an upper case.
    assert_eq!(upper("ɤ"), "ɤ");
    assert_eq!(lower("\u{a7cb}Σ"), "\u{a7cb}σ");
    assert_eq!((lower("ΑΣ"), lower("ΑΣΑ"), upper("ß")), ("ας".to_owned(), "ασα".to_owned(), "SS".to_owned()));
}
