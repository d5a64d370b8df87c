//! The filter `format_span`: named entities in one spelling.

use crate::error::Result;
use crate::python_regex::{Flags, Pattern, Template, escape};
use crate::unicode::{lower, strip};

/// What models call a kind of entity, and what it is called here.
const LABELS: [(&str, &str); 15] = [
    ("person", "PER"),
    ("location", "LOC"),
    ("organization", "ORG"),
    ("counties", "LOC"),
    ("places", "LOC"),
    ("people", "PER"),
    ("persons", "PER"),
    ("company", "ORG"),
    ("country", "LOC"),
    ("continent", "LOC"),
    ("time", "DATE"),
    ("date", "DATE"),
    ("per", "PER"),
    ("loc", "LOC"),
    ("org", "ORG"),
];

/// The entities of a response as `label: value`, with ` $ ` between.
pub(super) fn formatted(response: &str) -> Result<String> {
    let mut text = lower(&lower(response));
    for (name, label) in LABELS {
        let pattern = Pattern::compile(&format!(r"\b{}\s*:", escape(name)), Flags::NONE)?;
        text = pattern.replace(&text, &Template::parse(&format!("{label}:"), &pattern)?, 0)?;
    }
    let text = text.replace("$$", "$");
    let text = text.trim_end_matches('$').replace('\n', "$");
    let entities = Pattern::compile(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)", Flags::NONE)?;
    let mut formatted = Vec::new();
    for groups in entities.find_all(strip(&text))? {
        let [label, values] = groups.as_slice() else { continue };
        let values = values.split(',').map(strip).filter(|value| lower(value) != "none");
        formatted.extend(values.map(|value| format!("{}: {value}", lower(label))));
    }
    Ok(formatted.join(" $ "))
}
