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
fn characters_newer_than_the_table_have_no_case() {
    // Unicode 16 gave this letter an upper case.
    assert_eq!(upper("ɤ"), "ɤ");
    assert_eq!(lower("\u{a7cb}Σ"), "\u{a7cb}σ");
    assert_eq!((lower("ΑΣ"), lower("ΑΣΑ"), upper("ß")), ("ας".to_owned(), "ασα".to_owned(), "SS".to_owned()));
}
