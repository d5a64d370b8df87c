//! YAML with the position of every key and value.
//!
//! `serde_yaml` keeps no positions and stops at the first problem, so the structure comes from the events of
//! `saphyr-parser`. The type of a plain scalar (number, truth value, null, text) is still determined by `serde_yaml`.

use super::problem::{FieldPath, Position, Problem};
use super::tree::{Key, Kind, Node};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Deeper nesting is refused: no suite needs it, and trees are traversed recursively.
const DEPTH_MAX: usize = 64;
/// More values are refused, so that aliases of aliases cannot fill the memory.
const VALUES_MAX: usize = 200_000;

/// Reads one document. `Ok(None)` is a text without content. Problems after which reading can continue are added to `problems`;
/// the error is one after which it cannot.
pub(super) fn parse(origin: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> Result<Option<Node>, Problem> {
    let mut builder = Builder { problems, open: Vec::new(), anchors: HashMap::new(), root: None, values: 0 };
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax_error(origin, text, error.marker(), error.info()))?;
        let at = position(origin, &span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(Problem::at(&at, &FieldPath::default(), "expected one document, found a second one")
                        .with_help("remove the `---`, or put the second suite into a file of its own"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = builder.scalar(&text, style, tag.as_deref(), &at);
                let plain = style == ScalarStyle::Plain;
                builder.finished(Node { at, kind }, anchor, Some((text, plain)))?;
            }
            Event::SequenceStart(anchor, tag) => builder.started(at, Content::List(Vec::new()), anchor, tag)?,
            Event::MappingStart(anchor, tag) => builder.started(at, Content::map(), anchor, tag)?,
            Event::SequenceEnd | Event::MappingEnd => builder.ended()?,
            Event::Alias(anchor) => builder.alias(anchor, at)?,
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
        }
    }
    Ok(builder.root)
}

fn position(origin: &Arc<str>, marker: &Marker) -> Position {
    Position { origin: origin.clone(), line: marker.line(), column: marker.col() + 1 }
}

fn syntax_error(origin: &Arc<str>, text: &str, marker: &Marker, info: &str) -> Problem {
    let problem = Problem::at(&position(origin, marker), &FieldPath::default(), format!("not valid YAML: {info}"));
    let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or_default();
    let indentation: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    if indentation.contains('\t') {
        problem.with_help("this line is indented with a tab; YAML wants spaces")
    } else if info.contains("flow") {
        problem.with_help("a `[` or `{` further up may not be closed")
    } else if info.contains("unprintable") {
        problem.with_help("the file is binary, or text in another encoding; save it as UTF-8")
    } else {
        problem
    }
}

/// The content of an open collection.
enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, names: HashMap<String, Position>, pending: Pending, merged: Vec<Node> },
}

impl Content {
    fn map() -> Self {
        Content::Map { entries: Vec::new(), names: HashMap::new(), pending: Pending::None, merged: Vec::new() }
    }
}

/// The key whose value comes next.
enum Pending {
    None,
    Key(Key),
    Merge,
    /// The key is not valid; its value is read and ignored.
    Invalid,
}

struct Open {
    at: Position,
    content: Content,
    anchor: usize,
}

struct Builder<'a> {
    problems: &'a mut Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    values: usize,
}

impl Builder<'_> {
    fn problem(&mut self, at: &Position, message: impl Into<String>, help: Option<&str>) {
        let path = self.path();
        self.problems.push(Problem { help: help.map(str::to_owned), ..Problem::at(at, &path, message) });
    }

    /// The path of the value that is being read.
    fn path(&self) -> FieldPath {
        self.open.iter().fold(FieldPath::default(), |path, open| match &open.content {
            Content::List(items) => path.index(items.len()),
            Content::Map { pending: Pending::Key(key), .. } => path.key(&key.name),
            Content::Map { .. } => path,
        })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: &Position) -> Kind {
        let as_plain = match tag {
            None => style == ScalarStyle::Plain,
            Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
                "str" => false,
                "int" | "float" | "bool" | "null" => true,
                _ => return self.unknown_tag(tag, at),
            },
            Some(tag) => return self.unknown_tag(tag, at),
        };
        if !as_plain {
            return Kind::Text(text.to_owned());
        }
        match serde_yaml::from_str(text) {
            Ok(serde_yaml::Value::Null) => Kind::Null,
            Ok(serde_yaml::Value::Bool(value)) => Kind::Bool(value),
            Ok(serde_yaml::Value::Number(value)) => match serde_json::to_value(&value) {
                Ok(Value::Number(number)) => Kind::Number(number),
                _ => {
                    self.problem(at, format!("expected a finite number, found `{text}`"), None);
                    Kind::Null
                }
            },
            _ => Kind::Text(text.to_owned()),
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: &Position) -> Kind {
        self.problem(at, format!("the tag `{tag}` means nothing here"), Some("remove the tag"));
        Kind::Null
    }

    fn started(
        &mut self,
        at: Position,
        content: Content,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
    ) -> Result<(), Problem> {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq"))
        {
            self.unknown_tag(&tag, &at);
        }
        if self.open.len() == DEPTH_MAX {
            return Err(Problem::at(&at, &FieldPath::default(), format!("nested more than {DEPTH_MAX} levels deep")));
        }
        self.open.push(Open { at, content, anchor });
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Problem> {
        let Some(Open { at, content, anchor }) = self.open.pop() else { return Ok(()) };
        let kind = match content {
            Content::List(items) => Kind::List(items),
            Content::Map { mut entries, mut names, merged, .. } => {
                for source in merged {
                    self.merge(&mut entries, &mut names, source);
                }
                Kind::Map(entries)
            }
        };
        self.finished(Node { at, kind }, anchor, None)
    }

    /// Adds the entries of `<<`. Keys of the mapping itself, and of earlier sources, have priority.
    fn merge(&mut self, entries: &mut Vec<(Key, Node)>, names: &mut HashMap<String, Position>, source: Node) {
        match source.kind {
            Kind::Map(more) => {
                for (key, node) in more {
                    if let Entry::Vacant(entry) = names.entry(key.name.clone()) {
                        entry.insert(key.at.clone());
                        entries.push((key, node));
                    }
                }
            }
            Kind::List(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => {
                for item in items {
                    self.merge(entries, names, item);
                }
            }
            _ => self.problem(&source.at, "expected a mapping or a list of mappings after `<<`", None),
        }
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Problem> {
        match self.anchors.get(&anchor).cloned() {
            Some(node) => {
                self.values += node.size();
                let typed = match &node.kind {
                    Kind::Text(text) => Some((Cow::Owned(text.clone()), false)),
                    _ => None,
                };
                self.finished(node, 0, typed)
            }
            None => Err(Problem::at(&at, &self.path(), "the alias stands inside the value that it repeats")),
        }
    }

    /// Adds a finished value to the open collection. `typed` is the text of a scalar, and whether it was plain.
    fn finished(&mut self, node: Node, anchor: usize, typed: Option<(Cow<'_, str>, bool)>) -> Result<(), Problem> {
        // An anchor keeps a copy.
        self.values += if anchor > 0 { 1 + node.size() } else { 1 };
        if self.values > VALUES_MAX {
            let message = format!("more than {VALUES_MAX} values once its aliases are written out");
            return Err(Problem::at(&node.at, &FieldPath::default(), message));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, names, pending, merged } => match std::mem::replace(pending, Pending::None) {
                Pending::Key(key) => {
                    names.insert(key.name.clone(), key.at.clone());
                    entries.push((key, node));
                }
                Pending::Merge => merged.push(node),
                Pending::Invalid => {}
                Pending::None => self.key(node, typed),
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node, typed: Option<(Cow<'_, str>, bool)>) {
        let name = match (&node.kind, &typed) {
            (Kind::Null | Kind::List(_) | Kind::Map(_), _) | (_, None) => None,
            (_, Some((text, _))) => Some(text.clone().into_owned()),
        };
        let is_merge = matches!(&typed, Some((text, true)) if text == "<<");
        let earlier = match self.open.last() {
            Some(Open { content: Content::Map { names, .. }, .. }) => {
                name.as_ref().and_then(|name| names.get(name)).cloned()
            }
            _ => None,
        };
        let next = match (name, earlier) {
            _ if is_merge => Pending::Merge,
            (None, _) => {
                self.problem(
                    &node.at,
                    "expected a name before the `:`",
                    Some("put text that starts with `{`, `[` or is empty into quotes"),
                );
                Pending::Invalid
            }
            (Some(name), Some(earlier)) => {
                let path = self.path().key(&name);
                let message = format!("duplicate key, first given at {earlier}");
                self.problems.push(Problem::at(&node.at, &path, message).with_help("remove one of the two"));
                Pending::Invalid
            }
            (Some(name), None) => Pending::Key(Key { name, at: node.at }),
        };
        if let Some(Open { content: Content::Map { pending, .. }, .. }) = self.open.last_mut() {
            *pending = next;
        }
    }
}
