//! The names of a template while it is filled.

use examiner_python::Value;
use std::cell::RefCell;
use std::rc::Rc;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Binding {
    /// A value.
    Value(Value),
    /// What `namespace()` makes.
    Namespace(Rc<RefCell<Vec<(String, Value)>>>),
    /// The `loop` of a `for`.
    Loop(Rc<Loop>),
}

/// What a loop knows of itself.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) items: Rc<Vec<Value>>,
    pub(super) index: usize,
}

/// Names that were set, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: Vec<(String, Binding)>,
    /// Where each block begins.
    blocks: Vec<usize>,
}

impl Scope {
    /// Begins a block, whose names end with it.
    pub(super) fn enter(&mut self) {
        self.blocks.push(self.names.len());
    }

    /// Ends the innermost block.
    pub(super) fn leave(&mut self) {
        if let Some(length) = self.blocks.pop() {
            self.names.truncate(length);
        }
    }

    /// Gives a name a meaning in the innermost block.
    pub(super) fn set(&mut self, name: &str, binding: Binding) {
        let from = self.blocks.last().copied().unwrap_or(0);
        match self.names[from..].iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = binding,
            None => self.names.push((name.to_owned(), binding)),
        }
    }

    /// What a name stands for, where a template has set it.
    pub(super) fn get(&self, name: &str) -> Option<&Binding> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, binding)| binding)
    }
}
