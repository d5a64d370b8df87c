//! YAML 1.1 as PyYAML's safe loader reads it, with the tag `!function`.
//!
//! `libyaml-safer` says where values begin and end: it is libyaml, which PyYAML calls, in Rust, so that line breaks, indentation and
//! quotes are read alike. Which type a value has is decided here. What PyYAML would make something of that no task needs (a date, a
//! key that is no text, a value inside of itself) is an error, never something similar.

mod scalar;

use crate::{FunctionName, Setting};
use libyaml_safer::{Encoding, EventData, Parser, ScalarStyle};
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
    // The scanner panics at a few texts, most of them malformed.
    let root = std::panic::catch_unwind(|| compose(text)).unwrap_or_else(|_| {
        let message = "expected YAML, found a text at which the scanner of YAML fails".to_owned();
        Err(YamlError { line: 0, message })
    })?;
    let mut values = Values { function, left: VALUES_MAX };
    root.map_or(Ok(Setting::Null), |root| values.construct(&root, 0))
}

/// A value before its type is known. Aliases share it.
struct Node {
    line: usize,
    content: Content,
}

enum Content {
    Scalar { text: String, tag: Tag },
    List { items: Vec<Rc<Node>>, tag: Tag },
    Map { pairs: Pairs, tag: Tag },
}

/// What says the type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tag {
    /// How a plain scalar is written; of a collection that it is one.
    Plain,
    /// That a scalar is quoted or stands in a block.
    Text,
    /// What is written before the value: `!function`, or `tag:yaml.org,2002:str` for `!!str`.
    Written(String),
}

impl Tag {
    /// The tag of a collection.
    fn of_collection(written: Option<String>) -> Self {
        written.filter(|tag| tag != "!").map_or(Tag::Plain, Tag::Written)
    }

    /// Whether a collection is of its own type.
    fn is_plain_or(&self, name: &str) -> bool {
        *self == Tag::Plain || self.core() == Some(name)
    }

    /// The name of one of YAML's own types.
    fn core(&self) -> Option<&str> {
        match self {
            Tag::Written(tag) => tag.strip_prefix("tag:yaml.org,2002:"),
            Tag::Plain | Tag::Text => None,
        }
    }

    fn is_function(&self) -> bool {
        matches!(self, Tag::Written(tag) if tag == "!function")
    }
}

/// A collection whose end has not come.
struct Open {
    line: usize,
    anchor: Option<String>,
    is_map: bool,
    tag: Tag,
    nodes: Vec<Rc<Node>>,
}

/// Whether the last line of a text has no end, and something in it.
fn ends_within_a_line(text: &str) -> bool {
    let last = text.rsplit(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).next().unwrap_or_default();
    last.contains(|one| one != ' ')
}

fn compose(text: &str) -> Result<Option<Rc<Node>>, YamlError> {
    // The scanner wants an end of the last line. A block scalar that the text ends with must not get it, see below.
    let is_ended_here = ends_within_a_line(text);
    let text = if is_ended_here { Cow::Owned(format!("{text}\n")) } else { Cow::Borrowed(text) };
    let end = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut input);
    let line_of = |mark: libyaml_safer::Mark| usize::try_from(mark.line).map_or(0, |line| line + 1);
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<String, Rc<Node>> = HashMap::new();
    let mut root = None;
    let mut documents = 0;
    for event in parser {
        let event = event.map_err(|error| {
            let context = error.context().map(|context| format!("{context}, ")).unwrap_or_default();
            let line = error.problem_mark().map_or(0, line_of);
            YamlError { line, message: format!("not valid YAML: {context}{}", error.problem()) }
        })?;
        let line = line_of(event.start_mark);
        let fail = |message: &str| YamlError { line, message: message.to_owned() };
        let mut begin = |anchor: Option<String>, is_map: bool, tag: Option<String>| match open.len() < DEPTH_MAX {
            true => {
                open.push(Open { line, anchor, is_map, tag: Tag::of_collection(tag), nodes: Vec::new() });
                Ok(())
            }
            false => Err(fail(&format!("expected at most {DEPTH_MAX} levels of nesting, found more"))),
        };
        let (node, anchor) = match event.data {
            EventData::DocumentStart { .. } => {
                documents += 1;
                if documents > 1 {
                    return Err(fail("expected one document, found a second one"));
                }
                continue;
            }
            EventData::StreamStart { .. } | EventData::StreamEnd | EventData::DocumentEnd { .. } => continue,
            EventData::SequenceStart { anchor, tag, .. } => {
                begin(anchor, false, tag)?;
                continue;
            }
            EventData::MappingStart { anchor, tag, .. } => {
                begin(anchor, true, tag)?;
                continue;
            }
            EventData::Scalar { anchor, tag, value: mut text, plain_implicit, style, .. } => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if is_block && is_ended_here && event.end_mark.index == end && text.ends_with('\n') {
                    text.pop();
                }
                let tag = match tag.filter(|tag| tag != "!") {
                    Some(tag) => Tag::Written(tag),
                    None if plain_implicit => Tag::Plain,
                    None => Tag::Text,
                };
                (Rc::new(Node { line, content: Content::Scalar { text, tag } }), anchor)
            }
            EventData::Alias { anchor } => {
                let node = anchors.get(&anchor).ok_or_else(|| fail("expected the alias of an earlier value"))?;
                (node.clone(), None)
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
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
        if let Some(anchor) = anchor
            && anchors.insert(anchor, node.clone()).is_some()
        {
            return Err(fail("expected each anchor once, found one a second time"));
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
            Content::Scalar { text, tag: Tag::Plain } => scalar::plain(text).map_err(fail),
            Content::Scalar { text, tag: Tag::Text } => Ok(Setting::Text(text.clone())),
            Content::Scalar { text, tag } if tag.is_function() => {
                (self.function)(text).map(Setting::Function).map_err(fail)
            }
            Content::Scalar { text, tag } if tag.core().is_some() => tagged(text, tag).map_err(fail),
            Content::List { items, tag } if tag.is_plain_or("seq") => {
                items.iter().map(|item| self.construct(item, depth + 1)).collect::<Result<_, _>>().map(Setting::List)
            }
            Content::Map { pairs, tag } if tag.is_plain_or("map") => self.map(pairs, depth),
            Content::Scalar { tag, .. } | Content::List { tag, .. } | Content::Map { tag, .. } => {
                Err(fail(unknown(tag)))
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
                let Content::Map { pairs, tag: Tag::Plain } = &source.content else {
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

/// A scalar whose type a tag says.
fn tagged(text: &str, tag: &Tag) -> Result<Setting, String> {
    let unfit = |name: &str| format!("expected a value of the type `{name}`, found `{text}`");
    match tag.core() {
        Some("str") => Ok(Setting::Text(text.to_owned())),
        // PyYAML does not look at the text.
        Some("null") => Ok(Setting::Null),
        Some(name @ "bool") => match text.to_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(Setting::Bool(true)),
            "no" | "false" | "off" => Ok(Setting::Bool(false)),
            _ => Err(unfit(name)),
        },
        Some(name @ "int") => match scalar::plain(text)? {
            number @ Setting::Int(_) => Ok(number),
            _ => Err(unfit(name)),
        },
        Some(name @ "float") => match scalar::plain(text)? {
            number @ Setting::Float(_) => Ok(number),
            _ => Err(unfit(name)),
        },
        _ => Err(unknown(tag)),
    }
}

fn unknown(tag: &Tag) -> String {
    let found = match (tag, tag.core()) {
        (_, Some(name)) => format!("`!!{name}`"),
        (Tag::Written(tag), None) => format!("`{tag}`"),
        (Tag::Plain | Tag::Text, None) => "none".to_owned(),
    };
    format!("expected no tag, `!function` or one of a type that settings have, found {found}")
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { text, tag: Tag::Plain } if text == "<<")
}

/// A key's text. In PyYAML a key can be anything that does not change; settings of tasks have names.
fn key_text(key: &Node) -> Result<String, YamlError> {
    let fail = |found: &str| YamlError {
        line: key.line,
        message: format!("expected a key that is a text, found {found}; quote it"),
    };
    match &key.content {
        Content::Scalar { text, tag: Tag::Plain } if text == "=" => Ok(text.clone()),
        Content::Scalar { text, tag: Tag::Plain } => match scalar::plain(text) {
            Ok(Setting::Text(text)) => Ok(text),
            _ => Err(fail(&format!("`{text}`"))),
        },
        Content::Scalar { text, tag } if *tag == Tag::Text || tag.core() == Some("str") => Ok(text.clone()),
        Content::Scalar { .. } => Err(fail("a value with a tag")),
        Content::List { .. } | Content::Map { .. } => Err(fail("a list or a mapping")),
    }
}

#[cfg(test)]
mod tests;
