use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = read_with(&text, &[]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_with(&String::from_utf8_lossy(&bytes), &["seed=1"]);
    }

    /// Text made of what YAML is made of gets further than arbitrary text.
    #[test]
    fn any_yaml_like_text_is_read_or_refused(
        pieces in proptest::collection::vec(prop_oneof![
            Just("name"), Just("models"), Just("a"), Just(": "), Just("- "), Just("\n"), Just("  "), Just("\t"), Just("{"),
            Just("}"), Just("["), Just("]"), Just(", "), Just("&x "), Just("*x"), Just("<<"), Just("!!str "), Just("!t "),
            Just("'"), Just("\""), Just("|"), Just(">"), Just("#"), Just("---"), Just("..."), Just("%YAML 1.2"), Just("?"),
            Just("${"), Just("train."), Just("vars.a"), Just("}"), Just("$"), Just("\\"), Just("é"), Just("0x"), Just("1"),
        ], 0..60)
    ) {
        let _ = read_with(&pieces.concat(), &["models.a.b=1", "evaluate.0=[{]"]);
    }

    /// A suite with one character changed, taken out or doubled.
    #[test]
    fn a_damaged_suite_is_read_or_refused(place in 0..DISTILL.len(), change in 0..3, by in any::<char>()) {
        let mut text: Vec<char> = DISTILL.chars().collect();
        let place = place.min(text.len() - 1);
        match change {
            0 => text[place] = by,
            1 => drop(text.remove(place)),
            _ => text.insert(place, text[place]),
        }
        let _ = read_with(&text.into_iter().collect::<String>(), &[]);
    }
}
