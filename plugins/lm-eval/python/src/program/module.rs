//! One Python file: its statements, and which of them decide what a name of the module is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::ir::Stmt;
use super::lower::{Lowerer, imported_modules};
use super::scope::{Body, names_of};
use crate::error::Refusal;
use crate::value::Str;

/// Methods that change what they are called on.
const CHANGING: &[&str] = &[
    "append",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "update",
    "setdefault",
    "clear",
    "sort",
    "reverse",
    "add",
    "discard",
    "seed",
    "shuffle",
    "register",
    "load",
    "download",
];

/// A file, read and lowered.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) path: PathBuf,
    /// What messages call it.
    pub(crate) name: String,
    pub(crate) globals: IndexSet<Str>,
    pub(crate) statements: Vec<Top>,
    pub(crate) slots: usize,
    pub(crate) cells: usize,
    /// For each name of the module, the statements that bind it or change what it is bound to.
    pub(crate) makers: HashMap<usize, Vec<usize>>,
    /// Statements that bind names which only running them tells: `globals().update(...)`.
    pub(crate) dynamic: Vec<usize>,
    /// Attributes that statements of this module give to objects.
    pub(crate) attributes: HashSet<String>,
}

/// A statement of a module.
#[derive(Debug)]
pub(crate) struct Top {
    pub(crate) stmt: Stmt,
    pub(crate) text: Str,
}

/// What a statement of a module does to names.
#[derive(Debug, Default)]
struct Effects {
    binds: BTreeSet<String>,
    /// What is changed in place.
    changes: BTreeSet<String>,
    /// Functions and other names that are called.
    calls: BTreeSet<String>,
    /// Names that it binds to what other names are bound to, maybe.
    aliases: Vec<(String, String)>,
}

impl Module {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Module, Refusal> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let refuse = |what: String| Refusal { file: Some(path.display().to_string()), line: None, what };
        let source = std::fs::read(path).map_err(|error| refuse(format!("the file cannot be read: {error}")))?;
        let source = String::from_utf8(source).map_err(|_| refuse("a file that is not in UTF-8".to_owned()))?;
        Module::parse(path, name, &source)
    }

    pub(crate) fn parse(path: &Path, name: String, source: &str) -> Result<Module, Refusal> {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source).replace("\r\n", "\n").replace('\r', "\n");
        let parsed = ruff_python_parser::parse_module(&source).map_err(|error| Refusal {
            file: Some(name.clone()),
            line: None,
            what: format!("a file that is no Python: {error}"),
        })?;
        let body = &parsed.syntax().body;
        let names = names_of(None, Body::Statements(body));
        let mut lowerer = Lowerer::new(&source, names, imported_modules(body));
        let statements: Vec<Top> = body
            .iter()
            .map(|stmt| Top {
                stmt: lowerer.stmt(stmt),
                text: Str::from(source.get(stmt.range().to_std_range()).unwrap_or_default()),
            })
            .collect();
        let dynamic = dynamic(body);
        let effects: Vec<Effects> = body.iter().map(effects).collect();
        let makers = makers(body, &effects, &mut lowerer);
        let mut attributes = Attributes::default();
        attributes.visit_body(body);
        let (slots, cells) = lowerer.module_frame();
        let globals = lowerer.globals;
        Ok(Module {
            path: path.to_owned(),
            name,
            globals,
            statements,
            slots,
            cells,
            makers,
            dynamic,
            attributes: attributes.0,
        })
    }

    /// The statements that a name of the module depends on.
    pub(crate) fn makers_of(&self, global: usize) -> &[usize] {
        self.makers.get(&global).map_or(&[], Vec::as_slice)
    }
}

fn makers(body: &[ast::Stmt], effects: &[Effects], lowerer: &mut Lowerer<'_>) -> HashMap<usize, Vec<usize>> {
    // What functions change when they are called, directly and through others.
    let mut functions: HashMap<&str, (BTreeSet<String>, BTreeSet<String>)> = HashMap::new();
    for stmt in body {
        if let ast::Stmt::FunctionDef(def) = stmt {
            let mut inside = Inside::default();
            inside.visit_body(&def.body);
            let names = names_of(Some(&def.parameters), Body::Statements(&def.body));
            let outer = |name: &String| !names.bound.contains(name);
            let mut changed: BTreeSet<String> = inside.changes.into_iter().filter(outer).collect();
            changed.extend(names.globals.iter().cloned());
            let called: BTreeSet<String> = inside.calls.into_iter().filter(outer).collect();
            functions.insert(&def.name, (changed, called));
        }
    }
    let changed_by = |names: &BTreeSet<String>| {
        let mut changed = BTreeSet::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut left: Vec<&str> = names.iter().map(String::as_str).collect();
        while let Some(name) = left.pop() {
            if seen.insert(name)
                && let Some((changes, calls)) = functions.get(name)
            {
                changed.extend(changes.iter().cloned());
                left.extend(calls.iter().map(String::as_str));
            }
        }
        changed
    };
    // Functions and modules are not changed by those that get them.
    let mut fixed: HashSet<&str> = effects.iter().flat_map(|effect| effect.binds.iter().map(String::as_str)).collect();
    for (stmt, effect) in body.iter().zip(effects) {
        if !matches!(stmt, ast::Stmt::FunctionDef(_) | ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_)) {
            effect.binds.iter().for_each(|name| {
                fixed.remove(name.as_str());
            });
        }
    }
    // Names that may be bound to the same object.
    let mut group: HashMap<&str, &str> = HashMap::new();
    fn leader<'n>(group: &HashMap<&'n str, &'n str>, mut name: &'n str) -> &'n str {
        while let Some(next) = group.get(name) {
            name = next;
        }
        name
    }
    for (left, right) in effects.iter().flat_map(|effect| &effect.aliases) {
        if fixed.contains(right.as_str()) {
            continue;
        }
        let (left, right) = (leader(&group, left), leader(&group, right));
        if left != right {
            group.insert(left, right);
        }
    }
    let mut makers: HashMap<usize, BTreeSet<usize>> = HashMap::new();
    let all: BTreeSet<&str> = effects.iter().flat_map(|effect| effect.binds.iter().map(String::as_str)).collect();
    for (index, effect) in effects.iter().enumerate() {
        let mut touched = effect.changes.clone();
        touched.extend(changed_by(&effect.calls));
        let touched = touched.iter().filter(|name| !fixed.contains(name.as_str()));
        let touched: HashSet<&str> = touched.map(|name| leader(&group, name)).collect();
        for name in &all {
            if effect.binds.contains(*name) || touched.contains(leader(&group, name)) {
                makers.entry(lowerer.global(name)).or_default().insert(index);
            }
        }
    }
    makers.into_iter().map(|(name, statements)| (name, statements.into_iter().collect())).collect()
}

/// The statements that call `globals`, themselves or by a function of the module.
fn dynamic(body: &[ast::Stmt]) -> Vec<usize> {
    let mut functions = HashSet::new();
    for stmt in body {
        if let ast::Stmt::FunctionDef(def) = stmt
            && names_of(Some(&def.parameters), Body::Statements(&def.body)).used.contains("globals")
        {
            functions.insert(def.name.as_str());
        }
    }
    let calls = |stmt: &ast::Stmt| match stmt {
        ast::Stmt::Expr(stmt) => match &*stmt.value {
            Expr::Call(call) => matches!(&*call.func, Expr::Name(name) if functions.contains(name.id.as_str())),
            _ => false,
        },
        _ => false,
    };
    (0..body.len()).filter(|index| binds_by_globals(&body[*index]) || calls(&body[*index])).collect()
}

/// Whether a statement of a module calls `globals`.
fn binds_by_globals(stmt: &ast::Stmt) -> bool {
    if matches!(stmt, ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_)) || never_runs(stmt) {
        return false;
    }
    names_of(None, Body::Statements(std::slice::from_ref(stmt))).used.contains("globals")
}

/// Whether a statement never runs when a module is imported.
pub(super) fn never_runs(stmt: &ast::Stmt) -> bool {
    let ast::Stmt::If(stmt) = stmt else { return false };
    if !stmt.elif_else_clauses.is_empty() {
        return false;
    }
    match &*stmt.test {
        Expr::Compare(compare) => {
            matches!(&*compare.left, Expr::Name(name) if name.id.as_str() == "__name__")
                && matches!(&*compare.comparators, [Expr::StringLiteral(text)] if text.value.to_str() == "__main__")
                && matches!(&*compare.ops, [ast::CmpOp::Eq])
        }
        Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        _ => false,
    }
}

fn effects(stmt: &ast::Stmt) -> Effects {
    if never_runs(stmt) {
        return Effects::default();
    }
    let names = names_of(None, Body::Statements(std::slice::from_ref(stmt)));
    let mut effects = Effects { binds: names.bound, ..Effects::default() };
    if matches!(stmt, ast::Stmt::FunctionDef(_) | ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_)) {
        return effects;
    }
    let mut inside = Inside::default();
    inside.visit_stmt(stmt);
    effects.changes = inside.changes;
    effects.calls = inside.calls;
    match stmt {
        ast::Stmt::Assign(_) | ast::Stmt::AnnAssign(_) | ast::Stmt::ClassDef(_) => {
            for bound in &effects.binds {
                effects.aliases.extend(inside.mentions.iter().map(|name| (bound.clone(), name.clone())));
            }
        }
        // What `globals().update` gets stays as it is.
        ast::Stmt::Expr(_) if binds_by_globals(stmt) => effects.changes.clear(),
        // Whatever is called here may change what it gets.
        ast::Stmt::Expr(_) => effects.changes.extend(inside.mentions),
        _ => {
            effects.changes.extend(inside.arguments);
            for bound in &effects.binds {
                effects.aliases.extend(inside.mentions.iter().map(|name| (bound.clone(), name.clone())));
            }
        }
    }
    effects
}

/// What the expressions and statements in something do to names.
#[derive(Debug, Default)]
struct Inside {
    changes: BTreeSet<String>,
    calls: BTreeSet<String>,
    /// Names that are read other than to be called.
    mentions: BTreeSet<String>,
    /// Those that stand in the arguments of calls.
    arguments: BTreeSet<String>,
}

/// The name that an attribute, an item or a method of it belongs to.
fn base_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => base_name(&attribute.value),
        Expr::Subscript(subscript) => base_name(&subscript.value),
        Expr::Call(call) => base_name(&call.func),
        _ => None,
    }
}

impl Inside {
    fn changed_target(&mut self, target: &Expr) {
        match target {
            Expr::Attribute(_) | Expr::Subscript(_) => self.changes.extend(base_name(target)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|element| self.changed_target(element)),
            Expr::List(list) => list.elts.iter().for_each(|element| self.changed_target(element)),
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Inside {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::Assign(stmt) => stmt.targets.iter().for_each(|target| self.changed_target(target)),
            ast::Stmt::AugAssign(stmt) => self.changes.extend(base_name(&stmt.target)),
            ast::Stmt::AnnAssign(stmt) => self.changed_target(&stmt.target),
            ast::Stmt::For(stmt) => self.changed_target(&stmt.target),
            ast::Stmt::Delete(stmt) => stmt.targets.iter().for_each(|target| self.changed_target(target)),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_annotation(&mut self, _expr: &'a Expr) {}

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                match &*call.func {
                    Expr::Name(name) => {
                        self.calls.insert(name.id.to_string());
                    }
                    Expr::Attribute(attribute) => {
                        if CHANGING.contains(&attribute.attr.as_str()) {
                            self.changes.extend(base_name(&attribute.value));
                        }
                        self.visit_expr(&attribute.value);
                    }
                    other => self.visit_expr(other),
                }
                let mut arguments = Inside::default();
                visitor::walk_arguments(&mut arguments, &call.arguments);
                self.arguments.extend(arguments.mentions.iter().cloned());
                self.arguments.extend(arguments.arguments);
                self.changes.extend(arguments.changes);
                self.calls.extend(arguments.calls);
                self.mentions.extend(arguments.mentions);
            }
            Expr::Name(name) => {
                if name.ctx.is_load() {
                    self.mentions.insert(name.id.to_string());
                }
            }
            other => visitor::walk_expr(self, other),
        }
    }
}

/// The names of attributes that are assigned, and of what classes have.
#[derive(Debug, Default)]
struct Attributes(HashSet<String>);

impl<'a> Visitor<'a> for Attributes {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if let ast::Stmt::ClassDef(def) = stmt {
            self.0.extend(names_of(None, Body::Statements(&def.body)).bound);
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Attribute(attribute) = expr
            && attribute.ctx.is_store()
        {
            self.0.insert(attribute.attr.to_string());
        }
        visitor::walk_expr(self, expr);
    }
}
