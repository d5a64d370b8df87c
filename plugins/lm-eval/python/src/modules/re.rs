//! `re`.

use std::any::Any;
use std::rc::Rc;

use examiner_metrics::python_regex::{Flags, Match, Pattern, PatternError, SearchError, Subject, Template, escape};

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Object, Str, Value};

const PATTERN_METHODS: &[&str] = &["search", "match", "fullmatch", "findall", "finditer", "split", "sub", "subn"];
const MATCH_METHODS: &[&str] = &["group", "groups", "groupdict", "start", "end", "span"];
pub(super) const ATTRIBUTES: &[&str] = &[
    "search",
    "match",
    "fullmatch",
    "findall",
    "finditer",
    "split",
    "sub",
    "subn",
    "group",
    "groups",
    "groupdict",
    "start",
    "end",
    "span",
    "pattern",
    "string",
    "lastindex",
];

pub(super) fn item(name: &str) -> Option<Value> {
    let flag = |bits: i64| Some(Value::Int(bits));
    match name {
        "I" | "IGNORECASE" => return flag(2),
        "M" | "MULTILINE" => return flag(8),
        "S" | "DOTALL" => return flag(16),
        "U" | "UNICODE" => return flag(32),
        "X" | "VERBOSE" => return flag(64),
        "A" | "ASCII" => return flag(256),
        _ => {}
    }
    Some(match name {
        "compile" => Value::Native("re.compile", compile),
        "escape" => Value::Native("re.escape", escaped),
        "search" => Value::Native("re.search", |session, args| function(session, "search", args)),
        "match" => Value::Native("re.match", |session, args| function(session, "match", args)),
        "fullmatch" => Value::Native("re.fullmatch", |session, args| function(session, "fullmatch", args)),
        "findall" => Value::Native("re.findall", |session, args| function(session, "findall", args)),
        "finditer" => Value::Native("re.finditer", |session, args| function(session, "finditer", args)),
        "split" => Value::Native("re.split", |session, args| function(session, "split", args)),
        "sub" => Value::Native("re.sub", |session, args| function(session, "sub", args)),
        "subn" => Value::Native("re.subn", |session, args| function(session, "subn", args)),
        "error" => Value::ExceptionType("re.error"),
        "Pattern" => Value::Type("re.Pattern"),
        "Match" => Value::Type("re.Match"),
        _ => return None,
    })
}

impl From<SearchError> for Error {
    fn from(error: SearchError) -> Self {
        Error::limit(error.to_string())
    }
}

fn refused(error: &PatternError) -> Error {
    Error::unsupported(error.to_string())
}

fn text(value: &Value) -> Outcome<Str> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        Value::Bytes(_) => Err(Error::unsupported("a regular expression on bytes")),
        other => {
            let name = other.type_name();
            Err(Error::raise("TypeError", format!("expected string or bytes-like object, got '{name}'")))
        }
    }
}

/// A compiled pattern as a value.
#[derive(Debug)]
struct Compiled(Pattern);

/// The pattern that an argument is, compiled once in a session.
fn pattern_of(session: &mut Session, pattern: &Value, flags: Option<&Value>) -> Outcome<Pattern> {
    let bits =
        flags.map_or(Ok(0), |flags| flags.as_int().ok_or_else(|| Error::type_error("the flags must be an integer")))?;
    if let Value::Object(object) = pattern
        && let Some(compiled) = object.as_any().downcast_ref::<Compiled>()
    {
        if bits != 0 {
            let text = "cannot process flags argument with a compiled pattern";
            return Err(Error::raise("ValueError", text));
        }
        return Ok(compiled.0.clone());
    }
    let Value::Str(source) = pattern else {
        return Err(match pattern {
            Value::Bytes(_) => Error::unsupported("a regular expression on bytes"),
            _ => Error::raise("TypeError", "first argument must be string or compiled pattern"),
        });
    };
    let key = (source.clone(), bits);
    if let Some(known) = session.patterns.get(&key) {
        return Ok(known.clone());
    }
    let flags = u32::try_from(bits).ok().and_then(Flags::from_bits);
    let flags = flags.ok_or_else(|| Error::unsupported("these flags of a regular expression"))?;
    let pattern = Pattern::compile(source, flags).map_err(|error| refused(&error))?;
    session.patterns.insert(key, pattern.clone());
    Ok(pattern)
}

fn compile(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [pattern, flags] = args.bind("re.compile", ["pattern", "flags"], 1)?;
    let pattern = pattern_of(session, &pattern.unwrap_or(Value::None), flags.as_ref())?;
    Ok(Value::Object(Rc::new(Compiled(pattern))))
}

fn escaped(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [pattern] = args.exactly("re.escape")?;
    Ok(Value::Str(Str::from(escape(&text(&pattern)?))))
}

/// A function of the module: the pattern comes first, the flags last.
fn function(session: &mut Session, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "sub" | "subn" => {
            let names = ["pattern", "repl", "string", "count", "flags"];
            let [pattern, with, string, count, flags] = args.bind(name, names, 3)?;
            let pattern = pattern_of(session, &pattern.unwrap_or(Value::None), flags.as_ref())?;
            substitute(session, &pattern, name, with, string, count)
        }
        "split" => {
            let [pattern, string, most, flags] = args.bind(name, ["pattern", "string", "maxsplit", "flags"], 2)?;
            let pattern = pattern_of(session, &pattern.unwrap_or(Value::None), flags.as_ref())?;
            split(&pattern, string, most)
        }
        _ => {
            let [pattern, string, flags] = args.bind(name, ["pattern", "string", "flags"], 2)?;
            let pattern = pattern_of(session, &pattern.unwrap_or(Value::None), flags.as_ref())?;
            find(&pattern, name, string, 0)
        }
    }
}

impl Object for Compiled {
    fn type_name(&self) -> &'static str {
        "re.Pattern"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        (name == "pattern").then(|| Value::str(self.0.source()))
    }
    fn methods(&self) -> &'static [&'static str] {
        PATTERN_METHODS
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "sub" | "subn" => {
                let [with, string, count] = args.bind(name, ["repl", "string", "count"], 2)?;
                substitute(session, &self.0, name, with, string, count)
            }
            "split" => {
                let [string, most] = args.bind(name, ["string", "maxsplit"], 1)?;
                split(&self.0, string, most)
            }
            _ if PATTERN_METHODS.contains(&name) => {
                let [string, from] = args.bind(name, ["string", "pos"], 1)?;
                let from = from.map_or(Ok::<_, Error>(0), |from| {
                    let from = from.as_int().ok_or_else(|| Error::type_error("the position must be an integer"))?;
                    Ok(usize::try_from(from).unwrap_or_default())
                })?;
                find(&self.0, name, string, from)
            }
            _ => Err(Error::unsupported(format!("`{name}` of a `re.Pattern`"))),
        }
    }
}

/// `search`, `match`, `fullmatch`, `findall`, `finditer`.
fn find(pattern: &Pattern, name: &str, string: Option<Value>, from: usize) -> Outcome<Value> {
    let string = text(&string.unwrap_or(Value::None))?;
    let subject = Subject::new(&string);
    let found = match name {
        "search" => pattern.search(&subject, from)?,
        "match" => pattern.match_at(&subject, from)?,
        "fullmatch" => pattern.full_match(&subject, from)?,
        "findall" => {
            let mut all = Vec::new();
            for found in pattern.matches(&subject, from) {
                let found = found?;
                let group = |index: usize| Value::str(found.group(&subject, index).unwrap_or_default());
                all.push(match pattern.groups() {
                    0 => group(0),
                    1 => group(1),
                    groups => Value::tuple((1..=groups).map(group).collect()),
                });
            }
            return Ok(Value::list(all));
        }
        _ => {
            let mut all = Vec::new();
            for found in pattern.matches(&subject, from) {
                all.push(found_value(pattern, &found?, &subject, &string));
            }
            return Ok(Value::iterator(crate::run::Cursor::Values(all.into_iter())));
        }
    };
    Ok(found.map_or(Value::None, |found| found_value(pattern, &found, &subject, &string)))
}

fn limit(value: Option<Value>) -> Outcome<Option<usize>> {
    let number = match value {
        None => 0,
        Some(value) => value.as_int().ok_or_else(|| Error::type_error("the limit must be an integer"))?,
    };
    Ok(usize::try_from(number).ok())
}

fn split(pattern: &Pattern, string: Option<Value>, most: Option<Value>) -> Outcome<Value> {
    let string = text(&string.unwrap_or(Value::None))?;
    let Some(most) = limit(most)? else { return Ok(Value::list(vec![Value::Str(string)])) };
    let parts = pattern.split(&string, most)?;
    Ok(Value::list(parts.into_iter().map(|part| part.map_or(Value::None, Value::str)).collect()))
}

fn substitute(
    session: &mut Session,
    pattern: &Pattern,
    name: &str,
    with: Option<Value>,
    string: Option<Value>,
    count: Option<Value>,
) -> Outcome<Value> {
    let (with, string) = (with.unwrap_or(Value::None), text(&string.unwrap_or(Value::None))?);
    let mut replaced = 0_i64;
    let result = match limit(count)? {
        // A negative count replaces nothing.
        None => string.to_string(),
        Some(most) => match &with {
            Value::Str(template) => {
                let template = Template::parse(template, pattern).map_err(|error| refused(&error))?;
                pattern.replace_with(&string, most, |found, subject| -> Outcome<String> {
                    replaced += 1;
                    Ok(template.expand(found, subject))
                })?
            }
            Value::Bytes(_) => return Err(Error::unsupported("a regular expression on bytes")),
            function => pattern.replace_with(&string, most, |found, subject| -> Outcome<String> {
                replaced += 1;
                let found = found_value(pattern, found, subject, &string);
                match session.invoke(function, Arguments::of(vec![found]))? {
                    Value::Str(text) => Ok(text.to_string()),
                    Value::None => Ok(String::new()),
                    other => {
                        let name = other.type_name();
                        Err(Error::type_error(format!("sequence item: expected str instance, {name} found")))
                    }
                }
            })?,
        },
    };
    session.fits(result.len())?;
    let result = Value::Str(Str::from(result));
    Ok(if name == "subn" { Value::tuple(vec![result, Value::Int(replaced)]) } else { result })
}

/// A match as a value: its groups with their places.
#[derive(Debug)]
struct Found {
    string: Str,
    groups: Vec<Option<(Str, usize, usize)>>,
    names: Vec<(String, usize)>,
    last: Option<usize>,
}

fn found_value(pattern: &Pattern, found: &Match, subject: &Subject<'_>, string: &Str) -> Value {
    let group = |index: usize| found.span(index).map(|(start, end)| (Str::from(subject.slice(start, end)), start, end));
    Value::Object(Rc::new(Found {
        string: string.clone(),
        groups: (0..=pattern.groups()).map(group).collect(),
        names: pattern.group_names().to_vec(),
        last: found.last_index(),
    }))
}

impl Found {
    fn index(&self, value: Option<&Value>) -> Outcome<usize> {
        let index = match value {
            None => Some(0),
            Some(Value::Str(name)) => self.names.iter().find(|(known, _)| **known == **name).map(|(_, index)| *index),
            Some(value) => value.as_int().and_then(|index| usize::try_from(index).ok()),
        };
        index.filter(|index| *index < self.groups.len()).ok_or_else(|| Error::raise("IndexError", "no such group"))
    }

    fn text(&self, index: usize, default: &Value) -> Value {
        self.groups[index].as_ref().map_or_else(|| default.clone(), |(text, ..)| Value::Str(text.clone()))
    }
}

impl Object for Found {
    fn type_name(&self) -> &'static str {
        "re.Match"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "string" => Some(Value::Str(self.string.clone())),
            "lastindex" => Some(self.last.map_or(Value::None, Value::count)),
            _ => None,
        }
    }
    fn methods(&self) -> &'static [&'static str] {
        MATCH_METHODS
    }
    fn item(self: Rc<Self>, _session: &mut Session, index: &Value) -> Result<Value, Error> {
        Ok(self.text(self.index(Some(index))?, &Value::None))
    }
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "group" => {
                if !args.keywords.is_empty() {
                    return Err(Error::type_error("group() takes no keyword arguments"));
                }
                match args.positional.as_slice() {
                    [] => Ok(self.text(0, &Value::None)),
                    [one] => Ok(self.text(self.index(Some(one))?, &Value::None)),
                    several => {
                        let texts = several.iter().map(|one| Ok(self.text(self.index(Some(one))?, &Value::None)));
                        Ok(Value::tuple(texts.collect::<Outcome<_>>()?))
                    }
                }
            }
            "groups" => {
                let [default] = args.bind(name, ["default"], 0)?;
                let default = default.unwrap_or(Value::None);
                Ok(Value::tuple((1..self.groups.len()).map(|index| self.text(index, &default)).collect()))
            }
            "groupdict" => {
                let [default] = args.bind(name, ["default"], 0)?;
                let default = default.unwrap_or(Value::None);
                let entry = |(name, index): &(String, usize)| (Str::from(name.as_str()), self.text(*index, &default));
                Ok(Value::dict(self.names.iter().map(entry)))
            }
            "start" | "end" | "span" => {
                let [group] = args.exactly_or_none(name)?;
                let index = self.index(group.as_ref())?;
                let (start, end) = match &self.groups[index] {
                    Some((_, start, end)) => (Value::count(*start), Value::count(*end)),
                    None => (Value::Int(-1), Value::Int(-1)),
                };
                Ok(match name {
                    "start" => start,
                    "end" => end,
                    _ => Value::tuple(vec![start, end]),
                })
            }
            _ => Err(Error::unsupported(format!("`{name}` of a `re.Match`"))),
        }
    }
}
