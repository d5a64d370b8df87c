use super::*;
use proptest::prelude::*;

fn compile(source: &str) -> Pattern {
    Pattern::compile(source, Flags::NONE).unwrap()
}

#[test]
fn what_is_not_supported_is_refused_with_a_reason() {
    for (source, reason) in [
        ("(", "missing ), unterminated subpattern at position 0"),
        (r"\N{DASH}", "names of characters"),
        ("(?P<é>a)", "bad character in group name"),
        ("(?L)a", "cannot use 'L' flag"),
        ("a(?i)b", "global flags not at the start of the expression at position 1"),
        ("(?<=a+)b", "look-behind requires fixed-width pattern"),
        ("(?:(a)|b)++", "possessive repetition of a part with groups"),
        ("((?(1)a|b))", "a condition about a group that is still open"),
        ("a{2}{3}", "multiple repeat"),
        ("a{3,2}", "min repeat greater than max repeat"),
        ("a{99999999999}", "the repetition number is too large"),
        (r"\", "bad escape (end of pattern)"),
    ] {
        let error = Pattern::compile(source, Flags::NONE).unwrap_err();
        assert!(error.to_string().contains(reason), "{source}: {error}");
    }
    let deep = "(".repeat(5000) + &")".repeat(5000);
    assert!(Pattern::compile(&deep, Flags::NONE).unwrap_err().message.contains("nested deeper"));
}

#[test]
fn a_search_without_end_is_given_up() {
    let text = "a".repeat(60);
    let error = compile(r"(a|a)*\1b").find_all(&text).unwrap_err();
    assert!(error.to_string().contains("cannot search with the pattern `(a|a)*\\1b`"), "{error}");
}

#[test]
fn long_texts_use_no_deep_stack() {
    let text = "ab".repeat(300_000);
    let subject = Subject::new(&text);
    let found = compile("(?:a|b)*?(?:ab)*$").match_at(&subject, 0).unwrap().unwrap();
    assert_eq!((found.start(), found.end()), (0, 600_000));
}

#[test]
fn places_are_counted_in_characters() {
    let subject = Subject::new("é😀 (中)");
    let found = compile(r"\((?P<x>\w)\)").search(&subject, 0).unwrap().unwrap();
    assert_eq!((found.span(0), found.span(1), found.group(&subject, 1)), (Some((3, 6)), Some((4, 5)), Some("中")));
    assert_eq!(subject.byte(4), 8);
}

proptest! {
    /// An escaped text matches itself and nothing else.
    #[test]
    fn an_escaped_text_matches_itself(text in ".{0,20}") {
        let pattern = compile(&escape(&text));
        let subject = Subject::new(&text);
        let found = pattern.full_match(&subject, 0).unwrap();
        prop_assert!(found.is_some_and(|found| found.end() == subject.len()));
        prop_assert!(pattern.full_match(&Subject::new(&(text.clone() + "x")), 0).unwrap().is_none());
    }

    /// What is split and what is found between make the text again.
    #[test]
    fn a_split_text_can_be_joined_again(text in "[ab ,é]{0,30}", source in prop::sample::select(vec!["(,)", "(a*)", "( +|b)", "(?=a)()"])) {
        let parts = compile(source).split(&text, 0).unwrap();
        prop_assert_eq!(parts.into_iter().flatten().collect::<String>(), text);
    }

    /// No pattern and no text lead to a panic.
    #[test]
    fn any_pattern_is_read_or_refused(source in r"[a-c()|*+?{}\[\]\\^$.,0-9PiL<>=!:-]{0,16}", text in "[a-c\n]{0,8}") {
        if let Ok(pattern) = Pattern::compile(&source, Flags::NONE) {
            let _ = pattern.find_all(&text);
        }
    }
}
