//! Filters that find an answer with a pattern.

use super::options::Options;
use crate::error::{MetricError, Result, invalid};
use crate::python_regex::{Flags, Pattern, Template, escape};
use crate::unicode::{is_punctuation, lower, strip};
use serde_json::Value;

const DEFAULT_PATTERN: &str = r"#### (\-?[0-9\.\,]+)";
const DEFAULT_FALLBACK: &str = "[invalid]";

/// The filter `regex`.
#[derive(Debug, Clone)]
pub(super) struct RegexFilter {
    pattern: Pattern,
    group_select: i64,
    fallback: Value,
}

/// A match as `findall` gives it.
enum Found {
    Text(String),
    /// The groups, of which there are at least two.
    Groups(Vec<String>),
}

impl RegexFilter {
    pub(super) fn new(options: &mut Options) -> Result<Self> {
        let pattern = Pattern::compile(&options.text("regex_pattern", DEFAULT_PATTERN)?, Flags::NONE)?;
        let group_select = options.integer("group_select", 0)?;
        let fallback = options.take("fallback").unwrap_or_else(|| DEFAULT_FALLBACK.into());
        Ok(RegexFilter { pattern, group_select, fallback })
    }

    pub(super) fn apply(&self, response: &Value) -> Result<Value> {
        let text = response.as_str().unwrap_or("");
        match selected(&self.pattern, self.group_select, text)? {
            None => Ok(self.fallback.clone()),
            Some(Found::Text(found)) => Ok(strip(&found).into()),
            Some(Found::Groups(groups)) => match groups.iter().find(|group| !group.is_empty()) {
                Some(group) => Ok(strip(group).into()),
                None => match &self.fallback {
                    Value::String(fallback) => Ok(strip(fallback).into()),
                    other => invalid(format!("expected a text as `fallback`, found `{other}`")),
                },
            },
        }
    }
}

/// The match that `select` chooses, from the end if it is negative; none if there is no match at all.
fn selected(pattern: &Pattern, select: i64, text: &str) -> Result<Option<Found>> {
    let mut found = pattern.find_all(text)?;
    if found.is_empty() {
        return Ok(None);
    }
    let count = found.len();
    let place =
        if select < 0 { count.checked_sub(select.unsigned_abs() as usize) } else { usize::try_from(select).ok() };
    let Some(place) = place.filter(|place| *place < count) else {
        return invalid(format!(
            "expected a match {select} by `group_select`, found {count} matches of `{}`",
            pattern.source()
        ));
    };
    let groups: Vec<String> = found.swap_remove(place).into_iter().map(str::to_owned).collect();
    Ok(Some(match <[String; 1]>::try_from(groups) {
        Ok([text]) => Found::Text(text),
        Err(groups) => Found::Groups(groups),
    }))
}

/// The filter `regex_pos`: the second members of pairs such as `('cat', 'NOUN')`.
pub(super) fn parts_of_speech(response: &Value, fallback: &Value) -> Result<Value> {
    let tags: Vec<Value> = match response {
        Value::String(text) => {
            let pairs = Pattern::compile(r"\('([^']*)', '([^']*)'\)", Flags::NONE)?;
            pairs.find_all(text)?.into_iter().filter_map(|groups| groups.get(1).map(|tag| Value::from(*tag))).collect()
        }
        Value::Array(pairs) => {
            let second = |pair: &Value| pair.as_array().filter(|pair| pair.len() == 2).map(|pair| pair[1].clone());
            let tags: Option<Vec<Value>> = pairs.iter().map(second).collect();
            tags.ok_or_else(|| {
                MetricError::Invalid(format!("expected pairs of a token and a tag, found `{response}`"))
            })?
        }
        other => return invalid(format!("expected a text as response, found `{other}`")),
    };
    Ok(if tags.is_empty() { fallback.clone() } else { Value::Array(tags) })
}

/// The filter `multi_choice_regex`.
#[derive(Debug, Clone)]
pub(super) struct MultiChoice {
    regex: RegexFilter,
    ignore_case: bool,
    ignore_punctuation: bool,
    ignored: Vec<(Pattern, Template)>,
}

/// The filter for one document.
pub(super) struct Prepared<'f> {
    filter: &'f MultiChoice,
    /// The texts of the choices as they are compared, and what stands for each.
    choices: Vec<(String, String)>,
    texts: Pattern,
    letters: Pattern,
}

impl MultiChoice {
    pub(super) fn new(options: &mut Options) -> Result<Self> {
        let compile = |source: &String| {
            let pattern = Pattern::compile(source, Flags::NONE)?;
            let nothing = Template::parse("", &pattern)?;
            Ok((pattern, nothing))
        };
        Ok(MultiChoice {
            ignore_case: options.flag("ignore_case")?,
            ignore_punctuation: options.flag("ignore_punctuation")?,
            ignored: options.texts("regexes_to_ignore")?.iter().map(compile).collect::<Result<_>>()?,
            regex: RegexFilter::new(options)?,
        })
    }

    pub(super) fn prepare(&self, document: &Value) -> Result<Prepared<'_>> {
        let texts = document.get("choices").and_then(Value::as_array);
        let texts: Option<Vec<&str>> = texts.and_then(|choices| choices.iter().map(Value::as_str).collect());
        let Some(texts) = texts else {
            return invalid("expected a list of texts in the field `choices` of a document, for `multi_choice_regex`");
        };
        let mut choices: Vec<(String, String)> = Vec::new();
        let mut letters = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let letter = u32::try_from(index).ok().and_then(|index| char::from_u32(u32::from('A') + index));
            let letter = letter.ok_or_else(|| MetricError::Invalid(format!("{} choices are too many", texts.len())))?;
            letters.push(letter.to_string());
            choices.push((self.compared(strip(text))?, format!("({letter})")));
        }
        // The longest first, so that no choice hides one that begins with it.
        let mut escaped: Vec<String> = choices.iter().map(|(text, _)| escape(text)).collect();
        escaped.sort_by_key(|text| std::cmp::Reverse(text.chars().count()));
        let texts = Pattern::compile(&escaped.join("|"), Flags::NONE)?;
        let letters = Pattern::compile(&format!(r":[\s]*({})", letters.join("|")), Flags::NONE)?;
        Ok(Prepared { filter: self, choices, texts, letters })
    }

    fn ignores_something(&self) -> bool {
        self.ignore_case || self.ignore_punctuation || !self.ignored.is_empty()
    }

    /// A text without what does not count.
    fn compared(&self, text: &str) -> Result<String> {
        let mut text = text.to_owned();
        for (pattern, nothing) in &self.ignored {
            text = pattern.replace(&text, nothing, 0)?;
        }
        if self.ignore_case {
            text = lower(&text);
        }
        if self.ignore_punctuation {
            text.retain(|c| !is_punctuation(u32::from(c)));
        }
        Ok(text)
    }
}

impl Prepared<'_> {
    pub(super) fn apply(&self, response: &Value) -> Result<Value> {
        let select = self.filter.regex.group_select;
        let text = response.as_str().unwrap_or("");
        let mut found = find(&self.filter.regex.pattern, select, text)?;
        if found.is_empty() {
            let compared = match response {
                Value::String(text) => self.filter.compared(text)?,
                _ if self.filter.ignores_something() => {
                    return invalid(format!("expected a text as response, found `{response}`"));
                }
                _ => String::new(),
            };
            found = find(&self.texts, select, &compared)?;
            // Of equal choices the last one counts.
            if let Some((_, letter)) =
                self.choices.iter().rev().find(|(choice, _)| !found.is_empty() && *choice == found)
            {
                found.clone_from(letter);
            }
        }
        if found.is_empty() {
            found = find(&self.letters, select, text)?;
            if !found.is_empty() && found.chars().nth(1).is_none() {
                found = format!("({found})");
            }
        }
        Ok(if found.is_empty() { self.filter.regex.fallback.clone() } else { found.into() })
    }
}

/// The match, without white space around; of groups the first that has a text. Empty where there is none.
fn find(pattern: &Pattern, select: i64, text: &str) -> Result<String> {
    Ok(match selected(pattern, select, text)? {
        None => String::new(),
        Some(Found::Text(text)) => strip(&text).to_owned(),
        Some(Found::Groups(groups)) => {
            groups.iter().find(|group| !group.is_empty()).map(|group| strip(group).to_owned()).unwrap_or_default()
        }
    })
}
