//! Filters of texts, as lm-evaluation-harness has them.

use examiner_metrics::python_regex::{Flags, Pattern, escape};
use examiner_metrics::unicode::{is_punctuation, lower, strip, upper};
use examiner_python::{Value, equal, from_json};
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::collections::HashMap;

/// What a regular expression takes where a task names none.
const NUMBER_AFTER_HASHES: &str = r"#### (\-?[0-9\.\,]+)";

thread_local! {
    /// Patterns that were compiled.
    static PATTERNS: RefCell<HashMap<String, Pattern>> = RefCell::new(HashMap::new());
}

/// A pattern of Python, compiled once.
///
/// # Errors
/// It is malformed, or says what is not supported, as a phrase.
pub(super) fn pattern(source: &str) -> Result<Pattern, String> {
    PATTERNS.with(|patterns| {
        let mut patterns = patterns.borrow_mut();
        if let Some(pattern) = patterns.get(source) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::compile(source, Flags::NONE).map_err(|error| error.to_string())?;
        patterns.insert(source.to_owned(), pattern.clone());
        Ok(pattern)
    })
}

/// What a filter makes of some answers.
///
/// # Errors
/// It cannot be applied, as a phrase.
pub(super) fn apply(
    name: &str,
    options: &Map<String, Json>,
    items: Vec<Value>,
    document: &Value,
) -> Result<Value, String> {
    let known: &[&str] = match name {
        "regex" => &["regex_pattern", "group_select", "fallback"],
        "multi_choice_regex" => &[
            "regex_pattern",
            "group_select",
            "fallback",
            "ignore_case",
            "ignore_punctuation",
            "regexes_to_ignore",
        ],
        "map" => &["mapping_dict", "default_value"],
        _ => &[],
    };
    if let Some(unknown) = options.keys().find(|option| !known.contains(&option.as_str())) {
        return Err(format!("`{name}` has no option `{unknown}`"));
    }
    let each = |change: &dyn Fn(&str) -> String| {
        let changed = items.iter().map(|item| match item.as_str() {
            Some(text) => Ok(Value::str(&change(text))),
            None => Err(format!("`{name}` of a `{}`, expected a text", item.type_name())),
        });
        changed.collect::<Result<Vec<_>, String>>().map(Value::list)
    };
    match name {
        "remove_whitespace" => each(&|text| strip(text).to_owned()),
        "lowercase" => each(&lower),
        "uppercase" => each(&upper),
        "map" => map(options, &items),
        "regex" => {
            let finder = Finder::new(options)?;
            let found = items.iter().map(|item| {
                // What is no text is taken for an empty one.
                let found = finder.find(&finder.pattern, item.as_str().unwrap_or(""))?;
                Ok(match found {
                    Found::Text(text) => Value::str(&text),
                    // Python strips what stands in for groups that are all empty.
                    Found::Empty => match &finder.fallback {
                        Json::String(text) => Value::str(strip(text)),
                        other => return Err(format!("the fallback `{other}` for groups that are all empty")),
                    },
                    Found::Nothing => from_json(&finder.fallback),
                })
            });
            found.collect::<Result<Vec<_>, String>>().map(Value::list)
        }
        "multi_choice_regex" => multiple_choice(options, &items, document),
        other => Err(format!("the filter `{other}` is not supported")),
    }
}

/// `map`: each answer becomes what a mapping has for it.
fn map(options: &Map<String, Json>, items: &[Value]) -> Result<Value, String> {
    let empty = Map::new();
    let mapping = match options.get("mapping_dict") {
        None | Some(Json::Null) => &empty,
        Some(Json::Object(mapping)) => mapping,
        Some(other) => return Err(format!("`{other}` as `mapping_dict`, expected a mapping")),
    };
    let default = options.get("default_value").map_or(Value::None, from_json);
    let mapped = items.iter().map(|item| match item {
        Value::List(_) | Value::Dict(_) => Err("`map` of what is no text".to_owned()),
        _ => {
            let found = mapping.iter().find(|(key, _)| equal(&Value::str(key), item));
            Ok(found.map_or_else(|| default.clone(), |(_, value)| from_json(value)))
        }
    });
    mapped.collect::<Result<Vec<_>, String>>().map(Value::list)
}

/// What a pattern finds in a text.
enum Found {
    Text(String),
    /// A match of whose groups none has any text.
    Empty,
    Nothing,
}

/// A search by the options of a filter.
struct Finder {
    pattern: Pattern,
    place: i64,
    fallback: Json,
}

impl Finder {
    fn new(options: &Map<String, Json>) -> Result<Self, String> {
        let source = match options.get("regex_pattern") {
            None => NUMBER_AFTER_HASHES,
            Some(Json::String(source)) => source,
            Some(other) => return Err(format!("`{other}` as `regex_pattern`, expected a text")),
        };
        let place = match options.get("group_select") {
            None => 0,
            Some(place) => place.as_i64().ok_or_else(|| format!("`{place}` as `group_select`, expected a number"))?,
        };
        let fallback = options.get("fallback").cloned().unwrap_or_else(|| Json::String("[invalid]".to_owned()));
        Ok(Finder { pattern: pattern(source)?, place, fallback })
    }

    /// The match at the wanted place: its only group, or the first group with text, without white space around it.
    fn find(&self, pattern: &Pattern, text: &str) -> Result<Found, String> {
        let matches = pattern.find_all(text).map_err(|error| error.to_string())?;
        if matches.is_empty() {
            return Ok(Found::Nothing);
        }
        let count = i64::try_from(matches.len()).unwrap_or(i64::MAX);
        let place = if self.place < 0 { self.place + count } else { self.place };
        let groups = usize::try_from(place).ok().and_then(|place| matches.get(place));
        let groups = groups.ok_or_else(|| format!("`group_select: {}` of {count} matches", self.place))?;
        Ok(match groups.as_slice() {
            [only] => Found::Text(strip(only).to_owned()),
            several => match several.iter().find(|group| !group.is_empty()) {
                Some(group) => Found::Text(strip(group).to_owned()),
                None => Found::Empty,
            },
        })
    }
}

/// `multi_choice_regex`: the letter of a choice, by the pattern, by the choice's text, or by a letter after a colon.
fn multiple_choice(options: &Map<String, Json>, items: &[Value], document: &Value) -> Result<Value, String> {
    let finder = Finder::new(options)?;
    let flag = |name: &str| match options.get(name) {
        None => Ok(false),
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(other) => Err(format!("`{other}` as `{name}`, expected true or false")),
    };
    let (ignore_case, ignore_punctuation) = (flag("ignore_case")?, flag("ignore_punctuation")?);
    let ignored = match options.get("regexes_to_ignore") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(sources)) => {
            let compiled = sources.iter().map(|source| pattern(source.as_str().unwrap_or_default()));
            compiled.collect::<Result<Vec<_>, String>>()?
        }
        Some(other) => return Err(format!("`{other}` as `regexes_to_ignore`, expected a list of patterns")),
    };
    let reduced = |text: &str| -> Result<String, String> {
        let mut text = text.to_owned();
        for pattern in &ignored {
            text = remove(pattern, &text)?;
        }
        if ignore_case {
            text = lower(&text);
        }
        if ignore_punctuation {
            text.retain(|character| !is_punctuation(u32::from(character)));
        }
        Ok(text)
    };
    let choices = match document {
        Value::Dict(fields) => fields.borrow().get_str("choices").cloned(),
        _ => None,
    };
    let Some(Value::List(choices)) = choices else {
        return Err("`multi_choice_regex` of a document without a list of `choices`".to_owned());
    };
    let mut by_text: Vec<(String, String)> = Vec::new();
    let mut letters = String::new();
    for (index, choice) in choices.borrow().iter().enumerate() {
        let choice = choice.as_str().ok_or_else(|| "a choice that is no text".to_owned())?;
        let letter = u32::try_from(index).ok().and_then(|index| char::from_u32(u32::from('A') + index));
        let letter = letter.ok_or_else(|| "more choices than there are letters".to_owned())?;
        letters.push(letter);
        let key = reduced(strip(choice))?;
        // Of two choices with one text the second counts.
        match by_text.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = format!("({letter})"),
            None => by_text.push((key, format!("({letter})"))),
        }
    }
    let sources = {
        let choices = choices.borrow();
        let mut sources = choices
            .iter()
            .map(|choice| Ok(escape(&reduced(strip(choice.as_str().unwrap_or_default()))?)))
            .collect::<Result<Vec<String>, String>>()?;
        // The longest first: a choice may begin with another.
        sources.sort_by_key(|source| std::cmp::Reverse(source.chars().count()));
        sources.join("|")
    };
    let text_pattern = Pattern::compile(&sources, Flags::NONE).map_err(|error| error.to_string())?;
    let alternatives: Vec<String> = letters.chars().map(String::from).collect();
    let letter_pattern = pattern(&format!(r":[\s]*({})", alternatives.join("|")))?;
    let found = |pattern: &Pattern, text: &str| -> Result<String, String> {
        Ok(match finder.find(pattern, text)? {
            Found::Text(text) => text,
            Found::Empty | Found::Nothing => String::new(),
        })
    };
    let filtered = items.iter().map(|item| {
        let text = item.as_str().unwrap_or("");
        let mut answer = found(&finder.pattern, text)?;
        if answer.is_empty() {
            let text = item.as_str().ok_or_else(|| "an answer that is no text".to_owned())?;
            answer = found(&text_pattern, &reduced(text)?)?;
            if let Some((_, letter)) = by_text.iter().find(|(known, _)| !answer.is_empty() && *known == answer) {
                answer.clone_from(letter);
            }
        }
        if answer.is_empty() {
            answer = found(&letter_pattern, text)?;
            if answer.chars().count() == 1 && letters.contains(&answer) {
                answer = format!("({answer})");
            }
        }
        Ok(if answer.is_empty() { from_json(&finder.fallback) } else { Value::str(&answer) })
    });
    filtered.collect::<Result<Vec<_>, String>>().map(Value::list)
}

/// A text without what a pattern matches.
pub(super) fn remove(pattern: &Pattern, text: &str) -> Result<String, String> {
    let nothing = examiner_metrics::python_regex::Template::parse("", pattern).map_err(|error| error.to_string())?;
    pattern.replace(text, &nothing, 0).map_err(|error| error.to_string())
}
