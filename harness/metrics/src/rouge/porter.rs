//! Porter's stemmer with the extensions of NLTK.

/// Words that are not stemmed by rule.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// The endings of the second step and what they become, if a syllable stands before them.
const SECOND: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

/// Those of the third step.
const THIRD: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Those of the fourth step, which go if two syllables stand before them.
const FOURTH: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// The stem of a word of lower-case letters and digits of ASCII.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    let word = without_plural(word);
    let word = without_past(word);
    let word = with_i(word);
    let word = second(word);
    let word = ending(&word, &THIRD).unwrap_or(word);
    let word = fourth(word);
    let word = without_e(word);
    match word.strip_suffix('l') {
        Some(stem) if stem.ends_with('l') && syllables(stem) > 1 => stem.to_owned(),
        _ => word,
    }
}

/// For each letter, whether it is a consonant. A `y` is one at the start, and after a vowel.
fn consonants(word: &str) -> Vec<bool> {
    let mut flags: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word.bytes() {
        flags.push(match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => flags.last().is_none_or(|before| !before),
            _ => true,
        });
    }
    flags
}

/// Porter's measure: how often a consonant follows a vowel.
fn syllables(word: &str) -> usize {
    consonants(word).windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

fn has_vowel(word: &str) -> bool {
    consonants(word).contains(&false)
}

/// Whether the last letter is a consonant.
fn ends_in_consonant(word: &str) -> bool {
    consonants(word).last() == Some(&true)
}

/// Whether a word ends as `hop` does, or is one like `at`.
fn is_short(word: &str) -> bool {
    match consonants(word).as_slice() {
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        [false, true] => true,
        _ => false,
    }
}

/// What the first of these endings that the word has becomes, if a syllable stands before it; none if the word has none of them.
fn ending(word: &str, endings: &[(&str, &str)]) -> Option<String> {
    let found = endings.iter().find_map(|(ending, new)| Some((word.strip_suffix(ending)?, new)))?;
    let (stem, new) = found;
    Some(if syllables(stem) > 0 { format!("{stem}{new}") } else { word.to_owned() })
}

fn without_plural(word: &str) -> String {
    match word {
        _ if word.ends_with("ies") && word.len() == 4 => word[..3].to_owned(),
        _ if word.ends_with("sses") || word.ends_with("ies") => word[..word.len() - 2].to_owned(),
        _ if word.ends_with("ss") => word.to_owned(),
        _ => word.strip_suffix('s').unwrap_or(word).to_owned(),
    }
}

fn without_past(word: String) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return format!("{stem}{}", if word.len() == 4 { "ie" } else { "i" });
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return if syllables(stem) > 0 { format!("{stem}ee") } else { word };
    }
    let stem = ["ed", "ing"].iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| has_vowel(stem)));
    let Some(stem) = stem else { return word };
    if ["at", "bl", "iz"].iter().any(|ending| stem.ends_with(ending)) {
        return format!("{stem}e");
    }
    let bytes = stem.as_bytes();
    if bytes.len() >= 2 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2] && ends_in_consonant(stem) {
        return if stem.ends_with(['l', 's', 'z']) { stem.to_owned() } else { stem[..stem.len() - 1].to_owned() };
    }
    if syllables(stem) == 1 && is_short(stem) { format!("{stem}e") } else { stem.to_owned() }
}

fn with_i(word: String) -> String {
    match word.strip_suffix('y') {
        Some(stem) if stem.len() > 1 && ends_in_consonant(stem) => format!("{stem}i"),
        _ => word,
    }
}

fn second(word: String) -> String {
    if let Some(stem) = word.strip_suffix("alli").filter(|stem| syllables(stem) > 0) {
        return second(format!("{stem}al"));
    }
    if let Some(changed) = ending(&word, &SECOND) {
        return changed;
    }
    match word.strip_suffix("logi") {
        Some(stem) if syllables(&word[..word.len() - 3]) > 0 => format!("{stem}log"),
        _ => word,
    }
}

fn fourth(word: String) -> String {
    let found = FOURTH.iter().find_map(|ending| Some((word.strip_suffix(ending)?, *ending)));
    match found {
        Some((stem, ending)) if syllables(stem) > 1 && (ending != "ion" || stem.ends_with(['s', 't'])) => {
            stem.to_owned()
        }
        _ => word,
    }
}

fn without_e(word: String) -> String {
    match word.strip_suffix('e') {
        Some(stem) if syllables(stem) > 1 || (syllables(stem) == 1 && !is_short(stem)) => stem.to_owned(),
        _ => word,
    }
}
