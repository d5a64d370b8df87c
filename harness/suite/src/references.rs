//! References in texts: `${train.student}` to the product of a stage, and to `vars` and the environment.

use super::problem::{FieldPath, listed};
use examiner_api::nearest;
use serde_json::Value;
use std::fmt;

/// The stages whose product can be referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StageKind {
    /// A data file made by a recipe.
    Teach,
    /// A trained checkpoint.
    Train,
    /// An exported checkpoint.
    Export,
}

impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StageKind::Teach => "teach",
            StageKind::Train => "train",
            StageKind::Export => "export",
        })
    }
}

/// A reference to the product of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Its path in the value.
    pub path: FieldPath,
    /// The kind of stage.
    pub stage: StageKind,
    /// The stage's name.
    pub name: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}.{}}}", self.stage, self.name)
    }
}

/// All references to stages in `value`, in order.
pub fn references(value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    walk(value, &FieldPath::default(), &mut |path, text| {
        let pieces = scan(text).unwrap_or_default();
        found.extend(pieces.iter().filter_map(Piece::reference).map(|(stage, name)| Reference {
            path: path.clone(),
            stage,
            name: name.to_owned(),
        }));
    });
    found
}

/// Replaces every reference in `value` with the text from `resolve`, and `$${` with `${`. This must be done exactly once, even
/// if there are no references. Returns the references for which `resolve` returns nothing; their texts are not changed.
pub fn substitute(value: &mut Value, mut resolve: impl FnMut(&Reference) -> Option<String>) -> Vec<Reference> {
    let mut unresolved = Vec::new();
    fill(value, &FieldPath::default(), &mut resolve, &mut unresolved);
    unresolved
}

fn fill(
    value: &mut Value,
    path: &FieldPath,
    resolve: &mut dyn FnMut(&Reference) -> Option<String>,
    unresolved: &mut Vec<Reference>,
) {
    match value {
        Value::String(text) => {
            let Ok(pieces) = scan(text) else { return };
            let mut filled = String::new();
            let before = unresolved.len();
            for piece in &pieces {
                match piece.reference() {
                    None => filled.push_str(&literal(std::slice::from_ref(piece))),
                    Some((stage, name)) => {
                        let reference = Reference { path: path.clone(), stage, name: name.to_owned() };
                        match resolve(&reference) {
                            Some(resolved) => filled.push_str(&resolved),
                            None => unresolved.push(reference),
                        }
                    }
                }
            }
            if unresolved.len() == before {
                *text = filled;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill(item, &path.index(index), resolve, unresolved);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries.iter_mut() {
                fill(item, &path.key(key), resolve, unresolved);
            }
        }
        _ => {}
    }
}

fn walk(value: &Value, path: &FieldPath, visit: &mut dyn FnMut(&FieldPath, &str)) {
    match value {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &path.index(index), visit));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, item)| walk(item, &path.key(key), visit)),
        _ => {}
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// `$${`, the escape for a literal `${`.
    Escape,
    Stage(StageKind, String),
    Var(String),
    Env(String),
}

impl Piece {
    pub(super) fn reference(&self) -> Option<(StageKind, &str)> {
        match self {
            Piece::Stage(stage, name) => Some((*stage, name)),
            _ => None,
        }
    }
}

/// A problem of a text, and what to try.
pub(super) struct BadReference {
    pub(super) message: String,
    pub(super) help: String,
}

const SCOPES: [&str; 5] = ["teach", "train", "export", "vars", "env"];

/// Splits a text at its references.
pub(super) fn scan(text: &str) -> Result<Vec<Piece>, BadReference> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            push_literal(&mut pieces, &rest[..start - 1]);
            pieces.push(Piece::Escape);
            rest = &rest[start + 2..];
            continue;
        }
        push_literal(&mut pieces, &rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            return Err(BadReference {
                message: "expected a `}` after `${`, found the end of the text".to_owned(),
                help: "write `$${` for a literal `${`".to_owned(),
            });
        };
        pieces.push(reference(&rest[start + 2..start + length])?);
        rest = &rest[start + length + 1..];
    }
    push_literal(&mut pieces, rest);
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

fn reference(inside: &str) -> Result<Piece, BadReference> {
    let (scope, name) = inside.split_once('.').unwrap_or((inside, ""));
    if !name.is_empty() {
        let name = name.to_owned();
        match scope {
            "teach" => return Ok(Piece::Stage(StageKind::Teach, name)),
            "train" => return Ok(Piece::Stage(StageKind::Train, name)),
            "export" => return Ok(Piece::Stage(StageKind::Export, name)),
            "vars" => return Ok(Piece::Var(name)),
            "env" => return Ok(Piece::Env(name)),
            _ => {}
        }
    }
    let expected = listed(["teach.NAME", "train.NAME", "export.NAME", "vars.NAME", "env.NAME"]);
    let help = match nearest(scope, SCOPES).filter(|_| !name.is_empty()) {
        Some(near) => format!("did you mean `${{{near}.{name}}}`?"),
        None => "write `$${` for a literal `${`".to_owned(),
    };
    Err(BadReference { message: format!("`${{{inside}}}` refers to nothing, expected one of {expected}"), help })
}

/// The text of pieces without references.
pub(super) fn literal(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.as_str(),
            Piece::Escape => "${",
            Piece::Stage(..) | Piece::Var(_) | Piece::Env(_) => "",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_every_reference_with_its_path() {
        let value = json!({"a": ["x", "${train.one}/${export.t.w-o}"], "b": "$${teach.no}", "c": 1});
        let found: Vec<String> =
            references(&value).iter().map(|reference| format!("{} {reference}", reference.path)).collect();
        assert_eq!(found, ["a.1 ${train.one}", "a.1 ${export.t.w-o}"]);
    }

    #[test]
    fn substitutes_and_unescapes_once() {
        let mut value = json!({"a": "${train.x}/model", "b": "$${train.x} costs $5", "c": ["${teach.none}", 3]});
        let unresolved =
            substitute(&mut value, |reference| (reference.stage == StageKind::Train).then(|| "/runs/$${1}".to_owned()));
        assert_eq!(value, json!({"a": "/runs/$${1}/model", "b": "${train.x} costs $5", "c": ["${teach.none}", 3]}));
        assert_eq!(unresolved.len(), 1);
        assert_eq!(unresolved[0].path.to_string(), "c.0");
    }
}
