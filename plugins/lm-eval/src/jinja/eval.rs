//! Filling a template.

use super::Unfilled;
use super::ast::{Arguments, Comparison, Expr, Node, Target};
use super::filters;
use super::operate::{self, Failed, Found};
use super::scope::{Binding, Loop, Scope};
use super::tests_of_values as tests;
use examiner_python::{Session, Value, truth};
use std::cell::RefCell;
use std::rc::Rc;

/// A template while it is filled.
struct Filling<'s> {
    session: &'s mut Session,
    document: &'s Value,
    scope: Scope,
}

/// The text of some parts for a document.
pub(super) fn render(session: &mut Session, nodes: &[Node], document: &Value) -> Result<String, Unfilled> {
    let mut text = String::new();
    let mut filling = Filling { session, document, scope: Scope::default() };
    filling.nodes(nodes, &mut text).map_err(|failed| Unfilled(failed.0))?;
    Ok(text)
}

impl Filling<'_> {
    fn nodes(&mut self, nodes: &[Node], text: &mut String) -> Result<(), Failed> {
        for node in nodes {
            match node {
                Node::Text(written) => text.push_str(written),
                Node::Print(expr) => self.print(expr, text)?,
                Node::If { branches, otherwise } => {
                    let mut taken = otherwise;
                    for (test, body) in branches {
                        if self.truth(test)? {
                            taken = body;
                            break;
                        }
                    }
                    self.nodes(taken, text)?;
                }
                Node::For { target, over, only, body, otherwise } => {
                    self.for_loop(target, over, only.as_ref(), (body, otherwise), text)?;
                }
                Node::Set(target, expr) => self.set(target, expr)?,
                Node::SetBlock(name, body) => {
                    let mut inner = String::new();
                    self.scope.enter();
                    self.nodes(body, &mut inner)?;
                    self.scope.leave();
                    self.scope.set(name, Binding::Value(Value::str(&inner)));
                }
                Node::With(values, body) => {
                    let values = values.iter().map(|(target, expr)| Ok((target, self.value(expr)?)));
                    let values = values.collect::<Result<Vec<_>, Failed>>()?;
                    self.scope.enter();
                    for (target, value) in values {
                        self.assign(target, value)?;
                    }
                    self.nodes(body, text)?;
                    self.scope.leave();
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, expr: &Expr, text: &mut String) -> Result<(), Failed> {
        match self.found(expr)? {
            Found::Nothing => Ok(()),
            found => operate::print(&found.value()?, text),
        }
    }

    fn for_loop(
        &mut self,
        target: &Target,
        over: &Expr,
        only: Option<&Expr>,
        (body, otherwise): (&[Node], &[Node]),
        text: &mut String,
    ) -> Result<(), Failed> {
        let over = self.value(over)?;
        let mut items = operate::iterate(self.session, &over)?;
        if let Some(only) = only {
            let mut kept = Vec::new();
            for item in items {
                self.scope.enter();
                self.assign(target, item.clone())?;
                if self.truth(only)? {
                    kept.push(item);
                }
                self.scope.leave();
            }
            items = kept;
        }
        if items.is_empty() {
            self.scope.enter();
            self.nodes(otherwise, text)?;
            self.scope.leave();
        }
        let items = Rc::new(items);
        for index in 0..items.len() {
            self.scope.enter();
            self.assign(target, items[index].clone())?;
            self.scope.set("loop", Binding::Loop(Rc::new(Loop { items: items.clone(), index })));
            self.nodes(body, text)?;
            self.scope.leave();
        }
        Ok(())
    }

    fn set(&mut self, target: &Target, expr: &Expr) -> Result<(), Failed> {
        if let (Target::Name(name), Expr::Call(callee, arguments)) = (target, expr)
            && matches!(&**callee, Expr::Name(function) if function == "namespace")
            && !self.is_known("namespace")
        {
            let mut values = Vec::new();
            for (key, value) in &arguments.named {
                values.push((key.clone(), self.value(value)?));
            }
            self.scope.set(name, Binding::Namespace(Rc::new(RefCell::new(values))));
            return Ok(());
        }
        let value = self.value(expr)?;
        self.assign(target, value)
    }

    fn assign(&mut self, target: &Target, value: Value) -> Result<(), Failed> {
        match target {
            Target::Name(name) => self.scope.set(name, Binding::Value(value)),
            Target::Attribute(name, attribute) => {
                let Some(Binding::Namespace(values)) = self.scope.get(name) else {
                    return Err(Failed(format!("`{name}` is no namespace, so `{name}.{attribute}` cannot be set")));
                };
                let mut values = values.borrow_mut();
                match values.iter_mut().find(|(known, _)| known == attribute) {
                    Some((_, known)) => *known = value,
                    None => values.push((attribute.clone(), value)),
                }
            }
            Target::Tuple(targets) => {
                let items = operate::iterate(self.session, &value)?;
                if items.len() != targets.len() {
                    return Err(Failed(format!("expected {} values to unpack, found {}", targets.len(), items.len())));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a name is set or a field of the document.
    fn is_known(&self, name: &str) -> bool {
        self.scope.get(name).is_some() || operate::field(self.document, name).is_some()
    }

    fn truth(&mut self, expr: &Expr) -> Result<bool, Failed> {
        Ok(truth(&self.value(expr)?))
    }

    /// The value of an expression; one that is undefined is an error.
    fn value(&mut self, expr: &Expr) -> Result<Value, Failed> {
        self.found(expr)?.value()
    }

    /// The value of an expression, or that it is undefined.
    fn found(&mut self, expr: &Expr) -> Result<Found, Failed> {
        let value = match expr {
            Expr::None => Value::None,
            Expr::Bool(truth) => Value::Bool(*truth),
            Expr::Int(number) => Value::Int(*number),
            Expr::Float(number) => Value::Float(*number),
            Expr::Text(text) => Value::str(text),
            Expr::Name(name) => return self.name(name),
            Expr::Tuple(items) => Value::tuple(self.values(items)?),
            Expr::List(items) => Value::list(self.values(items)?),
            Expr::Dict(entries) => {
                let mut pairs = Vec::new();
                for (key, value) in entries {
                    pairs.push((self.value(key)?, self.value(value)?));
                }
                operate::dict(pairs)?
            }
            Expr::Attribute(of, name) => return self.attribute(of, name),
            Expr::Item(of, index) => {
                let (of, index) = (self.value(of)?, self.value(index)?);
                return Ok(operate::item_or_attribute(self.session, &of, &index)?
                    .map_or_else(|| Found::Missing(operate::shown(&index)), Found::Value));
            }
            Expr::Slice(of, parts) => {
                let of = self.value(of)?;
                let mut bounds = [Value::None, Value::None, Value::None];
                for (bound, part) in bounds.iter_mut().zip(parts) {
                    if let Some(part) = part {
                        *bound = self.value(part)?;
                    }
                }
                operate::slice(self.session, &of, bounds)?
            }
            Expr::Call(callee, arguments) => return self.call(callee, arguments).map(Found::Value),
            Expr::Filter(of, name, arguments) => {
                let of = self.found(of)?;
                let (values, named) = (self.values(&arguments.values)?, self.named(arguments)?);
                return filters::apply(self.session, of, name, values, named);
            }
            Expr::Test(of, name, arguments) => {
                let of = self.found(of)?;
                let arguments = self.values(&arguments.values)?;
                Value::Bool(tests::holds(self.session, of, name, &arguments)?)
            }
            Expr::Not(of) => Value::Bool(!self.truth(of)?),
            Expr::Negative(of) => {
                let value = self.value(of)?;
                operate::negative(self.session, &value)?
            }
            Expr::Positive(of) => {
                let value = self.value(of)?;
                operate::positive(self.session, &value)?
            }
            Expr::And(left, right) => {
                let left = self.value(left)?;
                if !truth(&left) { left } else { return self.found(right) }
            }
            Expr::Or(left, right) => {
                let left = self.value(left)?;
                if truth(&left) { left } else { return self.found(right) }
            }
            Expr::Compare(first, rest) => Value::Bool(self.compare(first, rest)?),
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                operate::binary(self.session, *operator, &left, &right)?
            }
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    self.print(part, &mut text)?;
                }
                Value::str(&text)
            }
            Expr::If { test, then, otherwise } => {
                return match (self.truth(test)?, otherwise) {
                    (true, _) => self.found(then),
                    (false, Some(otherwise)) => self.found(otherwise),
                    (false, None) => Ok(Found::Nothing),
                };
            }
        };
        Ok(Found::Value(value))
    }

    fn values(&mut self, exprs: &[Expr]) -> Result<Vec<Value>, Failed> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    fn named(&mut self, arguments: &Arguments) -> Result<Vec<(String, Value)>, Failed> {
        arguments.named.iter().map(|(name, expr)| Ok((name.clone(), self.value(expr)?))).collect()
    }

    fn name(&self, name: &str) -> Result<Found, Failed> {
        match self.scope.get(name) {
            Some(Binding::Value(value)) => Ok(Found::Value(value.clone())),
            Some(_) => Err(Failed(format!("`{name}` as a value, of which only attributes are supported"))),
            None => {
                Ok(operate::field(self.document, name).map_or_else(|| Found::Missing(name.to_owned()), Found::Value))
            }
        }
    }

    fn attribute(&mut self, of: &Expr, attribute: &str) -> Result<Found, Failed> {
        if let Expr::Name(name) = of {
            match self.scope.get(name) {
                Some(Binding::Loop(state)) => return state.clone().attribute(attribute),
                Some(Binding::Namespace(values)) => {
                    let values = values.borrow();
                    let value = values.iter().find(|(known, _)| known == attribute).map(|(_, value)| value.clone());
                    return Ok(value.map_or_else(|| Found::Missing(format!("{name}.{attribute}")), Found::Value));
                }
                _ => {}
            }
        }
        let of = self.value(of)?;
        let value = operate::attribute_or_item(self.session, &of, attribute)?;
        Ok(value.map_or_else(|| Found::Missing(attribute.to_owned()), Found::Value))
    }

    fn call(&mut self, callee: &Expr, arguments: &Arguments) -> Result<Value, Failed> {
        if let Expr::Name(name) = callee
            && !self.is_known(name)
        {
            return match name.as_str() {
                "range" if arguments.named.is_empty() => {
                    let bounds = self.values(&arguments.values)?;
                    operate::range(&bounds)
                }
                "dict" if arguments.values.is_empty() => {
                    let named = self.named(arguments)?;
                    operate::dict(named.into_iter().map(|(name, value)| (Value::str(&name), value)).collect())
                }
                _ => Err(Failed(format!("`{name}` is undefined"))),
            };
        }
        if let Expr::Attribute(of, method) = callee
            && let Expr::Name(name) = &**of
            && let Some(Binding::Loop(state)) = self.scope.get(name)
            && method == "cycle"
        {
            let index = state.index;
            let mut values = self.values(&arguments.values)?;
            return match values.len() {
                0 => Err(Failed("`loop.cycle` without values".to_owned())),
                length => Ok(values.swap_remove(index % length)),
            };
        }
        let callee = self.value(callee)?;
        let values = self.values(&arguments.values)?;
        let named = self.named(arguments)?;
        operate::call(self.session, callee, values, named)
    }

    fn compare(&mut self, first: &Expr, rest: &[(Comparison, Expr)]) -> Result<bool, Failed> {
        let mut left = self.value(first)?;
        for (comparison, right) in rest {
            let right = self.value(right)?;
            if !operate::compare(self.session, *comparison, &left, &right)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }
}

impl Loop {
    fn attribute(&self, name: &str) -> Result<Found, Failed> {
        let length = self.items.len();
        let count = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        Ok(Found::Value(match name {
            "index" => count(self.index + 1),
            "index0" => count(self.index),
            "revindex" => count(length - self.index),
            "revindex0" => count(length - self.index - 1),
            "first" => Value::Bool(self.index == 0),
            "last" => Value::Bool(self.index + 1 == length),
            "length" => count(length),
            "depth" => Value::Int(1),
            "depth0" => Value::Int(0),
            "previtem" if self.index > 0 => self.items[self.index - 1].clone(),
            "nextitem" if self.index + 1 < length => self.items[self.index + 1].clone(),
            "previtem" | "nextitem" => return Ok(Found::Missing(format!("loop.{name}"))),
            _ => return Err(Failed(format!("`loop.{name}`, which is not supported"))),
        }))
    }
}
