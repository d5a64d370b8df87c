//! YAML 1.1 as PyYAML's safe loader reads it, with the tag `!function`.
//!
//! `saphyr-parser` says where values begin and end; which type a value has is decided here. What PyYAML would make something of
//! that no task needs (a date, a key that is no text, a value inside of itself) is an error, never something similar.

mod scalar;

use crate::{FunctionName, Setting};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// Deeper nesting is refused: values are traversed recursively.
const DEPTH_MAX: usize = 100;
/// More values are refused, so that aliases of aliases cannot fill the memory.
const VALUES_MAX: usize = 1_000_000;

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// The line, from 1; 0 where no line is to blame.
    pub line: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl fmt::Display for YamlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}", self.message),
            line => write!(formatter, "line {line}: {}", self.message),
        }
    }
}

/// Reads a text of one document. An empty one is null. `function` finds what is named behind `!function`.
///
/// # Errors
/// The text is no YAML, has more than one document, or has a value that no task needs.
pub fn parse(text: &str, function: &dyn Fn(&str) -> Result<FunctionName, String>) -> Result<Setting, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_characters(text)?;
    let root = compose(text)?;
    let mut values = Values { function, left: VALUES_MAX };
    root.map_or(Ok(Setting::Null), |root| values.construct(&root, 0))
}

/// PyYAML refuses characters that cannot be printed, and takes three more than `saphyr-parser` for the end of a line.
fn check_characters(text: &str) -> Result<(), YamlError> {
    let is_refused = |one: &char| match one {
        '\t' | '\n' | '\r' | ' '..='~' => false,
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        one => *one < '\u{a0}',
    };
    // Few files have anything but ASCII that can be printed.
    let Some((at, found)) = text.char_indices().find(|(_, one)| is_refused(one)) else { return Ok(()) };
    let line = text[..at].matches('\n').count() + 1;
    let message =
        format!("expected characters that can be printed, found U+{:04X}; write it as an escape", u32::from(found));
    Err(YamlError { line, message })
}

/// A value before its type is known. Aliases share it.
struct Node {
    line: usize,
    content: Content,
}

enum Content {
    Scalar { text: String, is_plain: bool, tag: Option<Tag> },
    List { items: Vec<Rc<Node>>, tag: Option<Tag> },
    Map { pairs: Vec<(Rc<Node>, Rc<Node>)>, tag: Option<Tag> },
}

/// A collection whose end has not come.
struct Open {
    line: usize,
    anchor: usize,
    is_map: bool,
    tag: Option<Tag>,
    nodes: Vec<Rc<Node>>,
}

fn compose(text: &str) -> Result<Option<Rc<Node>>, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut root = None;
    let mut documents = 0;
    let owned = |tag: Option<Cow<'_, Tag>>| tag.map(Cow::into_owned);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| YamlError {
            line: error.marker().line(),
            message: format!("not valid YAML: {}", error.info()),
        })?;
        let line = span.start.line();
        let fail = |message: &str| YamlError { line, message: message.to_owned() };
        let (node, anchor) = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(fail("expected one document, found a second one"));
                }
                continue;
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => continue,
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) if open.len() >= DEPTH_MAX => {
                let _ = (anchor, tag);
                return Err(fail(&format!("expected at most {DEPTH_MAX} levels of nesting, found more")));
            }
            Event::SequenceStart(anchor, tag) => {
                open.push(Open { line, anchor, is_map: false, tag: owned(tag), nodes: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                open.push(Open { line, anchor, is_map: true, tag: owned(tag), nodes: Vec::new() });
                continue;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let (text, is_plain) = (text.into_owned(), style == ScalarStyle::Plain);
                (Rc::new(Node { line, content: Content::Scalar { text, is_plain, tag: owned(tag) } }), anchor)
            }
            Event::Alias(anchor) => {
                let node = anchors.get(&anchor).ok_or_else(|| fail("expected the alias of an earlier value"))?;
                (node.clone(), 0)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { line, anchor, is_map, tag, nodes }) = open.pop() else {
                    return Err(fail("expected a value, found the end of a collection"));
                };
                let content = match is_map {
                    false => Content::List { items: nodes, tag },
                    true => {
                        let pairs = nodes.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
                        Content::Map { pairs: pairs.collect(), tag }
                    }
                };
                (Rc::new(Node { line, content }), anchor)
            }
        };
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => root = Some(node),
        }
    }
    Ok(root)
}

type Pairs = Vec<(Rc<Node>, Rc<Node>)>;

struct Values<'a> {
    function: &'a dyn Fn(&str) -> Result<FunctionName, String>,
    left: usize,
}

impl Values<'_> {
    fn construct(&mut self, node: &Node, depth: usize) -> Result<Setting, YamlError> {
        let fail = |message: String| YamlError { line: node.line, message };
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| fail(format!("expected at most {VALUES_MAX} values, found more")))?;
        if depth > DEPTH_MAX {
            return Err(fail(format!("expected at most {DEPTH_MAX} levels of nesting, found more")));
        }
        match &node.content {
            Content::Scalar { text, is_plain, tag: None } if *is_plain => scalar::plain(text).map_err(fail),
            Content::Scalar { text, tag: None, .. } => Ok(Setting::Text(text.clone())),
            Content::Scalar { text, tag: Some(tag), .. } if is_core(tag, "str") => Ok(Setting::Text(text.clone())),
            Content::Scalar { text, tag: Some(tag), .. } if tag.handle == "!" && tag.suffix == "function" => {
                (self.function)(text).map(Setting::Function).map_err(fail)
            }
            Content::List { items, tag } if tag.as_ref().is_none_or(|tag| is_core(tag, "seq")) => {
                items.iter().map(|item| self.construct(item, depth + 1)).collect::<Result<_, _>>().map(Setting::List)
            }
            Content::Map { pairs, tag } if tag.as_ref().is_none_or(|tag| is_core(tag, "map")) => self.map(pairs, depth),
            Content::Scalar { tag, .. } | Content::List { tag, .. } | Content::Map { tag, .. } => {
                let tag = tag.as_ref().map(Tag::to_string).unwrap_or_default();
                Err(fail(format!("expected the tag `!function`, or none, found `{tag}`")))
            }
        }
    }

    /// A mapping as Python's dictionary: what is merged into it stands first, and a key that comes again keeps its first place and
    /// takes its last value.
    fn map(&mut self, pairs: &Pairs, depth: usize) -> Result<Setting, YamlError> {
        let mut entries: Vec<(String, Setting)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (key, value) in self.flattened(pairs, depth)? {
            let name = key_text(&key)?;
            let value = self.construct(&value, depth + 1)?;
            match places.get(&name) {
                Some(place) => entries[*place].1 = value,
                None => {
                    places.insert(name.clone(), entries.len());
                    entries.push((name, value));
                }
            }
        }
        Ok(Setting::Map(entries))
    }

    /// The pairs of a mapping, behind those of the mappings that `<<` names.
    fn flattened(&mut self, pairs: &Pairs, depth: usize) -> Result<Pairs, YamlError> {
        let (merges, own): (Vec<_>, Vec<_>) = pairs.iter().cloned().partition(|(key, _)| is_merge(key));
        let mut merged: Pairs = Vec::new();
        for (_, value) in &merges {
            let sources: Vec<&Rc<Node>> = match &value.content {
                Content::List { items, .. } => items.iter().collect(),
                _ => vec![value],
            };
            for source in sources {
                let fail = |message: &str| YamlError { line: source.line, message: message.to_owned() };
                let Content::Map { pairs, tag: None } = &source.content else {
                    return Err(fail("expected a mapping behind `<<`, or a list of some"));
                };
                if depth > DEPTH_MAX {
                    return Err(fail("expected fewer mappings that are merged into each other"));
                }
                let pairs = self.flattened(pairs, depth + 1)?;
                self.left = self.left.checked_sub(pairs.len()).ok_or_else(|| fail("expected fewer merged values"))?;
                // Which of two values counts has changed from one version of PyYAML to the next.
                if !merged.is_empty() {
                    let known = merged.iter().map(|(key, _)| key_text(key)).collect::<Result<Vec<_>, _>>()?;
                    for (key, _) in &pairs {
                        if known.contains(&key_text(key)?) {
                            return Err(fail("two mappings are merged by `<<` that have a key in common"));
                        }
                    }
                }
                merged.extend(pairs);
            }
        }
        merged.extend(own);
        Ok(merged)
    }
}

fn is_core(tag: &Tag, suffix: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == suffix
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { text, is_plain: true, tag: None } if text == "<<")
}

/// A key's text. In PyYAML a key can be anything that does not change; settings of tasks have names.
fn key_text(key: &Node) -> Result<String, YamlError> {
    let fail = |found: &str| YamlError {
        line: key.line,
        message: format!("expected a key that is a text, found {found}; quote it"),
    };
    match &key.content {
        Content::Scalar { text, is_plain: true, tag: None } if text == "=" => Ok(text.clone()),
        Content::Scalar { text, is_plain: true, tag: None } => match scalar::plain(text) {
            Ok(Setting::Text(text)) => Ok(text),
            _ => Err(fail(&format!("`{text}`"))),
        },
        Content::Scalar { text, tag: None, .. } => Ok(text.clone()),
        Content::Scalar { tag: Some(tag), text, .. } if is_core(tag, "str") => Ok(text.clone()),
        Content::Scalar { .. } => Err(fail("a value with a tag")),
        Content::List { .. } | Content::Map { .. } => Err(fail("a list or a mapping")),
    }
}

#[cfg(test)]
mod tests;
