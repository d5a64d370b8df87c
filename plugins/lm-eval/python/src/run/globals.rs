//! Names of modules: their statements run when a name is needed.

use std::any::Any;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Flow, Frame, Loaded, Session};
use crate::error::{Error, Outcome, Refusal};
use crate::modules;
use crate::natives::Arguments;
use crate::program::ir::{Import, Place, StmtKind};
use crate::program::{Imported, Module, Reached, import};
use crate::value::{Dict, Object, Str, Value};

impl Session {
    /// The index of a file's module.
    pub(super) fn load(&mut self, module: &Arc<Module>) -> usize {
        if let Some(index) = self.by_path.get(&module.path) {
            return *index;
        }
        let index = self.modules.len();
        self.modules.push(Loaded {
            module: Arc::clone(module),
            globals: vec![None; module.globals.len()],
            ready: vec![false; module.globals.len()],
            done: vec![false; module.statements.len()],
            failed: HashMap::new(),
            running: None,
            dynamic: None,
        });
        self.by_path.insert(module.path.clone(), index);
        index
    }

    /// Evaluates all names that a function reaches before it runs, as importing the modules does.
    pub(super) fn prepare(&mut self, reached: &Reached) -> Outcome<()> {
        for (path, global) in reached.names() {
            let module = self.library().module(path)?;
            let index = self.load(&module);
            if !self.modules[index].ready[global] {
                self.make(index, global)?;
            }
        }
        Ok(())
    }

    /// What a name of a module is bound to.
    pub(super) fn global(&mut self, module: usize, global: usize) -> Outcome<Value> {
        if let Some(value) = &self.modules[module].globals[global]
            && self.modules[module].ready[global]
        {
            return Ok(value.clone());
        }
        if !self.modules[module].ready[global] {
            self.make(module, global)?;
        }
        let loaded = &self.modules[module];
        if let Some(value) = &loaded.globals[global] {
            return Ok(value.clone());
        }
        let name = loaded.module.globals.get_index(global).cloned().unwrap_or_else(|| Str::from(""));
        if &*name == "globals" && loaded.running.is_some_and(|now| loaded.module.dynamic.contains(&now)) {
            return Ok(Value::Object(Rc::new(Globals(module))));
        }
        let may_be_dynamic = loaded.running.is_none() && loaded.module.makers_of(global).is_empty();
        if may_be_dynamic
            && !loaded.module.dynamic.is_empty()
            && let Some(value) = self.dynamic(module)?.get_str(&name)
        {
            return Ok(value.clone());
        }
        match &*name {
            "__file__" => Ok(Value::str(&self.modules[module].module.path.to_string_lossy())),
            "__name__" => Ok(Value::str(&module_name(&self.modules[module].module))),
            _ => match modules::builtin(&name) {
                Some(value) => Ok(value),
                None => match modules::builtin_state(&name) {
                    modules::BuiltinState::Refused => Err(Error::unsupported(format!("the function `{name}`"))),
                    _ => Err(Error::raise("NameError", format!("name '{name}' is not defined"))),
                },
            },
        }
    }

    /// Runs the statements that a name depends on.
    fn make(&mut self, index: usize, global: usize) -> Outcome<()> {
        let module = Arc::clone(&self.modules[index].module);
        let running = self.modules[index].running;
        let makers = module.makers_of(global);
        if let Some(now) = running {
            // The name as it is while that statement of its module runs.
            if makers.iter().any(|maker| *maker > now) && makers.iter().any(|maker| *maker < now) {
                let name = module.globals.get_index(global).cloned().unwrap_or_else(|| Str::from(""));
                let what = format!("the variable `{name}`, which is used by its module before it has its last value");
                return Err(Error::unsupported(what));
            }
            if makers.iter().all(|maker| *maker > now) && !makers.is_empty() {
                return Ok(());
            }
        }
        self.modules[index].ready[global] = true;
        for maker in makers {
            if running.is_some_and(|now| *maker >= now) {
                continue;
            }
            // A name whose statements fail is never ready.
            if let Err(error) = self.run_statement(index, &module, *maker, global) {
                self.modules[index].ready[global] = false;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether a statement of the module binds a name by `globals`.
    pub(crate) fn has_dynamic(&mut self, reached: &Reached, name: &str) -> Result<bool, Refusal> {
        let found = self.prepare(reached).and_then(|()| Ok(self.dynamic(0)?.get_str(name).is_some()));
        found.map_err(|error| match error {
            Error::Unsupported(refusal) | Error::Limit(refusal) => *refusal,
            raised @ Error::Exception(_) => Refusal::new(format!("a module that raises an exception: {raised}")),
        })
    }

    /// The files that modules read when they are imported.
    pub(crate) fn files_of(&mut self, reached: &Reached) -> Result<Vec<(String, Str)>, Refusal> {
        match self.prepare(reached).and_then(|()| self.dynamic(0)) {
            Err(Error::Unsupported(refusal) | Error::Limit(refusal)) => Err(*refusal),
            _ => Ok(std::mem::take(&mut self.files)),
        }
    }

    /// The names that statements of a module bind by `globals`.
    pub(super) fn dynamic(&mut self, index: usize) -> Outcome<Dict> {
        if let Some(known) = &self.modules[index].dynamic {
            return Ok(known.clone());
        }
        self.modules[index].dynamic = Some(Dict::new());
        let module = Arc::clone(&self.modules[index].module);
        for statement in &module.dynamic {
            // No name: whatever the statement makes is found in the dictionary.
            self.run_statement(index, &module, *statement, usize::MAX)?;
        }
        Ok(self.modules[index].dynamic.clone().unwrap_or_default())
    }

    /// `globals()[name] = value`.
    pub(super) fn set_dynamic(&mut self, index: usize, name: &Value, value: Value) -> Outcome<()> {
        let Value::Str(name) = name else {
            return Err(Error::unsupported("a name in `globals()` that is no text"));
        };
        let loaded = &mut self.modules[index];
        let known = loaded.module.globals.get_index_of(&**name);
        if known.is_some_and(|global| !loaded.module.makers_of(global).is_empty()) {
            return Err(Error::unsupported(format!("`{name}`, which a module binds, and `globals()` again")));
        }
        loaded.dynamic.get_or_insert_default().insert_str(name.clone(), value);
        Ok(())
    }

    fn run_statement(&mut self, index: usize, module: &Arc<Module>, statement: usize, global: usize) -> Outcome<()> {
        let stmt = &module.statements[statement].stmt;
        if let StmtKind::Import(imports) = &stmt.kind {
            // Each name of an import by itself: a function need not use them all.
            for wanted in imports.iter().filter(|wanted| wanted.place == Place::Global(global)) {
                let value = self.import(index, wanted).map_err(|error| error.at(&module.name, stmt.line))?;
                self.modules[index].globals[global] = Some(value);
            }
            return Ok(());
        }
        if let Some(error) = self.modules[index].failed.get(&statement) {
            return Err(error.clone());
        }
        if std::mem::replace(&mut self.modules[index].done[statement], true) {
            return Ok(());
        }
        let before = self.modules[index].running.replace(statement);
        let mut frame = Frame::of_module(index, module);
        let result = self.stmts(&mut frame, std::slice::from_ref(stmt));
        self.modules[index].running = before;
        if let Err(error) = &result {
            self.modules[index].failed.insert(statement, error.clone());
        }
        match result? {
            Flow::Next => Ok(()),
            _ => Err(Error::unsupported("a statement that leaves a module").at(&module.name, stmt.line)),
        }
    }

    /// What an import binds a name to.
    pub(super) fn import(&mut self, from: usize, wanted: &Import) -> Outcome<Value> {
        let module = Arc::clone(&self.modules[from].module);
        let library = self.library().clone();
        match import(&library, &module, &wanted.module, wanted.name.as_deref())? {
            Imported::Module(name) if wanted.first_part => {
                Ok(Value::Module(Str::from(name.split('.').next().unwrap_or_default())))
            }
            Imported::Module(name) => Ok(Value::Module(Str::from(name))),
            Imported::Item(module, name) => self.module_item(&module, &name),
            Imported::File(_) if wanted.first_part && wanted.module.contains('.') => {
                Ok(Value::Module(Str::from(wanted.module.split('.').next().unwrap_or_default())))
            }
            Imported::File(file) => Ok(Value::Module(Str::from(file.path.to_string_lossy().into_owned()))),
            Imported::FileItem(file, name) => self.file_item(&file, &name),
        }
    }

    pub(super) fn file_item(&mut self, file: &Arc<Module>, name: &str) -> Outcome<Value> {
        let index = self.load(file);
        match file.globals.get_index_of(name) {
            Some(global) => self.global(index, global),
            None => Err(Error::unsupported(format!("`{name}` of `{}`", file.name))),
        }
    }

    /// A name of a module that is implemented here or by the program.
    pub(super) fn module_item(&mut self, module: &str, name: &str) -> Outcome<Value> {
        if let Some(hook) = self.library().natives().get(module, name) {
            return Ok(Value::Hook(Arc::clone(hook)));
        }
        if let Some(item) = modules::item(module, name) {
            return Ok(item);
        }
        if modules::is_removed(module, name) {
            let text = format!("module '{module}' has no attribute '{name}'");
            return Err(Error::raise_inexact("AttributeError", text));
        }
        let inner = format!("{module}.{name}");
        if modules::is_module(&inner) || self.library().natives().has_module(&inner) {
            return Ok(Value::Module(Str::from(inner)));
        }
        if module.starts_with('/')
            && let Ok(file) = self.library().module(std::path::Path::new(module))
        {
            return self.file_item(&file, name);
        }
        Err(Error::unsupported(format!("`{name}` of the module `{module}`")))
    }
}

/// `globals`, and what it returns while a module runs.
#[derive(Debug)]
pub(super) struct Globals(pub(super) usize);

impl Object for Globals {
    fn type_name(&self) -> &'static str {
        "globals"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn call(self: Rc<Self>, _session: &mut Session, args: Arguments) -> Result<Value, Error> {
        args.exactly::<0>("globals")?;
        Ok(Value::Object(self))
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        if name != "update" {
            return Err(Error::unsupported(format!("`{name}` of `globals()`")));
        }
        let [names] = args.exactly(name)?;
        for (name, value) in session.entries(&names)? {
            session.set_dynamic(self.0, &name, value)?;
        }
        Ok(Value::None)
    }
}

/// What lm-evaluation-harness calls the module of a file.
fn module_name(module: &Module) -> String {
    let path = module.path.to_string_lossy();
    match path.find("/lm_eval/") {
        Some(start) => {
            let inner = path.get(start + 1..).unwrap_or_default();
            inner.replace(".py", "").replace('/', ".")
        }
        None => module.path.with_extension("").to_string_lossy().into_owned(),
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        Error::Unsupported(Box::new(refusal.clone()))
    }
}
