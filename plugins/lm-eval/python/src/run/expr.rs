//! Expressions.

use std::rc::Rc;
use std::sync::Arc;

use super::{Frame, Session};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::{Call, Clause, Comprehension, Const, Expr, FormatPart, Item, Kind, Place, Unary};
use crate::value::{Dict, Set, Str, Value, truth};

impl Session {
    pub(super) fn expr(&mut self, frame: &mut Frame, expr: &Expr) -> Outcome<Value> {
        match expr {
            Expr::Const(value) => Ok(constant(value)),
            Expr::Name(place) => self.name(frame, *place),
            Expr::Call(call) => self.call_expr(frame, call),
            Expr::Attribute(attribute) => {
                let object = self.expr(frame, &attribute.object)?;
                self.attribute(&object, &attribute.name)
            }
            Expr::Subscript(sides) => {
                let object = self.expr(frame, &sides.0)?;
                let index = self.expr(frame, &sides.1)?;
                self.item(&object, &index)
            }
            Expr::Binary(operator, sides) => {
                let left = self.expr(frame, &sides.0)?;
                let right = self.expr(frame, &sides.1)?;
                super::binary(self, *operator, &left, &right)
            }
            Expr::Compare(left, right) => self.comparison(frame, left, right),
            Expr::And(values) => self.bool_op(frame, values, false),
            Expr::Or(values) => self.bool_op(frame, values, true),
            Expr::Not(value) => Ok(Value::Bool(!self.test(frame, value)?)),
            Expr::Unary(operator, value) => {
                let value = self.expr(frame, value)?;
                let operator = match operator {
                    Unary::Minus => '-',
                    Unary::Plus => '+',
                    Unary::Invert => '~',
                };
                super::arithmetic::unary(operator, &value)
            }
            Expr::If(parts) => {
                let branch = if self.test(frame, &parts.0)? { &parts.1 } else { &parts.2 };
                self.expr(frame, branch)
            }
            Expr::List(items) => Ok(Value::list(self.items(frame, items)?)),
            Expr::Tuple(items) => Ok(Value::tuple(self.items(frame, items)?)),
            Expr::Set(items) => {
                let mut set = Set::new();
                for item in self.items(frame, items)? {
                    set.insert(item)?;
                }
                Ok(Value::set(set))
            }
            Expr::Dict(entries) => {
                let mut dict = Dict::new();
                for (key, value) in entries {
                    match key {
                        Some(key) => {
                            let key = self.expr(frame, key)?;
                            let value = self.expr(frame, value)?;
                            dict.insert(key, value)?;
                        }
                        None => {
                            let mapping = self.expr(frame, value)?;
                            if !matches!(mapping, Value::Dict(_)) {
                                let text = format!("'{}' object is not a mapping", mapping.type_name());
                                return Err(Error::raise("TypeError", text));
                            }
                            for (key, value) in self.entries(&mapping)? {
                                dict.insert(key, value)?;
                            }
                        }
                    }
                }
                Ok(Value::Dict(Rc::new(std::cell::RefCell::new(dict))))
            }
            Expr::Comprehension(comprehension) => self.comprehension(frame, comprehension),
            Expr::Generator(generator) => self.generator(frame, generator),
            Expr::Lambda(definition) => self.define(frame, definition),
            Expr::Slice(parts) => {
                let mut bounds = [Value::None, Value::None, Value::None];
                for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                    if let Some(part) = part {
                        *bound = self.expr(frame, part)?;
                    }
                }
                Ok(Value::Slice(Rc::new(bounds)))
            }
            Expr::Format(parts) => {
                let mut text = String::new();
                self.format_parts(frame, parts, &mut text)?;
                self.fits(text.len())?;
                Ok(Value::Str(Str::from(text)))
            }
            Expr::Named(named) => {
                let value = self.expr(frame, &named.1)?;
                self.assign(frame, &named.0, value.clone())?;
                Ok(value)
            }
            Expr::Unsupported(what, _) => Err(Error::unsupported(&**what)),
        }
    }

    pub(super) fn name(&mut self, frame: &mut Frame, place: Place) -> Outcome<Value> {
        let value = match place {
            Place::Slot(index) => frame.slots[index].clone(),
            Place::Cell(index) => frame.cells[index].borrow().clone(),
            Place::Free(index) => frame.free[index].borrow().clone(),
            Place::Global(index) => return self.global(frame.module, index),
            Place::Class(index) => {
                let name = self.global_name(frame.module, index);
                match frame.class.as_ref().and_then(|class| class.get_str(&name)) {
                    Some(value) => Some(value.clone()),
                    None => return self.global(frame.module, index),
                }
            }
        };
        value.ok_or_else(|| unbound(frame, place))
    }

    /// The truth of an expression.
    pub(super) fn test(&mut self, frame: &mut Frame, expr: &Expr) -> Outcome<bool> {
        let value = self.expr(frame, expr)?;
        self.truth(&value)
    }

    /// Python's truth of any value.
    pub(crate) fn truth(&mut self, value: &Value) -> Outcome<bool> {
        match value {
            Value::Object(object) if object.type_name() == "numpy.ndarray" => {
                Err(Error::unsupported("the truth of an array"))
            }
            Value::Instance(instance) => {
                if instance.class.find("__bool__").is_some() || instance.class.find("__len__").is_some() {
                    return Err(Error::unsupported("the truth of an instance with `__bool__` or `__len__`"));
                }
                Ok(true)
            }
            other => Ok(truth(other)),
        }
    }

    fn bool_op(&mut self, frame: &mut Frame, values: &[Expr], stop: bool) -> Outcome<Value> {
        let mut last = Value::None;
        for (index, value) in values.iter().enumerate() {
            last = self.expr(frame, value)?;
            if index + 1 < values.len() && self.truth(&last)? == stop {
                break;
            }
        }
        Ok(last)
    }

    fn items(&mut self, frame: &mut Frame, items: &[Item]) -> Outcome<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let value = self.expr(frame, &item.value)?;
            if item.starred {
                values.extend(self.collect(&value)?);
            } else {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn call_expr(&mut self, frame: &mut Frame, call: &Call) -> Outcome<Value> {
        // A method of a value that is built in needs no value of its own.
        if let Expr::Attribute(attribute) = &call.function {
            let object = self.expr(frame, &attribute.object)?;
            if crate::types::has_methods(&object) {
                let args = self.arguments(frame, call)?;
                self.step()?;
                return crate::types::call_method(self, &object, &attribute.name, args);
            }
            let function = self.attribute(&object, &attribute.name)?;
            let args = self.arguments(frame, call)?;
            return self.invoke(&function, args);
        }
        let function = self.expr(frame, &call.function)?;
        if let Value::Native("super", _) = function
            && call.args.is_empty()
        {
            return crate::run::class::super_of(frame.method.as_ref());
        }
        let args = self.arguments(frame, call)?;
        self.invoke(&function, args)
    }

    fn arguments(&mut self, frame: &mut Frame, call: &Call) -> Outcome<Arguments> {
        let positional = self.items(frame, &call.args)?;
        let mut keywords: Vec<(Str, Value)> = Vec::with_capacity(call.keywords.len());
        for (name, value) in &call.keywords {
            let value = self.expr(frame, value)?;
            let more = match name {
                Some(name) => vec![(name.clone(), value)],
                None => {
                    if !matches!(value, Value::Dict(_)) {
                        return Err(Error::type_error("argument after ** must be a mapping"));
                    }
                    let mut more = Vec::new();
                    for (key, value) in self.entries(&value)? {
                        match key {
                            Value::Str(key) => more.push((key, value)),
                            _ => return Err(Error::raise("TypeError", "keywords must be strings")),
                        }
                    }
                    more
                }
            };
            for (name, value) in more {
                if keywords.iter().any(|(known, _)| *known == name) {
                    return Err(Error::type_error(format!("got multiple values for keyword argument '{name}'")));
                }
                keywords.push((name, value));
            }
        }
        Ok(Arguments { positional, keywords })
    }

    fn comprehension(&mut self, frame: &mut Frame, comprehension: &Comprehension) -> Outcome<Value> {
        let mut result = match comprehension.kind {
            Kind::List => Collected::List(Vec::new()),
            Kind::Set => Collected::Set(Set::new()),
            Kind::Dict => Collected::Dict(Dict::new()),
        };
        let Some((first, rest)) = comprehension.clauses.split_first() else { return Ok(Value::None) };
        let iterable = self.expr(frame, &first.iterable)?;
        // A comprehension that runs again within itself does not see the variables of the first.
        let slots: Vec<Option<Value>> = comprehension.slots.iter().map(|slot| frame.slots[*slot].take()).collect();
        let fresh = |_: &usize| super::CellRef::default();
        let cells: Vec<super::CellRef> = comprehension.cells.iter().map(fresh).collect();
        for (index, cell) in comprehension.cells.iter().zip(&cells) {
            frame.cells[*index] = Rc::clone(cell);
        }
        let outcome = self.clause(frame, comprehension, first, rest, iterable, &mut result);
        for (slot, value) in comprehension.slots.iter().zip(slots) {
            frame.slots[*slot] = value;
        }
        outcome?;
        Ok(match result {
            Collected::List(items) => Value::list(items),
            Collected::Set(set) => Value::set(set),
            Collected::Dict(dict) => Value::Dict(Rc::new(std::cell::RefCell::new(dict))),
        })
    }

    fn clause(
        &mut self,
        frame: &mut Frame,
        comprehension: &Comprehension,
        clause: &Clause,
        rest: &[Clause],
        iterable: Value,
        result: &mut Collected,
    ) -> Outcome<()> {
        let mut cursor = self.iterate(&iterable)?;
        'items: while let Some(item) = cursor.next(self)? {
            self.step()?;
            self.assign(frame, &clause.target, item)?;
            for condition in &clause.conditions {
                if !self.test(frame, condition)? {
                    continue 'items;
                }
            }
            if let Some((inner, rest)) = rest.split_first() {
                let iterable = self.expr(frame, &inner.iterable)?;
                self.clause(frame, comprehension, inner, rest, iterable, result)?;
                continue;
            }
            let element = self.expr(frame, &comprehension.element)?;
            match result {
                Collected::List(items) => items.push(element),
                Collected::Set(set) => {
                    set.insert(element)?;
                }
                Collected::Dict(dict) => {
                    let value = match &comprehension.value {
                        Some(value) => self.expr(frame, value)?,
                        None => Value::None,
                    };
                    dict.insert(element, value)?;
                }
            }
        }
        Ok(())
    }

    fn format_parts(&mut self, frame: &mut Frame, parts: &[FormatPart], to: &mut String) -> Outcome<()> {
        for part in parts {
            match part {
                FormatPart::Text(text) => to.push_str(text),
                FormatPart::Value(part) => {
                    if let Some(debug) = &part.debug {
                        to.push_str(debug);
                    }
                    let value = self.expr(frame, &part.value)?;
                    let value = self.converted(value, part.conversion)?;
                    let mut spec = String::new();
                    self.format_parts(frame, &part.spec, &mut spec)?;
                    to.push_str(&super::format_value(self, &value, &spec)?);
                }
            }
        }
        Ok(())
    }

    /// `!r`, `!s`, `!a`.
    pub(super) fn converted(&mut self, value: Value, conversion: Option<char>) -> Outcome<Value> {
        Ok(match conversion {
            None => value,
            Some('s') => Value::Str(Str::from(self.str(&value)?)),
            Some('r') => Value::Str(Str::from(self.repr(&value)?)),
            Some(other) => return Err(Error::unsupported(format!("the conversion `!{other}`"))),
        })
    }
}

enum Collected {
    List(Vec<Value>),
    Set(Set),
    Dict(Dict),
}

fn constant(value: &Const) -> Value {
    match value {
        Const::None => Value::None,
        Const::Bool(flag) => Value::Bool(*flag),
        Const::Int(number) => Value::Int(*number),
        Const::Big(number) => Value::Big(Arc::clone(number)),
        Const::Float(number) => Value::Float(*number),
        Const::Str(text) => Value::Str(text.clone()),
        Const::Bytes(bytes) => Value::Bytes(Arc::clone(bytes)),
        Const::Ellipsis => Value::Ellipsis,
    }
}

fn unbound(frame: &Frame, place: Place) -> Error {
    let names = frame.code.as_ref().map(|code| match place {
        Place::Slot(index) => code.slots.get(index),
        Place::Cell(index) => code.cells.get(index),
        _ => None,
    });
    match names.flatten() {
        Some(name) => Error::raise_inexact("UnboundLocalError", format!("the variable '{name}' has no value yet")),
        None => Error::raise_inexact("NameError", "a variable of an enclosing function has no value yet"),
    }
}
