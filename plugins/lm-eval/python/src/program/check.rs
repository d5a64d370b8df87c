//! Whether all that a function uses is implemented, without running it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::imports::{Imported, import};
use super::ir::{
    Attribute, Call, ClassDefinition, Clause, Code, Const, Definition, Expr, FormatPart, Import, Place, Stmt, StmtKind,
    Target,
};
use super::{Library, Module, Program};
use crate::error::Refusal;
use crate::value::Str;
use crate::{modules, types};

/// What a function reaches.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Names of modules, each by the file and its index there.
    names: BTreeSet<(PathBuf, usize)>,
    /// Statements of modules.
    statements: Vec<(Arc<Module>, usize)>,
    /// Whether modules read files.
    reads: bool,
    /// What takes random numbers from the generator of the module `random`, and whether anything gives it a seed.
    random: Option<Refusal>,
    seeds: bool,
    /// What they read: the names of files, and their texts.
    files: Vec<(String, Str)>,
}

impl Reached {
    /// The text of all statements that are reached.
    pub(crate) fn text(&self) -> String {
        let mut ordered: Vec<&(Arc<Module>, usize)> = self.statements.iter().collect();
        ordered.sort_by(|(a, i), (b, j)| (&a.name, &a.path, i).cmp(&(&b.name, &b.path, j)));
        let texts: Vec<&str> = ordered.iter().map(|(module, index)| &*module.statements[*index].text).collect();
        let files = self.files.iter().map(|(name, text)| format!("\n{name}\n{text}"));
        texts.join("\n") + &files.collect::<String>()
    }

    /// The names of modules that are reached, in the order of their statements.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&PathBuf, usize)> {
        self.names.iter().map(|(path, global)| (path, *global))
    }
}

/// All that a name of a module reaches.
pub(crate) fn reach(library: &Library, module: &Arc<Module>, name: &str) -> Result<Reached, Refusal> {
    let mut walk = Walk {
        library,
        module: Arc::clone(module),
        reached: Reached::default(),
        attributes: Vec::new(),
        dynamic: false,
    };
    walk.attributes.push(Arc::clone(module));
    let Some(global) = module.globals.get_index_of(name).filter(|global| !module.makers_of(*global).is_empty()) else {
        if !module.dynamic.is_empty() {
            walk.dynamic()?;
            let program = Program { library: library.clone(), module: Arc::clone(module) };
            if crate::Session::new(&program).has_dynamic(&walk.reached, name)? {
                return walk.finish();
            }
        }
        let what = format!("the function `{name}`, which the file does not have");
        return Err(Refusal { file: Some(module.name.clone()), line: None, what });
    };
    walk.global(global, 0)?;
    walk.finish()
}

struct Walk<'a> {
    library: &'a Library,
    module: Arc<Module>,
    reached: Reached,
    /// The modules whose classes objects may have their attributes from.
    attributes: Vec<Arc<Module>>,
    /// Whether a statement is looked at that may call `globals`.
    dynamic: bool,
}

type Check = Result<(), Refusal>;

impl Walk<'_> {
    fn finish(mut self) -> Result<Reached, Refusal> {
        if let (Some(refusal), false) = (&self.reached.random, self.reached.seeds) {
            return Err(refusal.clone());
        }
        if self.reached.reads {
            let program = Program { library: self.library.clone(), module: Arc::clone(&self.module) };
            self.reached.files = crate::Session::new(&program).files_of(&self.reached)?;
        }
        Ok(self.reached)
    }

    fn refuse(&self, what: impl Into<String>, line: u32) -> Refusal {
        Refusal::new(what).at(&self.module.name, line)
    }

    fn global(&mut self, global: usize, line: u32) -> Check {
        let module = Arc::clone(&self.module);
        let makers = module.makers_of(global);
        if makers.is_empty() {
            let Some(name) = module.globals.get_index(global) else { return Ok(()) };
            if self.dynamic && &**name == "globals" {
                return Ok(());
            }
            return match modules::builtin_state(name) {
                modules::BuiltinState::Refused => Err(self.refuse(format!("the function `{name}`"), line)),
                // Without a binding a name is an error when it is used, as in Python.
                modules::BuiltinState::Implemented | modules::BuiltinState::Unknown => Ok(()),
            };
        }
        if !self.reached.names.insert((module.path.clone(), global)) {
            return Ok(());
        }
        for index in makers {
            self.reached.statements.push((Arc::clone(&module), *index));
            self.stmt(&module.statements[*index].stmt)?;
        }
        Ok(())
    }

    /// The statements that bind names by `globals`.
    fn dynamic(&mut self) -> Check {
        let module = Arc::clone(&self.module);
        for index in &module.dynamic {
            self.reached.statements.push((Arc::clone(&module), *index));
            self.dynamic = true;
            let checked = self.stmt(&module.statements[*index].stmt);
            self.dynamic = false;
            checked?;
        }
        Ok(())
    }

    fn in_module(&mut self, module: &Arc<Module>, walk: impl FnOnce(&mut Self) -> Check) -> Check {
        let before = std::mem::replace(&mut self.module, Arc::clone(module));
        if !self.attributes.iter().any(|known| Arc::ptr_eq(known, module)) {
            self.attributes.push(Arc::clone(module));
        }
        let result = walk(self);
        self.module = before;
        result
    }

    fn stmts(&mut self, stmts: &[Stmt]) -> Check {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Check {
        let line = stmt.line;
        match &stmt.kind {
            StmtKind::Pass | StmtKind::Break | StmtKind::Continue => Ok(()),
            StmtKind::Expr(value) | StmtKind::Return(value) => self.expr(value, line),
            StmtKind::Assign(targets, value) => {
                self.expr(value, line)?;
                targets.iter().try_for_each(|target| self.target(target, line))
            }
            StmtKind::Augment(target, _, value) => {
                self.target(target, line)?;
                self.expr(value, line)
            }
            StmtKind::For { target, iterable, body, otherwise } => {
                self.expr(iterable, line)?;
                self.target(target, line)?;
                self.stmts(body)?;
                self.stmts(otherwise)
            }
            StmtKind::While { test, body, otherwise } => {
                self.expr(test, line)?;
                self.stmts(body)?;
                self.stmts(otherwise)
            }
            StmtKind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.is_false(test) {
                        continue;
                    }
                    self.expr(test, line)?;
                    self.stmts(body)?;
                }
                self.stmts(otherwise)
            }
            StmtKind::Function(definition, _) => self.definition(definition, line),
            StmtKind::Class(class, _) => self.class(class, line),
            StmtKind::Import(imports) => imports.iter().try_for_each(|import| self.import(import, line)),
            StmtKind::Try { body, handlers, otherwise, finally } => {
                self.stmts(body)?;
                for handler in handlers {
                    if let Some(class) = &handler.class {
                        self.expr(class, line)?;
                    }
                    self.stmts(&handler.body)?;
                }
                self.stmts(otherwise)?;
                self.stmts(finally)
            }
            StmtKind::Raise(value, cause) => {
                [value, cause].into_iter().flatten().try_for_each(|value| self.expr(value, line))
            }
            StmtKind::Assert(test, message) => {
                self.expr(test, line)?;
                message.as_ref().map_or(Ok(()), |message| self.expr(message, line))
            }
            StmtKind::Delete(targets) => targets.iter().try_for_each(|target| self.target(target, line)),
            StmtKind::With(items, body) => {
                self.reached.reads = true;
                for (object, target) in items {
                    self.expr(object, line)?;
                    if let Some(target) = target {
                        self.target(target, line)?;
                    }
                }
                self.stmts(body)
            }
            StmtKind::Unsupported(what) => Err(self.refuse(&**what, line)),
        }
    }

    /// `if TYPE_CHECKING` and `if __name__ == "__main__"` have bodies that never run.
    fn is_false(&self, test: &Expr) -> bool {
        let named = |expr: &Expr, wanted: &str| match expr {
            Expr::Name(Place::Global(index)) => {
                self.module.globals.get_index(*index).is_some_and(|name| &**name == wanted)
            }
            Expr::Attribute(attribute) => &*attribute.name == wanted,
            _ => false,
        };
        match test {
            Expr::Compare(left, right) => {
                named(left, "__name__")
                    && matches!(right.as_slice(), [(_, Expr::Const(Const::Str(text)))] if &**text == "__main__")
            }
            other => named(other, "TYPE_CHECKING"),
        }
    }

    fn definition(&mut self, definition: &Definition, line: u32) -> Check {
        for (decorator, line) in &definition.decorators {
            self.expr(decorator, *line)?;
        }
        definition.defaults.iter().try_for_each(|(_, default)| self.expr(default, line))?;
        self.code(&definition.code)
    }

    fn code(&mut self, code: &Code) -> Check {
        self.stmts(&code.body)
    }

    fn class(&mut self, class: &ClassDefinition, line: u32) -> Check {
        for (decorator, line) in &class.decorators {
            self.expr(decorator, *line)?;
        }
        class.bases.iter().try_for_each(|base| self.expr(base, line))?;
        if let Some(refused) = crate::run::class::refused_members(class) {
            return Err(self.refuse(refused, class.code.line));
        }
        self.code(&class.code)
    }

    fn import(&mut self, wanted: &Import, line: u32) -> Check {
        let found = import(self.library, &self.module, &wanted.module, wanted.name.as_deref());
        match found.map_err(|refusal| refusal.at(&self.module.name, line))? {
            Imported::Module(_) | Imported::Item(..) | Imported::File(_) => Ok(()),
            Imported::FileItem(module, name) => match module.globals.get_index_of(name.as_str()) {
                Some(global) => self.in_module(&module, |walk| walk.global(global, line)),
                None => Ok(()),
            },
        }
    }

    fn target(&mut self, target: &Target, line: u32) -> Check {
        match target {
            Target::Name(_) => Ok(()),
            Target::Attribute(object, _) => self.expr(object, line),
            Target::Subscript(parts) => {
                self.expr(&parts.0, line)?;
                self.expr(&parts.1, line)
            }
            Target::Unpack(targets, _) => targets.iter().try_for_each(|target| self.target(target, line)),
        }
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>, line: u32) -> Check {
        exprs.into_iter().try_for_each(|expr| self.expr(expr, line))
    }

    fn expr(&mut self, expr: &Expr, line: u32) -> Check {
        match expr {
            Expr::Const(_) => Ok(()),
            Expr::Name(Place::Global(global) | Place::Class(global)) => self.global(*global, line),
            Expr::Name(_) => Ok(()),
            Expr::And(values) | Expr::Or(values) => self.exprs(values, line),
            Expr::Not(value) | Expr::Unary(_, value) => self.expr(value, line),
            Expr::Binary(_, sides) => self.exprs([&sides.0, &sides.1], line),
            Expr::Subscript(sides) => {
                self.expr(&sides.0, line)?;
                self.expr(&sides.1, line)
            }
            Expr::Compare(left, right) => {
                self.expr(left, line)?;
                self.exprs(right.iter().map(|(_, value)| value), line)
            }
            Expr::If(parts) => self.exprs([&parts.0, &parts.1, &parts.2], line),
            Expr::List(items) | Expr::Tuple(items) | Expr::Set(items) => {
                self.exprs(items.iter().map(|item| &item.value), line)
            }
            Expr::Dict(entries) => {
                for (key, value) in entries {
                    self.exprs(key, line)?;
                    self.expr(value, line)?;
                }
                Ok(())
            }
            Expr::Comprehension(comprehension) => {
                self.clauses(&comprehension.clauses, line)?;
                self.expr(&comprehension.element, line)?;
                self.exprs(&comprehension.value, line)
            }
            Expr::Generator(generator) => {
                self.expr(&generator.first, line)?;
                self.clauses(&generator.clauses, line)?;
                self.expr(&generator.element, line)
            }
            Expr::Lambda(definition) => self.definition(definition, line),
            Expr::Call(call) => self.call(call),
            Expr::Attribute(attribute) => self.attribute(attribute),
            Expr::Slice(parts) => self.exprs(parts.iter().flatten(), line),
            Expr::Format(parts) => self.format(parts, line),
            Expr::Named(named) => self.expr(&named.1, line),
            Expr::Unsupported(what, line) => Err(self.refuse(&**what, *line)),
        }
    }

    fn clauses(&mut self, clauses: &[Clause], line: u32) -> Check {
        for clause in clauses {
            self.expr(&clause.iterable, line)?;
            self.target(&clause.target, line)?;
            self.exprs(&clause.conditions, line)?;
        }
        Ok(())
    }

    fn format(&mut self, parts: &[FormatPart], line: u32) -> Check {
        for part in parts {
            if let FormatPart::Value(value) = part {
                self.expr(&value.value, line)?;
                self.format(&value.spec, line)?;
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Check {
        self.expr(&call.function, call.line)?;
        self.exprs(call.args.iter().map(|arg| &arg.value), call.line)?;
        self.exprs(call.keywords.iter().map(|(_, value)| value), call.line)
    }

    fn attribute(&mut self, attribute: &Attribute) -> Check {
        let (name, line) = (&*attribute.name, attribute.line);
        let Some(module) = &attribute.module else {
            self.expr(&attribute.object, line)?;
            let known = types::is_attribute(name)
                || self.library.natives().has_attribute(name)
                || self.attributes.iter().any(|module| module.attributes.contains(name));
            return if known { Ok(()) } else { Err(self.refuse(format!("the method or attribute `{name}`"), line)) };
        };
        if &**module == "random" && name != "Random" {
            self.reached.seeds |= name == "seed";
            let refusal = self.refuse(format!("`random.{name}` without a seed"), line);
            self.reached.random.get_or_insert(refusal);
        }
        match import(self.library, &self.module, module, Some(name)) {
            Ok(Imported::FileItem(file, name)) => match file.globals.get_index_of(name.as_str()) {
                Some(global) => self.in_module(&file, |walk| walk.global(global, line)),
                None => Ok(()),
            },
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.at(&self.module.name, line)),
        }
    }
}
