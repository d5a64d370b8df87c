//! `ast.literal_eval`.

use ruff_python_ast::{self as ast, Expr, Number, Operator, UnaryOp};

use crate::error::{Error, Outcome};
use crate::value::{Dict, Set, Str, Value};

/// `ast.literal_eval(text)`: the value of a text that is a literal of Python.
///
/// # Errors
/// `SyntaxError` when the text is no expression, `ValueError` when it is no literal.
pub fn literal_eval(text: &str) -> Result<Value, Error> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.contains('\0') {
        return Err(Error::raise_inexact("ValueError", "source code string cannot contain null bytes"));
    }
    let parsed = ruff_python_parser::parse_expression(text)
        .map_err(|error| Error::raise_inexact("SyntaxError", error.to_string()))?;
    stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || value(text, &parsed.syntax().body, 0))
}

fn malformed() -> Error {
    Error::raise_inexact("ValueError", "malformed node or string")
}

fn value(text: &str, expr: &Expr, depth: usize) -> Outcome<Value> {
    if depth > 90 {
        return Err(Error::limit("a literal is nested too deep, more than 90 levels"));
    }
    let deeper = |expr: &Expr| value(text, expr, depth + 1);
    Ok(match expr {
        Expr::NoneLiteral(_) => Value::None,
        Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expr::EllipsisLiteral(_) => Value::Ellipsis,
        Expr::NumberLiteral(literal) => number(&literal.value)?,
        Expr::StringLiteral(literal) => {
            let source = literal.range.to_std_range();
            let source = text.get(source).unwrap_or_default().to_ascii_lowercase();
            if ["\\ud", "\\u0000d"].iter().any(|escape| source.contains(escape)) {
                return Err(Error::unsupported("a text that may have half a surrogate pair"));
            }
            Value::Str(Str::from(literal.value.to_str()))
        }
        Expr::BytesLiteral(literal) => Value::Bytes(literal.value.bytes().collect::<Vec<u8>>().into()),
        Expr::List(list) => Value::list(list.elts.iter().map(deeper).collect::<Outcome<_>>()?),
        Expr::Tuple(tuple) => Value::tuple(tuple.elts.iter().map(deeper).collect::<Outcome<_>>()?),
        Expr::Set(set) => {
            let mut members = Set::new();
            for element in &set.elts {
                members.insert(deeper(element)?)?;
            }
            Value::set(members)
        }
        Expr::Dict(dict) => {
            let mut entries = Dict::new();
            for item in &dict.items {
                let key = item.key.as_ref().ok_or_else(malformed)?;
                let key = deeper(key)?;
                entries.insert(key, deeper(&item.value)?)?;
            }
            Value::Dict(std::rc::Rc::new(std::cell::RefCell::new(entries)))
        }
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) if name.id.as_str() == "set" && call.arguments.is_empty() => Value::set(Set::new()),
            _ => return Err(malformed()),
        },
        Expr::UnaryOp(op) => signed(op)?,
        Expr::BinOp(op) if matches!(op.op, Operator::Add | Operator::Sub) => {
            return Err(
                if matches!(&*op.right, Expr::NumberLiteral(right) if matches!(right.value, Number::Complex { .. })) {
                    Error::unsupported("a complex number")
                } else {
                    malformed()
                },
            );
        }
        _ => return Err(malformed()),
    })
}

fn signed(op: &ast::ExprUnaryOp) -> Outcome<Value> {
    let Expr::NumberLiteral(literal) = &*op.operand else { return Err(malformed()) };
    match (op.op, number(&literal.value)?) {
        (UnaryOp::UAdd, number) => Ok(number),
        (UnaryOp::USub, Value::Int(number)) => Ok(Value::Int(-number)),
        (UnaryOp::USub, Value::Float(number)) => Ok(Value::Float(-number)),
        (UnaryOp::USub, Value::Big(number)) => Ok(Value::int(-&*number)),
        _ => Err(malformed()),
    }
}

fn number(number: &Number) -> Outcome<Value> {
    match number {
        Number::Float(number) => Ok(Value::Float(*number)),
        Number::Complex { .. } => Err(Error::unsupported("a complex number")),
        Number::Int(number) => match number.as_i64() {
            Some(number) => Ok(Value::Int(number)),
            None => number
                .to_string()
                .parse::<num_bigint::BigInt>()
                .map(Value::int)
                .map_err(|_| Error::unsupported("a long number that is not decimal")),
        },
    }
}
