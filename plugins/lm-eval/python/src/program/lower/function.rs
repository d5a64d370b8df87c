//! Functions, lambdas, classes, comprehensions and generator expressions: whatever has variables of its own.

use std::collections::HashMap;
use std::sync::Arc;

use ruff_python_ast::{self as ast};
use ruff_text_size::Ranged;

use super::super::ir::{
    ClassDefinition, Clause, Code, Comprehension, Definition, Expr, Generator, Kind as Collection, Parameter, Place,
    Stmt, StmtKind,
};
use super::super::scope::{Body, Names, names_of, target_names};
use super::{Kind, Lowerer, Scope, imported_modules};
use crate::value::Str;

impl Lowerer<'_> {
    fn enter(&mut self, kind: Kind, names: Names) {
        let mut scope = Scope::new(kind, names);
        if kind != Kind::Class {
            let bound: Vec<String> = scope.names.bound.iter().cloned().collect();
            for name in bound {
                let captured = scope.names.inner.contains(&name);
                let place = scope.variable(&name, captured);
                scope.places.insert(name, place);
            }
        }
        self.scopes.push(scope);
    }

    fn leave(&mut self, name: &str, line: u32, body: Vec<Stmt>) -> Code {
        let scope = self.scopes.pop().unwrap_or_else(|| Scope::new(Kind::Function, Names::default()));
        Code {
            name: Str::from(name),
            line,
            parameters: Vec::new(),
            positional_only: 0,
            positional: 0,
            rest: None,
            named_rest: None,
            slots: scope.slots,
            cells: scope.cells,
            captures: scope.captures,
            body,
            text: None,
        }
    }

    /// A `def`.
    pub(super) fn definition(&mut self, def: &ast::StmtFunctionDef) -> Definition {
        let decorators: Vec<(Expr, u32)> = def
            .decorator_list
            .iter()
            .map(|decorator| (self.expr(&decorator.expression), self.line(&decorator.expression)))
            .collect();
        let defaults = self.defaults(&def.parameters);
        let names = names_of(Some(&def.parameters), Body::Statements(&def.body));
        let refused = match (def.is_async, names.yields, def.type_params.is_some()) {
            (true, ..) => Some("a function that is `async`"),
            (_, true, _) => Some("a function with `yield`"),
            (_, _, true) => Some("type parameters"),
            _ => None,
        };
        self.enter(Kind::Function, names);
        self.scope().modules = imported_modules(&def.body);
        let body = match refused {
            Some(what) => vec![Stmt { line: self.line(def), kind: StmtKind::Unsupported(Str::from(what)) }],
            None => self.statements(&def.body),
        };
        let mut code = self.finish_function(&def.name, self.line(&def.name), &def.parameters, body);
        code.text = self.source.get(def.range().to_std_range()).map(Str::from);
        Definition { code: Arc::new(code), defaults, decorators }
    }

    pub(super) fn lambda(&mut self, lambda: &ast::ExprLambda) -> Definition {
        let empty = ast::Parameters::default();
        let parameters = lambda.parameters.as_deref().unwrap_or(&empty);
        let defaults = self.defaults(parameters);
        let names = names_of(Some(parameters), Body::Expr(&lambda.body));
        self.enter(Kind::Function, names);
        let line = self.line(lambda);
        let body = vec![Stmt { line, kind: StmtKind::Return(self.expr(&lambda.body)) }];
        let code = self.finish_function("<lambda>", line, parameters, body);
        Definition { code: Arc::new(code), defaults, decorators: Vec::new() }
    }

    fn defaults(&mut self, parameters: &ast::Parameters) -> Vec<(usize, Expr)> {
        let mut defaults = Vec::new();
        for (index, parameter) in parameters.iter_non_variadic_params().enumerate() {
            if let Some(default) = &parameter.default {
                defaults.push((index, self.expr(default)));
            }
        }
        defaults
    }

    fn finish_function(&mut self, name: &str, line: u32, parameters: &ast::Parameters, body: Vec<Stmt>) -> Code {
        let place = |scope: &mut Scope, name: &str| scope.places.get(name).copied().unwrap_or(Place::Slot(0));
        let scope = self.scope();
        let own: Vec<Parameter> = parameters
            .iter_non_variadic_params()
            .map(|parameter| Parameter {
                name: Str::from(parameter.parameter.name.as_str()),
                place: place(scope, &parameter.parameter.name),
            })
            .collect();
        let rest = parameters.vararg.as_ref().map(|parameter| place(scope, &parameter.name));
        let named_rest = parameters.kwarg.as_ref().map(|parameter| place(scope, &parameter.name));
        let mut code = self.leave(name, line, body);
        code.parameters = own;
        code.positional_only = parameters.posonlyargs.len();
        code.positional = parameters.posonlyargs.len() + parameters.args.len();
        code.rest = rest;
        code.named_rest = named_rest;
        code
    }

    pub(super) fn class(&mut self, def: &ast::StmtClassDef) -> Result<ClassDefinition, String> {
        if def.type_params.is_some() {
            return Err("type parameters".to_owned());
        }
        let decorators: Vec<(Expr, u32)> = def
            .decorator_list
            .iter()
            .map(|decorator| (self.expr(&decorator.expression), self.line(&decorator.expression)))
            .collect();
        let mut bases = Vec::new();
        if let Some(arguments) = &def.arguments {
            if !arguments.keywords.is_empty() {
                return Err("a class with a metaclass".to_owned());
            }
            bases = arguments.args.iter().map(|base| self.expr(base)).collect();
        }
        let names = names_of(None, Body::Statements(&def.body));
        self.enter(Kind::Class, names);
        let body = self.statements(&def.body);
        let mut code = self.leave(&def.name, self.line(&def.name), body);
        code.text = self.source.get(def.range().to_std_range()).map(Str::from);
        let annotated = def.body.iter().filter_map(annotated).collect();
        Ok(ClassDefinition { name: Str::from(def.name.as_str()), bases, decorators, annotated, code: Arc::new(code) })
    }

    /// A comprehension: part of its function, with variables that nothing else sees.
    pub(super) fn comprehension(
        &mut self,
        kind: Collection,
        elements: (&ast::Expr, Option<&ast::Expr>),
        generators: &[ast::Comprehension],
    ) -> Expr {
        if let Some(generator) = generators.iter().find(|generator| generator.is_async) {
            return self.unsupported("an asynchronous comprehension", generator);
        }
        if self.scope().kind == Kind::Class
            && let Some(first) = generators.first()
        {
            return self.unsupported("a comprehension in the body of a class", first);
        }
        let visited: Vec<&ast::Expr> = std::iter::once(elements.0).chain(elements.1).collect();
        let names = names_of(None, Body::Comprehension(visited, generators));
        let mut targets = Vec::new();
        generators.iter().for_each(|generator| target_names(&generator.target, &mut targets));
        let first = generators.first().map(|first| self.expr(&first.iter));
        let mut places = HashMap::new();
        let (mut cells, mut slots) = (Vec::new(), Vec::new());
        for name in targets {
            let captured = names.inner.contains(&name);
            let place = *places.entry(name.clone()).or_insert_with(|| self.scope().variable(&name, captured));
            match place {
                Place::Cell(index) => cells.push(index),
                Place::Slot(index) => slots.push(index),
                _ => {}
            }
        }
        self.scope().comprehensions.push(places);
        let clauses = self.clauses(generators, first);
        let element = self.expr(elements.0);
        let value = elements.1.map(|value| self.expr(value));
        self.scope().comprehensions.pop();
        Expr::Comprehension(Box::new(Comprehension { kind, element, value, clauses, cells, slots }))
    }

    fn clauses(&mut self, generators: &[ast::Comprehension], mut first: Option<Expr>) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for generator in generators {
            let iterable = first.take().unwrap_or_else(|| self.expr(&generator.iter));
            let target = self.target(&generator.target);
            let conditions = generator.ifs.iter().map(|test| self.expr(test)).collect();
            clauses.push(match target {
                Ok(target) => Clause { target, iterable, conditions },
                Err(refused) => {
                    let target = super::super::ir::Target::Unpack(Vec::new(), None);
                    Clause { target, iterable: refused, conditions }
                }
            });
            // Only the first iterable is evaluated before the others.
            first = None;
        }
        clauses
    }

    pub(super) fn generator(&mut self, generator: &ast::ExprGenerator) -> Expr {
        let Some(outer) = generator.generators.first() else {
            return self.unsupported("a generator expression without a clause", generator);
        };
        if let Some(clause) = generator.generators.iter().find(|clause| clause.is_async) {
            return self.unsupported("an asynchronous generator expression", clause);
        }
        if self.scope().kind == Kind::Class {
            return self.unsupported("a generator expression in the body of a class", generator);
        }
        let first = self.expr(&outer.iter);
        let names = names_of(None, Body::Comprehension(vec![&generator.elt], &generator.generators));
        self.enter(Kind::Generator, names);
        // What stands for the first iterable is never evaluated inside.
        let placeholder = Expr::Const(super::super::ir::Const::None);
        let clauses = self.clauses(&generator.generators, Some(placeholder));
        let element = self.expr(&generator.elt);
        let code = self.leave("<genexpr>", self.line(generator), Vec::new());
        Expr::Generator(Arc::new(Generator { code, element, first, clauses }))
    }
}

/// The name that a statement of a class annotates as one of each instance.
fn annotated(stmt: &ast::Stmt) -> Option<Str> {
    let ast::Stmt::AnnAssign(stmt) = stmt else { return None };
    let of_class = match &*stmt.annotation {
        ast::Expr::Subscript(annotation) => is_class_variable(&annotation.value),
        annotation => is_class_variable(annotation),
    };
    let name = stmt.target.as_name_expr().filter(|_| !of_class)?;
    Some(Str::from(name.id.as_str()))
}

fn is_class_variable(annotation: &ast::Expr) -> bool {
    match annotation {
        ast::Expr::Name(name) => name.id.as_str() == "ClassVar",
        ast::Expr::Attribute(attribute) => attribute.attr.as_str() == "ClassVar",
        _ => false,
    }
}
