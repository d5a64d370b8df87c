//! Fills in `${vars.NAME}` and `${env.NAME}`, before anything else is read.

use super::fields::{Field, check_name, described};
use super::problem::{FieldPath, Problem, listed};
use super::references::{self, Piece};
use super::secrets::secret_word;
use super::tree::{Kind, Node};
use super::types::Named;
use serde_json::Value;

/// Fills in the variables of the whole suite and returns the values of `vars`.
///
/// A text that consists only of `${vars.NAME}` becomes the variable's value, which may be a number. A value from the environment
/// is a text, in which references are not filled in.
pub(super) fn fill(root: &mut Node, env: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<Problem>) -> Named<Value> {
    let vars = read_vars(root, env, problems);
    if let Kind::Map(entries) = &mut root.kind {
        for (key, node) in entries.iter_mut().filter(|(key, _)| key.name != "vars") {
            fill_node(node, &FieldPath::of(&[&key.name]), &vars, true, env, problems);
        }
    }
    vars.into_iter().map(|(name, kind)| (name, value_of(kind))).collect()
}

fn value_of(kind: Kind) -> Value {
    match kind {
        Kind::Text(text) => Value::String(text),
        Kind::Number(number) => Value::Number(number),
        Kind::Bool(value) => Value::Bool(value),
        _ => Value::Null,
    }
}

fn read_vars(root: &mut Node, env: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<Problem>) -> Named<Kind> {
    let mut vars = Named::new();
    let Kind::Map(entries) = &mut root.kind else { return vars };
    let Some((_, section)) = entries.iter_mut().find(|(key, _)| key.name == "vars") else { return vars };
    let path = FieldPath::of(&["vars"]);
    let Kind::Map(entries) = &mut section.kind else {
        if !matches!(section.kind, Kind::Null) {
            let message = format!("expected a mapping (`key: value`), found {}", described(section));
            problems.push(Problem::at(&section.at, &path, message));
        }
        return vars;
    };
    for (key, node) in entries {
        let path = path.key(&key.name);
        if let Err(message) = check_name(&key.name) {
            problems.push(Problem::at(&key.at, &path, message));
        }
        if matches!(node.kind, Kind::List(_) | Kind::Map(_) | Kind::Null) {
            let message = format!("expected text, a number or a truth value, found {}", described(node));
            problems.push(Problem::at(&node.at, &path, message));
            // Known by name all the same, so that its uses are not reported too.
            vars.insert(key.name.clone(), Kind::Text(String::new()));
            continue;
        }
        fill_node(node, &path, &Named::new(), false, env, problems);
        vars.insert(key.name.clone(), node.kind.clone());
    }
    vars
}

fn fill_node(
    node: &mut Node,
    path: &FieldPath,
    vars: &Named<Kind>,
    vars_allowed: bool,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    match &mut node.kind {
        Kind::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill_node(item, &path.index(index), vars, vars_allowed, env, problems);
            }
        }
        Kind::Map(entries) => {
            for (key, item) in entries {
                fill_node(item, &path.key(&key.name), vars, vars_allowed, env, problems);
            }
        }
        Kind::Text(text) if text.contains("${") => {
            let text = text.clone();
            let field = Field::new(path.clone(), node);
            let filled = filled(&field, &text, vars, vars_allowed, env, problems);
            if let Some(kind) = filled {
                node.kind = kind;
            }
        }
        _ => {}
    }
}

fn filled(
    field: &Field<'_>,
    text: &str,
    vars: &Named<Kind>,
    vars_allowed: bool,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<Kind> {
    let pieces = match references::scan(text) {
        Ok(pieces) => pieces,
        Err(bad) => {
            problems.push(field.problem(bad.message).with_help(bad.help));
            return None;
        }
    };
    let mut filled = String::new();
    let before = problems.len();
    for piece in &pieces {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            // Both are for later: the last substitution takes the escapes away.
            Piece::Escape => filled.push_str("$${"),
            Piece::Stage(stage, name) if vars_allowed => filled.push_str(&format!("${{{stage}.{name}}}")),
            Piece::Stage(..) | Piece::Var(_) if !vars_allowed => problems.push(
                field.problem("a variable cannot be made of variables or stages").with_help("write the value itself"),
            ),
            Piece::Stage(..) => {}
            Piece::Var(name) => match vars.get(name) {
                Some(kind) if pieces.len() == 1 => return Some(kind.clone()),
                Some(Kind::Text(text)) => filled.push_str(text),
                Some(Kind::Number(number)) => filled.push_str(&number.to_string()),
                Some(Kind::Bool(value)) => filled.push_str(&value.to_string()),
                Some(_) => {}
                None => problems.push(unknown_var(field, name, vars)),
            },
            Piece::Env(name) => match from_env(field, name, env) {
                Ok(value) => filled.push_str(&value.replace("${", "$${")),
                Err(problem) => problems.push(problem),
            },
        }
    }
    (problems.len() == before).then_some(Kind::Text(filled))
}

fn unknown_var(field: &Field<'_>, name: &str, vars: &Named<Kind>) -> Problem {
    let problem = match vars.is_empty() {
        true => field.problem(format!("no variable `{name}`: the suite has no `vars`")),
        false => {
            let known = listed(vars.keys().map(String::as_str));
            field.problem(format!("no variable `{name}`, expected one of {known}"))
        }
    };
    problem.with_nearest(name, vars.keys().map(String::as_str))
}

fn from_env(field: &Field<'_>, name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Problem> {
    if let Some(word) = secret_word(name) {
        let message = format!("`{name}` looks like a secret (`{word}`), and a suite is copied beside its results");
        return Err(field
            .problem(message)
            .with_help("name the variable in the plugin's own option, `api_key_env` say"));
    }
    env(name).ok_or_else(|| {
        field
            .problem(format!("the environment variable `{name}` is not set, or is not valid UTF-8"))
            .with_help(format!("set it: `{name}=... examiner ...`"))
    })
}
