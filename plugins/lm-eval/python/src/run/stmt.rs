//! Statements.

use std::rc::Rc;

use super::{Flow, Frame, Function, Session};
use crate::error::{Error, Outcome};
use crate::program::ir::{Capture, ClassDefinition, Definition, Handler, Stmt, StmtKind, Target};
use crate::run::class::Class;
use crate::value::{Dict, ExceptionClass, ExceptionObject, Value};

impl Session {
    pub(super) fn stmts(&mut self, frame: &mut Frame, body: &[Stmt]) -> Outcome<Flow> {
        for stmt in body {
            match self.stmt(frame, stmt) {
                Ok(Flow::Next) => {}
                Ok(flow) => return Ok(flow),
                Err(error) => return Err(error.at(&self.modules[frame.module].module.name, stmt.line)),
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, frame: &mut Frame, stmt: &Stmt) -> Outcome<Flow> {
        self.step()?;
        match &stmt.kind {
            StmtKind::Pass => {}
            StmtKind::Expr(value) => {
                self.expr(frame, value)?;
            }
            StmtKind::Assign(targets, value) => {
                let value = self.expr(frame, value)?;
                for target in targets {
                    self.assign(frame, target, value.clone())?;
                }
            }
            StmtKind::Augment(target, operator, value) => self.augment(frame, target, *operator, value)?,
            StmtKind::For { target, iterable, body, otherwise } => {
                return self.for_loop(frame, target, iterable, body, otherwise);
            }
            StmtKind::While { test, body, otherwise } => loop {
                self.step()?;
                if !self.test(frame, test)? {
                    return self.stmts(frame, otherwise);
                }
                match self.stmts(frame, body)? {
                    Flow::Next | Flow::Continue => {}
                    Flow::Break => return Ok(Flow::Next),
                    Flow::Return(value) => return Ok(Flow::Return(value)),
                }
            },
            StmtKind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.test(frame, test)? {
                        return self.stmts(frame, body);
                    }
                }
                return self.stmts(frame, otherwise);
            }
            StmtKind::Return(value) => return Ok(Flow::Return(self.expr(frame, value)?)),
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Function(definition, place) => {
                let function = self.define(frame, definition)?;
                self.bind(frame, *place, function)?;
            }
            StmtKind::Class(definition, place) => {
                let class = self.define_class(frame, definition)?;
                self.bind(frame, *place, class)?;
            }
            StmtKind::Import(imports) => {
                for import in imports {
                    let value = self.import(frame.module, import)?;
                    self.bind(frame, import.place, value)?;
                }
            }
            StmtKind::Try { body, handlers, otherwise, finally } => {
                return self.try_stmt(frame, body, handlers, otherwise, finally);
            }
            StmtKind::Raise(value, cause) => {
                if let Some(cause) = cause {
                    self.expr(frame, cause)?;
                }
                let Some(value) = value else {
                    return Err(match frame.handled.last() {
                        Some(exception) => Error::from_exception(Rc::clone(exception)),
                        None => Error::raise("RuntimeError", "No active exception to reraise"),
                    });
                };
                let value = self.expr(frame, value)?;
                return Err(self.raised(value)?);
            }
            StmtKind::Assert(test, message) => {
                if !self.test(frame, test)? {
                    let args = match message {
                        Some(message) => vec![self.expr(frame, message)?],
                        None => Vec::new(),
                    };
                    return Err(Error::raise_value("AssertionError", args));
                }
            }
            StmtKind::Delete(targets) => {
                for target in targets {
                    self.delete(frame, target)?;
                }
            }
            StmtKind::With(items, body) => {
                for (object, target) in items {
                    let object = self.expr(frame, object)?;
                    let is_file = matches!(&object, Value::Object(object) if object.type_name() == "TextIOWrapper");
                    if !is_file {
                        return Err(Error::unsupported(format!("`with` a `{}`", object.type_name())));
                    }
                    if let Some(target) = target {
                        self.assign(frame, target, object)?;
                    }
                }
                return self.stmts(frame, body);
            }
            StmtKind::Unsupported(what) => return Err(Error::unsupported(&**what)),
        }
        Ok(Flow::Next)
    }

    fn for_loop(
        &mut self,
        frame: &mut Frame,
        target: &Target,
        iterable: &crate::program::ir::Expr,
        body: &[Stmt],
        otherwise: &[Stmt],
    ) -> Outcome<Flow> {
        let iterable = self.expr(frame, iterable)?;
        let mut cursor = self.iterate(&iterable)?;
        while let Some(item) = cursor.next(self)? {
            self.step()?;
            self.assign(frame, target, item)?;
            match self.stmts(frame, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(value) => return Ok(Flow::Return(value)),
            }
        }
        self.stmts(frame, otherwise)
    }

    /// The error of `raise value`.
    fn raised(&mut self, value: Value) -> Outcome<Error> {
        match value {
            Value::Exception(exception) => Ok(Error::from_exception(exception)),
            Value::ExceptionType(_) | Value::Class(_) => match self.invoke(&value, crate::Arguments::default())? {
                Value::Exception(exception) => Ok(Error::from_exception(exception)),
                _ => Err(Error::raise("TypeError", "exceptions must derive from BaseException")),
            },
            _ => Err(Error::raise("TypeError", "exceptions must derive from BaseException")),
        }
    }

    fn try_stmt(
        &mut self,
        frame: &mut Frame,
        body: &[Stmt],
        handlers: &[Handler],
        otherwise: &[Stmt],
        finally: &[Stmt],
    ) -> Outcome<Flow> {
        let result = match self.stmts(frame, body) {
            Ok(Flow::Next) => self.stmts(frame, otherwise),
            Ok(flow) => Ok(flow),
            Err(Error::Exception(raised)) => {
                let exception = Rc::clone(&raised.exception);
                match self.handler(frame, handlers, &exception) {
                    Ok(Some(handler)) => self.handle(frame, handler, exception),
                    Ok(None) => Err(Error::Exception(raised)),
                    Err(error) => Err(error),
                }
            }
            // What is not implemented and what reaches a limit is no exception of Python.
            Err(other) => return Err(other),
        };
        if finally.is_empty() || matches!(result, Err(Error::Unsupported(_) | Error::Limit(_))) {
            return result;
        }
        match self.stmts(frame, finally)? {
            Flow::Next => result,
            flow => Ok(flow),
        }
    }

    fn handler<'h>(
        &mut self,
        frame: &mut Frame,
        handlers: &'h [Handler],
        exception: &ExceptionObject,
    ) -> Outcome<Option<&'h Handler>> {
        for handler in handlers {
            let Some(class) = &handler.class else { return Ok(Some(handler)) };
            let class = self.expr(frame, class)?;
            if is_of(exception, &class)? {
                return Ok(Some(handler));
            }
        }
        Ok(None)
    }

    fn handle(&mut self, frame: &mut Frame, handler: &Handler, exception: Rc<ExceptionObject>) -> Outcome<Flow> {
        if let Some(place) = handler.place {
            self.bind(frame, place, Value::Exception(Rc::clone(&exception)))?;
        }
        frame.handled.push(exception);
        let result = self.stmts(frame, &handler.body);
        frame.handled.pop();
        if let Some(place) = handler.place {
            self.unbind(frame, place);
        }
        result
    }

    /// A function object.
    pub(super) fn define(&mut self, frame: &mut Frame, definition: &Definition) -> Outcome<Value> {
        let mut decorators = Vec::new();
        for (decorator, _) in &definition.decorators {
            decorators.push(self.expr(frame, decorator)?);
        }
        let mut defaults = vec![None; definition.code.parameters.len()];
        for (index, default) in &definition.defaults {
            defaults[*index] = Some(self.expr(frame, default)?);
        }
        let free = frame.captured(&definition.code.captures);
        let function = Function {
            code: std::sync::Arc::clone(&definition.code),
            module: frame.module,
            defaults,
            free,
            owner: std::cell::RefCell::new(None),
        };
        let mut value = Value::Function(Rc::new(function));
        for decorator in decorators.iter().rev() {
            value = self.invoke(decorator, crate::Arguments::of(vec![value]))?;
        }
        Ok(value)
    }

    fn define_class(&mut self, frame: &mut Frame, definition: &ClassDefinition) -> Outcome<Value> {
        if let Some(refused) = crate::run::class::refused_members(definition) {
            return Err(Error::unsupported(refused));
        }
        let mut decorators = Vec::new();
        for (decorator, _) in &definition.decorators {
            decorators.push(self.expr(frame, decorator)?);
        }
        let mut bases = Vec::new();
        for base in &definition.bases {
            bases.push(self.expr(frame, base)?);
        }
        let mut inner = Frame {
            module: frame.module,
            slots: vec![None; definition.code.slots.len()],
            cells: definition.code.cells.iter().map(|_| super::CellRef::default()).collect(),
            free: frame.captured(&definition.code.captures),
            code: Some(std::sync::Arc::clone(&definition.code)),
            class: Some(Dict::new()),
            handled: Vec::new(),
            method: None,
        };
        self.stmts(&mut inner, &definition.code.body)?;
        let members = inner.class.unwrap_or_default();
        let class = Class::new(definition, bases, members)?;
        let mut value = Value::Class(class);
        for decorator in decorators.iter().rev() {
            value = self.invoke(decorator, crate::Arguments::of(vec![value]))?;
        }
        Ok(value)
    }
}

/// Whether an exception is of a class, or of one of a tuple of classes.
fn is_of(exception: &ExceptionObject, class: &Value) -> Outcome<bool> {
    match class {
        Value::ExceptionType(name) => Ok(exception.is_a(name)),
        Value::Class(wanted) => Ok(match &exception.class {
            ExceptionClass::User(class) => class.is_below(wanted),
            ExceptionClass::Builtin(_) => false,
        }),
        Value::Tuple(classes) => {
            for class in classes.iter() {
                if is_of(exception, class)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Error::type_error("catching classes that do not inherit from BaseException is not allowed")),
    }
}

impl Frame {
    /// A frame for statements of a module.
    pub(super) fn of_module(index: usize, module: &crate::program::Module) -> Frame {
        Frame {
            module: index,
            slots: vec![None; module.slots],
            cells: (0..module.cells).map(|_| super::CellRef::default()).collect(),
            free: Rc::from([]),
            code: None,
            class: None,
            handled: Vec::new(),
            method: None,
        }
    }

    /// The variables that a function in this one holds.
    pub(super) fn captured(&self, captures: &[(Capture, crate::value::Str)]) -> Rc<[super::CellRef]> {
        captures
            .iter()
            .map(|(capture, _)| match capture {
                Capture::Cell(index) => Rc::clone(&self.cells[*index]),
                Capture::Free(index) => Rc::clone(&self.free[*index]),
            })
            .collect()
    }
}
