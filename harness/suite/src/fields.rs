//! Reads the fields of a mapping one by one, and records the problems of each instead of stopping at the first.

use super::problem::{FieldPath, Position, Problem, listed};
use super::references;
use super::tree::{Key, Kind, Node};
use super::types::Options;
use examiner_api::nearest;

/// A value and its path.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) path: FieldPath,
    pub(super) node: &'a Node,
}

impl<'a> Field<'a> {
    pub(super) fn new(path: FieldPath, node: &'a Node) -> Self {
        Field { path, node }
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.node.at, &self.path, message)
    }

    fn expected(&self, what: &str) -> Problem {
        self.problem(format!("expected {what}, found {}", described(self.node)))
    }

    /// A text in which references are kept for later stages.
    pub(super) fn template(&self, problems: &mut Vec<Problem>) -> Option<String> {
        match &self.node.kind {
            Kind::Text(text) => return Some(text.clone()),
            Kind::Number(number) => {
                problems.push(self.expected("text").with_help(format!("put it into quotes: \"{number}\"")));
            }
            Kind::Bool(value) => {
                problems.push(self.expected("text").with_help(format!("put it into quotes: \"{value}\"")));
            }
            _ => problems.push(self.expected("text")),
        }
        None
    }

    /// A text that is used immediately, and so may not refer to the product of a stage.
    pub(super) fn text(&self, problems: &mut Vec<Problem>) -> Option<String> {
        let text = self.template(problems)?;
        match references::scan(&text) {
            Ok(pieces) if pieces.iter().all(|piece| piece.reference().is_none()) => Some(references::literal(&pieces)),
            // The problem is reported where references are read.
            Err(_) => None,
            Ok(_) => {
                problems.push(self.problem("a reference to another stage has no meaning here").with_help(
                    "references are allowed in options of plugins, in `from` and in `data`; write `$${` for a literal `${`",
                ));
                None
            }
        }
    }

    /// A name that can be part of a file name.
    pub(super) fn name(&self, problems: &mut Vec<Problem>) -> Option<String> {
        let name = self.text(problems)?;
        match check_name(&name) {
            Ok(()) => Some(name),
            Err(message) => {
                problems.push(self.problem(message));
                None
            }
        }
    }

    /// The name of a role, or `{ name: ROLE, from: PLUGIN }`, which becomes `PLUGIN/ROLE`.
    pub(super) fn role(&self, problems: &mut Vec<Problem>) -> Option<String> {
        if !matches!(self.node.kind, Kind::Map(_)) {
            return self.name(problems);
        }
        let mut section = self.section(problems)?;
        let name = section.require("name", "the name of a role", problems).and_then(|name| name.name(problems));
        let from = section.require("from", "the plugin that has it", problems).and_then(|from| from.name(problems));
        section.finish(problems);
        Some(format!("{}/{}", from?, name?))
    }

    /// One of two words, as what it means.
    pub(super) fn one_of<T>(&self, words: [(&str, T); 2], problems: &mut Vec<Problem>) -> Option<T> {
        let text = self.text(problems)?;
        let [one, other] = [words[0].0, words[1].0];
        let found = words.into_iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let message = format!("expected `{one}` or `{other}`, found `{text}`");
            problems.push(self.problem(message).with_nearest(&text, [one, other]));
        }
        found.map(|(_, meaning)| meaning)
    }

    /// A whole number between `least` and `most`.
    pub(super) fn whole(&self, least: u64, most: u64, problems: &mut Vec<Problem>) -> Option<u64> {
        if let Kind::Number(number) = &self.node.kind
            && let Some(value) = number.as_u64()
            && (least..=most).contains(&value)
        {
            return Some(value);
        }
        // A number that is too large is read as text.
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let too_large = matches!(&self.node.kind, Kind::Text(text) if digits(text));
        problems.push(self.expected(&match (least, most) {
            (0, u64::MAX) if too_large => format!("a whole number of at most {most}"),
            (0, u64::MAX) => "a whole number".to_owned(),
            (least, u64::MAX) => format!("a whole number of at least {least}"),
            (least, most) => format!("a whole number from {least} to {most}"),
        }));
        None
    }

    /// A number for which `fits` holds; `what` describes these numbers.
    pub(super) fn number(&self, what: &str, fits: impl Fn(f64) -> bool, problems: &mut Vec<Problem>) -> Option<f64> {
        match &self.node.kind {
            Kind::Number(number) if number.as_f64().is_some_and(&fits) => number.as_f64(),
            _ => {
                problems.push(self.expected(what));
                None
            }
        }
    }

    /// The items of a list; a single value counts as a list of one.
    pub(super) fn items(&self) -> Vec<Field<'a>> {
        match &self.node.kind {
            Kind::List(items) => {
                items.iter().enumerate().map(|(index, item)| Field::new(self.path.index(index), item)).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// The fields of a mapping.
    pub(super) fn section(&self, problems: &mut Vec<Problem>) -> Option<Section<'a>> {
        match &self.node.kind {
            Kind::Map(entries) => Some(Section {
                path: self.path.clone(),
                at: &self.node.at,
                entries,
                known: Vec::new(),
                blamed: Vec::new(),
            }),
            _ => {
                problems.push(self.expected("a mapping (`key: value`)"));
                None
            }
        }
    }
}

/// A mapping whose fields are taken one by one.
pub(super) struct Section<'a> {
    pub(super) path: FieldPath,
    pub(super) at: &'a Position,
    pub(super) entries: &'a [(Key, Node)],
    known: Vec<&'static str>,
    /// Keys that were already reported as misspelt.
    blamed: Vec<&'a str>,
}

impl<'a> Section<'a> {
    /// The field `key`. A key without a value counts as missing.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let (_, node) = self.entries.iter().find(|(k, _)| k.name == key)?;
        (!matches!(node.kind, Kind::Null)).then(|| Field::new(self.path.key(key), node))
    }

    /// The field `key`, which is required. `what` describes its value.
    pub(super) fn require(&mut self, key: &'static str, what: &str, problems: &mut Vec<Problem>) -> Option<Field<'a>> {
        let field = self.take(key);
        if field.is_none() {
            problems.push(self.missing(key, what));
        }
        field
    }

    /// The problem of a missing key. If an unknown key looks like it, that key was probably misspelt.
    fn missing(&mut self, key: &'static str, what: &str) -> Problem {
        if let Some((empty, _)) = self.entries.iter().find(|(k, _)| k.name == key) {
            return Problem::at(&empty.at, &self.path.key(key), format!("expected {what}, found nothing"));
        }
        match self.untaken().map(|(k, _)| k).find(|k| nearest(&k.name, [key]).is_some()) {
            Some(found) => {
                Problem::at(&found.at, &self.path.key(&found.name), format!("unknown key, expected `{key}`"))
                    .with_help(format!("did you mean `{key}`?"))
            }
            None => Problem::at(self.at, &self.path, format!("the key `{key}` is missing"))
                .with_help(format!("add `{key}:` with {what}")),
        }
    }

    fn untaken(&self) -> impl Iterator<Item = &'a (Key, Node)> {
        self.entries.iter().filter(|(key, _)| !self.known.contains(&key.name.as_str()))
    }

    /// Everything that was not taken, as options of a plugin.
    pub(super) fn rest(&self) -> Options {
        self.untaken().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
    }

    /// Everything that was not taken, with its path.
    pub(super) fn rest_fields(&self) -> Vec<Field<'a>> {
        self.untaken().map(|(key, node)| Field::new(self.path.key(&key.name), node)).collect()
    }

    /// Refuses everything that was not taken.
    pub(super) fn finish(&self, problems: &mut Vec<Problem>) {
        for (key, _) in self.untaken().filter(|(key, _)| !self.blamed.contains(&key.name.as_str())) {
            let expected = listed(self.known.iter().copied());
            let path = self.path.key(&key.name);
            let problem = Problem::at(&key.at, &path, format!("unknown key, expected one of {expected}"));
            problems.push(problem.with_nearest(&key.name, self.known.iter().copied()));
        }
    }
}

/// Checks that `name` can be part of a file name on every system. The error is the reason.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Err("expected a name, found an empty text".to_owned())
    } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        Err(format!("expected a name of letters, digits, `.`, `_` and `-`, found `{}` in it", bad.escape_debug()))
    } else if name.starts_with(['.', '-']) {
        Err("expected a name that starts with a letter or a digit".to_owned())
    } else if name.len() > 100 {
        Err(format!("expected a name of at most 100 characters, found {}", name.len()))
    } else {
        Ok(())
    }
}

/// A description of a value, for messages.
pub(super) fn described(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Bool(value) => format!("the truth value `{value}`"),
        Kind::Number(value) => format!("the number `{value}`"),
        Kind::Text(text) => {
            let short: String = text.chars().take(40).collect();
            let more = if short.len() < text.len() { "..." } else { "" };
            format!("the text `{}{more}`", short.escape_debug())
        }
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
    }
}
