//! From the syntax tree to the form that is evaluated.

mod expr;
mod function;
mod stmt;

use std::collections::HashMap;

use indexmap::IndexSet;
use ruff_python_ast::{self as ast};
use ruff_text_size::{Ranged, TextSize};

use super::ir::{Capture, Expr, Place};
use super::scope::Names;
use crate::value::Str;

/// What a scope belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Function,
    /// A generator expression.
    Generator,
    Class,
}

#[derive(Debug)]
struct Scope {
    kind: Kind,
    names: Names,
    places: HashMap<String, Place>,
    slots: Vec<Str>,
    cells: Vec<Str>,
    captures: Vec<(Capture, Str)>,
    /// The variables of the comprehensions around what is lowered.
    comprehensions: Vec<HashMap<String, Place>>,
    /// Names that only an import binds, with the module.
    modules: HashMap<String, String>,
}

/// Lowers one file.
#[derive(Debug)]
pub(crate) struct Lowerer<'a> {
    source: &'a str,
    line_starts: Vec<u32>,
    pub(crate) globals: IndexSet<Str>,
    scopes: Vec<Scope>,
}

impl<'a> Lowerer<'a> {
    pub(crate) fn new(source: &'a str, names: Names, imports: HashMap<String, String>) -> Self {
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(newlines.map(|(offset, _)| u32::try_from(offset + 1).unwrap_or(u32::MAX)))
            .collect();
        let mut lowerer = Lowerer { source, line_starts, globals: IndexSet::new(), scopes: Vec::new() };
        lowerer.scopes.push(Scope::new(Kind::Module, names));
        if let Some(scope) = lowerer.scopes.last_mut() {
            scope.modules = imports;
        }
        lowerer
    }

    /// How many slots and cells the statements of the module need.
    pub(crate) fn module_frame(&self) -> (usize, usize) {
        self.scopes.first().map_or((0, 0), |scope| (scope.slots.len(), scope.cells.len()))
    }

    pub(crate) fn line(&self, node: &impl Ranged) -> u32 {
        self.line_at(node.range().start())
    }

    fn line_at(&self, offset: TextSize) -> u32 {
        let index = self.line_starts.partition_point(|start| *start <= u32::from(offset));
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    pub(crate) fn global(&mut self, name: &str) -> usize {
        match self.globals.get_index_of(name) {
            Some(index) => index,
            None => self.globals.insert_full(Str::from(name)).0,
        }
    }

    fn unsupported(&self, what: &str, node: &impl Ranged) -> Expr {
        Expr::Unsupported(Str::from(what), self.line(node))
    }

    fn scope(&mut self) -> &mut Scope {
        let last = self.scopes.len().saturating_sub(1);
        &mut self.scopes[last]
    }

    /// Whether a statement of the module itself is lowered.
    fn in_module(&self) -> bool {
        self.scopes.len() == 1
    }

    /// Where a name is, seen from the innermost scope.
    fn resolve(&mut self, name: &str) -> Place {
        let level = self.scopes.len() - 1;
        let scope = &self.scopes[level];
        if let Some(place) = scope.comprehension_place(name) {
            return place;
        }
        let place = match scope.kind {
            Kind::Module => None,
            Kind::Class if scope.names.bound.contains(name) => return Place::Class(self.global(name)),
            _ if scope.names.globals.contains(name) => None,
            _ => scope.places.get(name).copied().or_else(|| self.free(level, name)),
        };
        place.unwrap_or_else(|| Place::Global(self.global(name)))
    }

    /// A variable of an enclosing function.
    fn free(&mut self, level: usize, name: &str) -> Option<Place> {
        let parent = level.checked_sub(1)?;
        let scope = &self.scopes[parent];
        let outer = match scope.comprehension_place(name) {
            Some(place) => place,
            None => match scope.kind {
                Kind::Module => return None,
                Kind::Class => self.free(parent, name)?,
                _ if scope.names.globals.contains(name) => return None,
                _ => match scope.places.get(name) {
                    Some(place) => *place,
                    None => self.free(parent, name)?,
                },
            },
        };
        let capture = match outer {
            Place::Cell(index) => Capture::Cell(index),
            Place::Free(index) => Capture::Free(index),
            // The analysis makes cells of all that is captured.
            Place::Slot(_) | Place::Global(_) | Place::Class(_) => return None,
        };
        let captures = &mut self.scopes[level].captures;
        let index = captures.iter().position(|(known, _)| *known == capture).unwrap_or_else(|| {
            captures.push((capture, Str::from(name)));
            captures.len() - 1
        });
        Some(Place::Free(index))
    }

    /// The module that a name is bound to by imports alone.
    fn module_of(&self, name: &str) -> Option<String> {
        for scope in self.scopes.iter().rev() {
            if scope.comprehension_place(name).is_some() {
                return None;
            }
            if let Some(module) = scope.modules.get(name) {
                return Some(module.clone());
            }
            if scope.names.bound.contains(name) {
                return None;
            }
        }
        None
    }
}

impl Scope {
    fn new(kind: Kind, names: Names) -> Self {
        Scope {
            kind,
            names,
            places: HashMap::new(),
            slots: Vec::new(),
            cells: Vec::new(),
            captures: Vec::new(),
            comprehensions: Vec::new(),
            modules: HashMap::new(),
        }
    }

    fn comprehension_place(&self, name: &str) -> Option<Place> {
        self.comprehensions.iter().rev().find_map(|places| places.get(name).copied())
    }

    /// A new variable.
    fn variable(&mut self, name: &str, captured: bool) -> Place {
        if captured {
            self.cells.push(Str::from(name));
            Place::Cell(self.cells.len() - 1)
        } else {
            self.slots.push(Str::from(name));
            Place::Slot(self.slots.len() - 1)
        }
    }
}

/// The modules that the imports of a body bind names to, where nothing else binds the name.
pub(crate) fn imported_modules<'a>(body: impl IntoIterator<Item = &'a ast::Stmt>) -> HashMap<String, String> {
    let mut modules = HashMap::new();
    let mut others = Vec::new();
    collect(body, &mut modules, &mut others);
    for name in others {
        modules.remove(&name);
    }
    modules
}

fn collect<'a>(
    body: impl IntoIterator<Item = &'a ast::Stmt>,
    modules: &mut HashMap<String, String>,
    others: &mut Vec<String>,
) {
    for stmt in body {
        match stmt {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    let (name, module) = match &alias.asname {
                        Some(name) => (name.to_string(), alias.name.to_string()),
                        None => {
                            let first = alias.name.split('.').next().unwrap_or_default().to_owned();
                            (first.clone(), first)
                        }
                    };
                    if modules.insert(name.clone(), module.clone()).is_some_and(|other| other != module) {
                        others.push(name);
                    }
                }
            }
            ast::Stmt::Try(stmt) => {
                collect(&stmt.body, modules, others);
                for ast::ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
                    collect(&handler.body, modules, others);
                }
                collect(&stmt.orelse, modules, others);
            }
            ast::Stmt::If(stmt) => {
                collect(&stmt.body, modules, others);
                stmt.elif_else_clauses.iter().for_each(|clause| collect(&clause.body, modules, others));
            }
            other => {
                let names = super::scope::names_of(None, super::scope::Body::Statements(std::slice::from_ref(other)));
                others.extend(names.bound);
            }
        }
    }
}
