//! Expressions.

use std::sync::Arc;

use num_bigint::BigInt;
use ruff_python_ast::{self as ast, CmpOp, InterpolatedStringElement, Number, Operator, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use super::super::ir::{
    Attribute, Binary, Call, Comparison, Const, Expr, FormatPart, FormatValue, Item, Kind as Collection, Unary,
};
use super::Lowerer;
use crate::modules;
use crate::value::Str;

/// The operator; none for the product of matrices.
pub(super) fn binary(operator: Operator) -> Option<Binary> {
    Some(match operator {
        Operator::Add => Binary::Add,
        Operator::Sub => Binary::Subtract,
        Operator::Mult => Binary::Multiply,
        Operator::Div => Binary::Divide,
        Operator::FloorDiv => Binary::FloorDivide,
        Operator::Mod => Binary::Modulo,
        Operator::Pow => Binary::Power,
        Operator::LShift => Binary::LeftShift,
        Operator::RShift => Binary::RightShift,
        Operator::BitOr => Binary::Or,
        Operator::BitXor => Binary::Xor,
        Operator::BitAnd => Binary::And,
        Operator::MatMult => return None,
    })
}

fn comparison(operator: CmpOp) -> Comparison {
    match operator {
        CmpOp::Eq => Comparison::Equal,
        CmpOp::NotEq => Comparison::NotEqual,
        CmpOp::Lt => Comparison::Less,
        CmpOp::LtE => Comparison::LessEqual,
        CmpOp::Gt => Comparison::Greater,
        CmpOp::GtE => Comparison::GreaterEqual,
        CmpOp::Is => Comparison::Is,
        CmpOp::IsNot => Comparison::IsNot,
        CmpOp::In => Comparison::In,
        CmpOp::NotIn => Comparison::NotIn,
    }
}

impl Lowerer<'_> {
    pub(crate) fn expr(&mut self, expr: &ast::Expr) -> Expr {
        match expr {
            ast::Expr::NoneLiteral(_) => Expr::Const(Const::None),
            ast::Expr::BooleanLiteral(literal) => Expr::Const(Const::Bool(literal.value)),
            ast::Expr::EllipsisLiteral(_) => Expr::Const(Const::Ellipsis),
            ast::Expr::NumberLiteral(literal) => self.number(literal),
            ast::Expr::StringLiteral(literal) => {
                let parts = literal.value.iter();
                let surrogate =
                    parts.into_iter().any(|part| self.has_surrogate(part.range(), part.flags.prefix().is_raw()));
                if surrogate {
                    return self.unsupported("a text with half a surrogate pair", expr);
                }
                Expr::Const(Const::Str(Str::from(literal.value.to_str())))
            }
            ast::Expr::BytesLiteral(literal) => {
                Expr::Const(Const::Bytes(literal.value.bytes().collect::<Vec<u8>>().into()))
            }
            ast::Expr::FString(literal) => self.format(literal),
            ast::Expr::Name(name) => Expr::Name(self.resolve(&name.id)),
            ast::Expr::BoolOp(op) => {
                let values = op.values.iter().map(|value| self.expr(value)).collect();
                if op.op == ast::BoolOp::And { Expr::And(values) } else { Expr::Or(values) }
            }
            ast::Expr::UnaryOp(op) => {
                let operand = self.expr(&op.operand);
                match (op.op, operand) {
                    (UnaryOp::Not, operand) => Expr::Not(Box::new(operand)),
                    (UnaryOp::USub, Expr::Const(Const::Int(number))) => Expr::Const(Const::Int(-number)),
                    (UnaryOp::USub, Expr::Const(Const::Float(number))) => Expr::Const(Const::Float(-number)),
                    (UnaryOp::USub, operand) => Expr::Unary(Unary::Minus, Box::new(operand)),
                    (UnaryOp::UAdd, operand) => Expr::Unary(Unary::Plus, Box::new(operand)),
                    (UnaryOp::Invert, operand) => Expr::Unary(Unary::Invert, Box::new(operand)),
                }
            }
            ast::Expr::BinOp(op) => match binary(op.op) {
                Some(operator) => Expr::Binary(operator, Box::new((self.expr(&op.left), self.expr(&op.right)))),
                None => self.unsupported("the operator `@`", expr),
            },
            ast::Expr::Compare(op) => {
                let left = self.expr(&op.left);
                let right = op.ops.iter().zip(&op.comparators);
                let right = right.map(|(op, value)| (comparison(*op), self.expr(value))).collect();
                Expr::Compare(Box::new(left), right)
            }
            ast::Expr::If(test) => {
                Expr::If(Box::new((self.expr(&test.test), self.expr(&test.body), self.expr(&test.orelse))))
            }
            ast::Expr::List(list) => Expr::List(self.items(&list.elts)),
            ast::Expr::Tuple(tuple) => Expr::Tuple(self.items(&tuple.elts)),
            ast::Expr::Set(set) => Expr::Set(self.items(&set.elts)),
            ast::Expr::Dict(dict) => Expr::Dict(
                dict.items
                    .iter()
                    .map(|item| (item.key.as_ref().map(|key| self.expr(key)), self.expr(&item.value)))
                    .collect(),
            ),
            ast::Expr::ListComp(comp) => self.comprehension(Collection::List, (&comp.elt, None), &comp.generators),
            ast::Expr::SetComp(comp) => self.comprehension(Collection::Set, (&comp.elt, None), &comp.generators),
            ast::Expr::DictComp(comp) => match &comp.key {
                Some(key) => self.comprehension(Collection::Dict, (key, Some(&comp.value)), &comp.generators),
                None => self.unsupported("a comprehension with `**`", expr),
            },
            ast::Expr::Generator(generator) => self.generator(generator),
            ast::Expr::Lambda(lambda) => Expr::Lambda(Box::new(self.lambda(lambda))),
            ast::Expr::Call(call) => self.call(call),
            ast::Expr::Attribute(attribute) => {
                let module = self.module_path(&attribute.value);
                Expr::Attribute(Box::new(Attribute {
                    object: self.expr(&attribute.value),
                    name: Str::from(attribute.attr.as_str()),
                    line: self.line(attribute),
                    module: module.map(Str::from),
                }))
            }
            ast::Expr::Subscript(subscript) => {
                Expr::Subscript(Box::new((self.expr(&subscript.value), self.expr(&subscript.slice))))
            }
            ast::Expr::Slice(slice) => Expr::Slice(Box::new(
                [&slice.lower, &slice.upper, &slice.step].map(|part| part.as_ref().map(|part| self.expr(part))),
            )),
            ast::Expr::Named(named) => self.walrus(named),
            ast::Expr::Starred(_) => self.unsupported("`*` here", expr),
            ast::Expr::Await(_) => self.unsupported("`await`", expr),
            ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => self.unsupported("`yield`", expr),
            ast::Expr::TString(_) => self.unsupported("a template string", expr),
            ast::Expr::IpyEscapeCommand(_) => self.unsupported("a command of IPython", expr),
        }
    }

    fn number(&mut self, literal: &ast::ExprNumberLiteral) -> Expr {
        match &literal.value {
            Number::Float(number) => Expr::Const(Const::Float(*number)),
            Number::Complex { .. } => self.unsupported("a complex number", literal),
            Number::Int(number) => match number.as_i64() {
                Some(number) => Expr::Const(Const::Int(number)),
                None => match big(&number.to_string()) {
                    Some(number) => Expr::Const(Const::Big(Arc::new(number))),
                    None => self.unsupported("a number like this", literal),
                },
            },
        }
    }

    fn items(&mut self, elements: &[ast::Expr]) -> Vec<Item> {
        elements
            .iter()
            .map(|element| match element {
                ast::Expr::Starred(starred) => Item { starred: true, value: self.expr(&starred.value) },
                other => Item { starred: false, value: self.expr(other) },
            })
            .collect()
    }

    fn call(&mut self, call: &ast::ExprCall) -> Expr {
        let function = self.expr(&call.func);
        let args = self.items(&call.arguments.args);
        let keywords = call
            .arguments
            .keywords
            .iter()
            .map(|keyword| (keyword.arg.as_ref().map(|name| Str::from(name.as_str())), self.expr(&keyword.value)))
            .collect();
        Expr::Call(Box::new(Call { function, args, keywords, line: self.line(call) }))
    }

    /// The module that an expression is, where imports say so: `os`, `os.path`.
    fn module_path(&self, expr: &ast::Expr) -> Option<String> {
        match expr {
            ast::Expr::Name(name) => self.module_of(&name.id),
            ast::Expr::Attribute(attribute) => {
                let path = format!("{}.{}", self.module_path(&attribute.value)?, attribute.attr);
                modules::is_module(&path).then_some(path)
            }
            _ => None,
        }
    }

    /// Whether a literal has an escape for half a surrogate pair, which Rust's texts cannot hold.
    fn has_surrogate(&self, range: TextRange, raw: bool) -> bool {
        let text = self.source.get(range.to_std_range()).unwrap_or_default();
        if raw || !text.contains('\\') {
            return false;
        }
        let lower = text.to_ascii_lowercase();
        ["\\ud8", "\\ud9", "\\uda", "\\udb", "\\udc", "\\udd", "\\ude", "\\udf", "\\u0000d"]
            .iter()
            .any(|escape| lower.contains(escape))
    }

    fn format(&mut self, literal: &ast::ExprFString) -> Expr {
        let mut parts = Vec::new();
        for part in literal.value.iter() {
            match part {
                ast::FStringPart::Literal(literal) => {
                    if self.has_surrogate(literal.range(), literal.flags.prefix().is_raw()) {
                        return self.unsupported("a text with half a surrogate pair", literal);
                    }
                    parts.push(FormatPart::Text(Str::from(literal.as_str())));
                }
                ast::FStringPart::FString(string) => {
                    let raw = string.flags.prefix().is_raw();
                    match self.elements(string.elements.iter(), raw) {
                        Ok(more) => parts.extend(more),
                        Err(refused) => return refused,
                    }
                }
            }
        }
        Expr::Format(parts)
    }

    fn elements<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e InterpolatedStringElement>,
        raw: bool,
    ) -> Result<Vec<FormatPart>, Expr> {
        let mut parts = Vec::new();
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(text) => {
                    if self.has_surrogate(text.range(), raw) {
                        return Err(self.unsupported("a text with half a surrogate pair", text));
                    }
                    parts.push(FormatPart::Text(Str::from(&*text.value)));
                }
                InterpolatedStringElement::Interpolation(element) => {
                    let spec = match &element.format_spec {
                        Some(spec) => self.elements(spec.elements.iter(), raw)?,
                        None => Vec::new(),
                    };
                    let mut conversion = element.conversion.to_char();
                    let debug = element.debug_text.as_ref().map(|debug| Str::from(debug.as_str()));
                    if debug.is_some() && conversion.is_none() && spec.is_empty() {
                        conversion = Some('r');
                    }
                    let value = self.expr(&element.expression);
                    parts.push(FormatPart::Value(Box::new(FormatValue { value, conversion, spec, debug })));
                }
            }
        }
        Ok(parts)
    }
}

/// A number of any length, in any base.
fn big(text: &str) -> Option<BigInt> {
    let digits = text.replace('_', "").to_lowercase();
    let (digits, base) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (&*digits, 10),
    };
    BigInt::parse_bytes(digits.as_bytes(), base)
}
