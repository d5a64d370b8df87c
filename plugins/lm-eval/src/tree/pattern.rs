//! Patterns of names, as Python's `fnmatch` reads them.

/// Whether the pattern has anything that a name has not.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether the whole of `name` fits `pattern`: `*` is any text, `?` one character, `[a-z]` one of some, `[!a]` one of all others.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let parts = parts(pattern);
    let name: Vec<char> = name.chars().collect();
    // `star` is where to go on when what stands behind the last `*` has not fitted.
    let (mut part, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match parts.get(part) {
            Some(Part::Any) => {
                star = Some((part, at));
                part += 1;
                continue;
            }
            Some(one) if name.get(at).is_some_and(|found| one.fits(*found)) => {
                part += 1;
                at += 1;
                continue;
            }
            None if at == name.len() => return true,
            _ => {}
        }
        match star {
            Some((after, from)) if from < name.len() => {
                star = Some((after, from + 1));
                part = after + 1;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

enum Part {
    Any,
    One,
    Char(char),
    Set { is_negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn fits(&self, found: char) -> bool {
        match self {
            Part::Any => false,
            Part::One => true,
            Part::Char(one) => *one == found,
            Part::Set { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&found)) != *is_negated
            }
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(one) = chars.get(at) {
        at += 1;
        parts.push(match one {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => match set(&chars[at..]) {
                Some((set, length)) => {
                    at += length;
                    set
                }
                // A bracket that is never closed is a character.
                None => Part::Char('['),
            },
            one => Part::Char(*one),
        });
    }
    parts
}

/// The set that stands behind a `[`, and its length with the closing bracket.
fn set(chars: &[char]) -> Option<(Part, usize)> {
    let is_negated = chars.first() == Some(&'!');
    let begin = usize::from(is_negated);
    // A closing bracket that comes first is one of the set.
    let end = (begin + 1..chars.len()).find(|at| chars[*at] == ']')?;
    let mut ranges = Vec::new();
    let mut at = begin;
    while at < end {
        if at + 2 < end && chars[at + 1] == '-' {
            ranges.push((chars[at], chars[at + 2]));
            at += 3;
        } else {
            ranges.push((chars[at], chars[at]));
            at += 1;
        }
    }
    Some((Part::Set { is_negated, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_as_those_of_fnmatch() {
        let fitting = [
            ("mmlu", "mmlu"),
            ("mmlu_*", "mmlu_anatomy"),
            ("*", ""),
            ("**a*", "bab"),
            ("?", "é"),
            ("a[!b]c", "adc"),
            ("a[a-c]", "ab"),
            ("[]]", "]"),
            ("[!]]", "a"),
            ("a[", "a["),
            ("[-a]", "-"),
            ("[a-]", "-"),
            ("*_fr", "xnli_fr_fr"),
        ];
        for (pattern, name) in fitting {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        let others =
            [("mmlu", "mmlu_x"), ("?", ""), ("a[!b]c", "abc"), ("*_fr", "fr"), ("[b-a]", "a"), ("a*b*c", "acb")];
        for (pattern, name) in others {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_without_marks_fits_itself_alone(one in "[a-z_]{0,6}", other in "[a-z_]{0,6}") {
            prop_assert!(matches(&one, &one));
            prop_assert_eq!(matches(&one, &other), one == other);
        }

        #[test]
        fn a_star_stands_for_any_text(before in "[a-z]{0,4}", between in "[a-z]{0,4}", after in "[a-z]{0,4}") {
            let fits = matches(&format!("{before}*{after}"), &format!("{before}{between}{after}"));
            prop_assert!(fits);
        }

        #[test]
        fn any_pattern_ends(pattern in "[a\\[\\]!*?-]{0,20}", name in "[ab]{0,20}") {
            let _ = matches(&pattern, &name);
        }
    }
}
