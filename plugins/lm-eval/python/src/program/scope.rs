//! Which names a function binds, and which it uses: what decides where its variables are.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Comprehension, ExceptHandler, Expr, Parameters, Stmt};

/// Names of one function, without those of the functions in it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Bound here.
    pub(crate) bound: BTreeSet<String>,
    /// Declared `global`.
    pub(crate) globals: BTreeSet<String>,
    /// Declared `nonlocal`.
    pub(crate) nonlocals: BTreeSet<String>,
    /// Used by functions in it, which do not bind them.
    pub(crate) inner: BTreeSet<String>,
    /// Read or bound here.
    pub(crate) used: BTreeSet<String>,
    /// Whether it yields.
    pub(crate) yields: bool,
    /// The variables of the comprehensions around what is visited.
    hidden: Vec<String>,
}

/// The names of a body with its parameters.
pub(crate) fn names_of(parameters: Option<&Parameters>, body: Body) -> Names {
    let mut names = Names::default();
    if let Some(parameters) = parameters {
        names.bound.extend(parameters.iter().map(|parameter| parameter.name().to_string()));
    }
    match body {
        Body::Statements(body) => names.visit_body(body),
        Body::Expr(expr) => names.visit_expr(expr),
        Body::Comprehension(elements, generators) => names.comprehension(&elements, generators, true),
    }
    let outside = names.globals.union(&names.nonlocals).cloned().collect::<Vec<_>>();
    outside.iter().for_each(|name| {
        names.bound.remove(name);
    });
    names
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(crate) enum Body<'a> {
    Statements(&'a [Stmt]),
    Expr(&'a Expr),
    /// Elements and clauses, as if they were a function of their own.
    Comprehension(Vec<&'a Expr>, &'a [Comprehension]),
}

impl Names {
    /// What a function in this one uses and does not bind.
    fn function(&mut self, names: &Names) {
        let free = names.used.iter().chain(&names.inner).chain(&names.nonlocals);
        let free = free.filter(|name| !names.bound.contains(*name) && !names.globals.contains(*name));
        self.inner.extend(free.filter(|name| !self.hidden.contains(name)).cloned().collect::<Vec<_>>());
    }

    fn bind(&mut self, name: &str) {
        if !self.hidden.iter().any(|hidden| hidden == name) {
            self.bound.insert(name.to_owned());
        }
    }

    fn defaults(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = &parameter.default {
                self.visit_expr(default);
            }
        }
    }

    /// A comprehension: its variables hide those of the function. A generator expression is a function of its own.
    fn comprehension(&mut self, elements: &[&Expr], generators: &[Comprehension], own: bool) {
        let before = self.hidden.len();
        let mut targets = Vec::new();
        for generator in generators {
            target_names(&generator.target, &mut targets);
        }
        for (index, generator) in generators.iter().enumerate() {
            if index > 0 {
                self.visit_expr(&generator.iter);
            } else if own {
                // The first iterable is evaluated outside.
                self.bound.extend(targets.iter().cloned());
            } else {
                self.visit_expr(&generator.iter);
                self.hidden.append(&mut targets);
            }
            self.visit_expr(&generator.target);
            generator.ifs.iter().for_each(|test| self.visit_expr(test));
        }
        elements.iter().for_each(|element| self.visit_expr(element));
        self.hidden.truncate(before);
    }
}

/// The names that a target binds.
pub(crate) fn target_names(target: &Expr, names: &mut Vec<String>) {
    match target {
        Expr::Name(name) => names.push(name.id.to_string()),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|element| target_names(element, names)),
        Expr::List(list) => list.elts.iter().for_each(|element| target_names(element, names)),
        Expr::Starred(starred) => target_names(&starred.value, names),
        _ => {}
    }
}

impl<'a> Visitor<'a> for Names {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => {
                self.bind(&def.name);
                def.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                self.defaults(&def.parameters);
                let names = names_of(Some(&def.parameters), Body::Statements(&def.body));
                self.function(&names);
            }
            Stmt::ClassDef(def) => {
                self.bind(&def.name);
                def.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                if let Some(arguments) = &def.arguments {
                    self.visit_arguments(arguments);
                }
                let names = names_of(None, Body::Statements(&def.body));
                // Functions in a class do not see its names.
                let free = names.used.iter().chain(&names.inner).filter(|name| !names.globals.contains(*name));
                self.inner.extend(free.cloned());
            }
            Stmt::Global(global) => self.globals.extend(global.names.iter().map(ToString::to_string)),
            Stmt::Nonlocal(nonlocal) => self.nonlocals.extend(nonlocal.names.iter().map(ToString::to_string)),
            Stmt::Import(import) => {
                for alias in &import.names {
                    match &alias.asname {
                        Some(name) => self.bind(name),
                        None => self.bind(alias.name.split('.').next().unwrap_or_default()),
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.bind(alias.asname.as_ref().unwrap_or(&alias.name));
                }
            }
            Stmt::AnnAssign(assign) => {
                self.visit_expr(&assign.target);
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
            }
            other => visitor::walk_stmt(self, other),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.bind(name);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_annotation(&mut self, _expr: &'a Expr) {}

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => {
                if !self.hidden.iter().any(|hidden| *hidden == name.id.as_str()) {
                    self.used.insert(name.id.to_string());
                    if !name.ctx.is_load() {
                        self.bind(&name.id);
                    }
                }
            }
            Expr::Named(named) => {
                let mut targets = Vec::new();
                target_names(&named.target, &mut targets);
                self.bound.extend(targets);
                self.visit_expr(&named.value);
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.defaults(parameters);
                }
                let names = names_of(lambda.parameters.as_deref(), Body::Expr(&lambda.body));
                self.function(&names);
            }
            Expr::ListComp(comp) => self.comprehension(&[&comp.elt], &comp.generators, false),
            Expr::SetComp(comp) => self.comprehension(&[&comp.elt], &comp.generators, false),
            Expr::DictComp(comp) => {
                let elements: Vec<&Expr> = comp.key.as_deref().into_iter().chain([&*comp.value]).collect();
                self.comprehension(&elements, &comp.generators, false);
            }
            Expr::Generator(comp) => {
                let Some((first, _)) = comp.generators.split_first() else { return };
                self.visit_expr(&first.iter);
                let names = names_of(None, Body::Comprehension(vec![&comp.elt], &comp.generators));
                self.function(&names);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.yields = true;
                visitor::walk_expr(self, expr);
            }
            other => visitor::walk_expr(self, other),
        }
    }
}
