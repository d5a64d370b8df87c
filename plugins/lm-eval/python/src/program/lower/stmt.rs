//! Statements.

use ruff_python_ast::{self as ast};

use super::super::ir::{Expr, Handler, Import, Place, Stmt, StmtKind, Target};
use super::expr::binary;
use super::{Kind, Lowerer};
use crate::value::Str;

impl Lowerer<'_> {
    pub(super) fn statements(&mut self, body: &[ast::Stmt]) -> Vec<Stmt> {
        body.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    pub(crate) fn stmt(&mut self, stmt: &ast::Stmt) -> Stmt {
        let line = self.line(stmt);
        let kind = self.kind(stmt).unwrap_or_else(|refused| match refused {
            Expr::Unsupported(what, _) => StmtKind::Unsupported(what),
            other => StmtKind::Expr(other),
        });
        Stmt { line, kind }
    }

    fn kind(&mut self, stmt: &ast::Stmt) -> Result<StmtKind, Expr> {
        Ok(match stmt {
            ast::Stmt::Pass(_) | ast::Stmt::Global(_) | ast::Stmt::Nonlocal(_) => StmtKind::Pass,
            ast::Stmt::Expr(stmt) => StmtKind::Expr(self.expr(&stmt.value)),
            ast::Stmt::Assign(stmt) => {
                let value = self.expr(&stmt.value);
                let targets = stmt.targets.iter().map(|target| self.target(target)).collect::<Result<_, _>>()?;
                StmtKind::Assign(targets, value)
            }
            ast::Stmt::AnnAssign(stmt) => match &stmt.value {
                Some(value) => {
                    let value = self.expr(value);
                    StmtKind::Assign(vec![self.target(&stmt.target)?], value)
                }
                None => StmtKind::Pass,
            },
            ast::Stmt::AugAssign(stmt) => match binary(stmt.op) {
                Some(operator) => StmtKind::Augment(self.target(&stmt.target)?, operator, self.expr(&stmt.value)),
                None => return Err(self.unsupported("the operator `@=`", stmt)),
            },
            ast::Stmt::For(stmt) if stmt.is_async => return Err(self.unsupported("`async for`", stmt)),
            ast::Stmt::For(stmt) => StmtKind::For {
                iterable: self.expr(&stmt.iter),
                target: self.target(&stmt.target)?,
                body: self.statements(&stmt.body),
                otherwise: self.statements(&stmt.orelse),
            },
            ast::Stmt::While(stmt) => StmtKind::While {
                test: self.expr(&stmt.test),
                body: self.statements(&stmt.body),
                otherwise: self.statements(&stmt.orelse),
            },
            ast::Stmt::If(stmt) => {
                let mut branches = vec![(self.expr(&stmt.test), self.statements(&stmt.body))];
                let mut otherwise = Vec::new();
                for clause in &stmt.elif_else_clauses {
                    match &clause.test {
                        Some(test) => branches.push((self.expr(test), self.statements(&clause.body))),
                        None => otherwise = self.statements(&clause.body),
                    }
                }
                StmtKind::If(branches, otherwise)
            }
            ast::Stmt::Return(stmt) => StmtKind::Return(match &stmt.value {
                Some(value) => self.expr(value),
                None => Expr::Const(super::super::ir::Const::None),
            }),
            ast::Stmt::Break(_) => StmtKind::Break,
            ast::Stmt::Continue(_) => StmtKind::Continue,
            ast::Stmt::FunctionDef(def) => {
                let definition = self.definition(def);
                StmtKind::Function(Box::new(definition), self.resolve(&def.name))
            }
            ast::Stmt::ClassDef(def) => match self.class(def) {
                Ok(definition) => StmtKind::Class(Box::new(definition), self.resolve(&def.name)),
                Err(what) => return Err(self.unsupported(&what, stmt)),
            },
            ast::Stmt::Import(stmt) => StmtKind::Import(
                stmt.names
                    .iter()
                    .map(|alias| {
                        let first = alias.name.split('.').next().unwrap_or_default();
                        let bound = alias.asname.as_ref().map_or(first, |name| name.as_str());
                        Import {
                            module: Str::from(alias.name.as_str()),
                            name: None,
                            first_part: alias.asname.is_none(),
                            place: self.resolve(bound),
                        }
                    })
                    .collect(),
            ),
            ast::Stmt::ImportFrom(stmt) => {
                let dots = ".".repeat(stmt.level as usize);
                let module = format!("{dots}{}", stmt.module.as_ref().map_or("", |module| module.as_str()));
                let mut imports = Vec::new();
                for alias in &stmt.names {
                    if alias.name.as_str() == "*" {
                        return Err(self.unsupported("`import *`", stmt));
                    }
                    imports.push(Import {
                        module: Str::from(module.as_str()),
                        name: Some(Str::from(alias.name.as_str())),
                        first_part: false,
                        place: self.resolve(alias.asname.as_ref().unwrap_or(&alias.name)),
                    });
                }
                StmtKind::Import(imports)
            }
            ast::Stmt::Try(stmt) if stmt.is_star => return Err(self.unsupported("`except*`", stmt)),
            ast::Stmt::Try(stmt) => {
                let body = self.statements(&stmt.body);
                let mut handlers = Vec::new();
                for ast::ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
                    handlers.push(Handler {
                        class: handler.type_.as_ref().map(|class| self.expr(class)),
                        place: handler.name.as_ref().map(|name| self.resolve(name)),
                        body: self.statements(&handler.body),
                    });
                }
                let otherwise = self.statements(&stmt.orelse);
                StmtKind::Try { body, handlers, otherwise, finally: self.statements(&stmt.finalbody) }
            }
            ast::Stmt::Raise(stmt) => StmtKind::Raise(
                stmt.exc.as_ref().map(|value| self.expr(value)),
                stmt.cause.as_ref().map(|value| self.expr(value)),
            ),
            ast::Stmt::Assert(stmt) => {
                StmtKind::Assert(self.expr(&stmt.test), stmt.msg.as_ref().map(|message| self.expr(message)))
            }
            ast::Stmt::Delete(stmt) => {
                StmtKind::Delete(stmt.targets.iter().map(|target| self.target(target)).collect::<Result<_, _>>()?)
            }
            ast::Stmt::With(with) => {
                // Only files that a module reads when it is imported.
                if with.is_async || !self.in_module() {
                    return Err(self.unsupported("`with`", stmt));
                }
                let mut items = Vec::new();
                for item in &with.items {
                    let object = self.expr(&item.context_expr);
                    let target = item.optional_vars.as_ref().map(|target| self.target(target)).transpose()?;
                    items.push((object, target));
                }
                StmtKind::With(items, self.statements(&with.body))
            }
            ast::Stmt::Match(_) => return Err(self.unsupported("`match`", stmt)),
            ast::Stmt::TypeAlias(_) => return Err(self.unsupported("`type`", stmt)),
            ast::Stmt::IpyEscapeCommand(_) => return Err(self.unsupported("a command of IPython", stmt)),
        })
    }

    /// What is assigned to; else what refuses it.
    pub(super) fn target(&mut self, target: &ast::Expr) -> Result<Target, Expr> {
        Ok(match target {
            ast::Expr::Name(name) => Target::Name(self.resolve(&name.id)),
            ast::Expr::Attribute(attribute) => {
                Target::Attribute(Box::new(self.expr(&attribute.value)), Str::from(attribute.attr.as_str()))
            }
            ast::Expr::Subscript(subscript) => {
                Target::Subscript(Box::new((self.expr(&subscript.value), self.expr(&subscript.slice))))
            }
            ast::Expr::Tuple(tuple) => self.unpack(&tuple.elts)?,
            ast::Expr::List(list) => self.unpack(&list.elts)?,
            other => return Err(self.unsupported("an assignment to this kind of target", other)),
        })
    }

    fn unpack(&mut self, elements: &[ast::Expr]) -> Result<Target, Expr> {
        let mut starred = None;
        let mut targets = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            match element {
                ast::Expr::Starred(star) => {
                    starred = Some(index);
                    targets.push(self.target(&star.value)?);
                }
                other => targets.push(self.target(other)?),
            }
        }
        Ok(Target::Unpack(targets, starred))
    }

    /// The walrus binds a variable of the function, never one of a comprehension.
    pub(super) fn walrus(&mut self, named: &ast::ExprNamed) -> Expr {
        let ast::Expr::Name(name) = &*named.target else {
            return self.unsupported("an assignment expression to this kind of target", named);
        };
        if self.scope().kind == Kind::Generator || self.scope().kind == Kind::Class {
            return self.unsupported("an assignment expression in a generator expression or a class", named);
        }
        let value = self.expr(&named.value);
        let hidden = std::mem::take(&mut self.scope().comprehensions);
        let place: Place = self.resolve(&name.id);
        self.scope().comprehensions = hidden;
        Expr::Named(Box::new((Target::Name(place), value)))
    }
}
