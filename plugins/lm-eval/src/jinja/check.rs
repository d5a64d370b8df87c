//! What is refused of a template before it is filled: filters and tests that are not implemented.

use super::Malformed;
use super::ast::{Arguments, Expr, Node};
use super::{filters, tests_of_values};

/// Refuses what cannot be filled.
pub(super) fn nodes(nodes: &[Node]) -> Result<(), Malformed> {
    nodes.iter().try_for_each(node)
}

fn node(node: &Node) -> Result<(), Malformed> {
    match node {
        Node::Text(_) => Ok(()),
        // `tojson` gives a text that would escape whatever is added to it.
        Node::Print(Expr::Filter(of, name, arguments)) if name == "tojson" => {
            expr(of)?;
            given(arguments)
        }
        Node::Print(value) => expr(value),
        Node::If { branches, otherwise } => {
            branches.iter().try_for_each(|(test, body)| expr(test).and_then(|()| nodes(body)))?;
            nodes(otherwise)
        }
        Node::For { over, only, body, otherwise, .. } => {
            expr(over)?;
            only.iter().try_for_each(expr)?;
            nodes(body)?;
            nodes(otherwise)
        }
        Node::Set(_, Expr::Call(callee, arguments)) if matches!(&**callee, Expr::Name(name) if name == "namespace") => {
            match arguments.values.is_empty() {
                true => given(arguments),
                false => Err(Malformed("a `namespace` of values without names".to_owned())),
            }
        }
        Node::Set(_, value) => expr(value),
        Node::SetBlock(_, body) => nodes(body),
        Node::With(values, body) => {
            values.iter().try_for_each(|(_, value)| expr(value))?;
            nodes(body)
        }
    }
}

fn given(arguments: &Arguments) -> Result<(), Malformed> {
    arguments.values.iter().chain(arguments.named.iter().map(|(_, value)| value)).try_for_each(expr)
}

fn expr(value: &Expr) -> Result<(), Malformed> {
    match value {
        Expr::None | Expr::Bool(_) | Expr::Int(_) | Expr::Float(_) | Expr::Text(_) | Expr::Name(_) => Ok(()),
        Expr::Tuple(items) | Expr::List(items) | Expr::Concat(items) => items.iter().try_for_each(expr),
        Expr::Dict(entries) => entries.iter().try_for_each(|(key, value)| expr(key).and_then(|()| expr(value))),
        Expr::Attribute(of, _) | Expr::Not(of) | Expr::Negative(of) | Expr::Positive(of) => expr(of),
        Expr::Item(left, right) | Expr::And(left, right) | Expr::Or(left, right) | Expr::Binary(_, left, right) => {
            expr(left)?;
            expr(right)
        }
        Expr::Slice(of, parts) => {
            expr(of)?;
            parts.iter().flatten().try_for_each(|part| expr(part))
        }
        Expr::Call(callee, arguments) => {
            if matches!(&**callee, Expr::Name(name) if ["namespace", "lipsum", "cycler", "joiner"].contains(&name.as_str()))
            {
                return Err(Malformed(
                    "a call of `namespace` outside of `set`, of `lipsum`, `cycler` or `joiner`".to_owned(),
                ));
            }
            expr(callee)?;
            given(arguments)
        }
        Expr::Filter(_, name, _) if name == "tojson" || !filters::is_known(name) => {
            Err(Malformed(format!("the filter `{name}`")))
        }
        Expr::Test(_, name, _) if !tests_of_values::is_known(name) => Err(Malformed(format!("the test `{name}`"))),
        Expr::Test(_, name, arguments) if !arguments.named.is_empty() => {
            Err(Malformed(format!("the test `{name}` with a named argument")))
        }
        Expr::Filter(of, _, arguments) | Expr::Test(of, _, arguments) => {
            expr(of)?;
            given(arguments)
        }
        Expr::Compare(first, rest) => {
            expr(first)?;
            rest.iter().try_for_each(|(_, value)| expr(value))
        }
        Expr::If { test, then, otherwise } => {
            expr(test)?;
            expr(then)?;
            otherwise.iter().try_for_each(|value| expr(value))
        }
    }
}
