//! Python files: parsed, lowered, and checked.

mod check;
mod imports;
pub(crate) mod ir;
mod lower;
mod module;
mod scope;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::Refusal;
use crate::natives::Natives;

pub(crate) use check::Reached;
pub(crate) use imports::{Imported, import};
pub(crate) use module::Module;

/// Python files that have been read, each once, and the functions that the program supplies to them.
#[derive(Debug, Clone)]
pub struct Library(Arc<Shelf>);

/// What a function reaches, or what of it is not implemented.
type Checked = Arc<Result<Reached, Refusal>>;

#[derive(Debug)]
struct Shelf {
    natives: Natives,
    modules: Mutex<HashMap<PathBuf, Result<Arc<Module>, Refusal>>>,
    checked: Mutex<HashMap<(PathBuf, String), Checked>>,
}

impl Library {
    /// A library without files.
    pub fn new(natives: Natives) -> Self {
        Library(Arc::new(Shelf { natives, modules: Mutex::default(), checked: Mutex::default() }))
    }

    /// A file as a program.
    ///
    /// # Errors
    /// When it cannot be read, or is no Python.
    pub fn load(&self, file: &Path) -> Result<Program, Refusal> {
        Ok(Program { library: self.clone(), module: self.module(file)? })
    }

    pub(crate) fn natives(&self) -> &Natives {
        &self.0.natives
    }

    pub(crate) fn module(&self, file: &Path) -> Result<Arc<Module>, Refusal> {
        let known = self.0.modules.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
        if let Some(module) = known {
            return module;
        }
        let module = Module::read(file).map(Arc::new);
        self.0.modules.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), module.clone());
        module
    }

    fn reached(&self, module: &Arc<Module>, function: &str) -> Arc<Result<Reached, Refusal>> {
        let key = (module.path.clone(), function.to_owned());
        let known = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(reached) = known {
            return reached;
        }
        let reached = Arc::new(check::reach(self, module, function));
        self.0.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&reached));
        reached
    }
}

/// A Python file, with those that it imports.
#[derive(Debug, Clone)]
pub struct Program {
    library: Library,
    module: Arc<Module>,
}

impl Program {
    /// Reads a file, for functions that need nothing that a program supplies.
    ///
    /// # Errors
    /// When it cannot be read, or is no Python.
    pub fn load(file: &Path) -> Result<Program, Refusal> {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        LIBRARY.get_or_init(|| Library::new(Natives::new())).load(file)
    }

    /// A program without a file, whose session has operations alone.
    pub fn empty() -> Program {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        let module = Module {
            path: PathBuf::new(),
            name: String::new(),
            globals: indexmap::IndexSet::new(),
            statements: Vec::new(),
            slots: 0,
            cells: 0,
            makers: HashMap::new(),
            dynamic: Vec::new(),
            attributes: std::collections::HashSet::new(),
        };
        Program { library: LIBRARY.get_or_init(|| Library::new(Natives::new())).clone(), module: Arc::new(module) }
    }

    /// Whether all that a function uses is implemented: statements, names, modules, methods.
    ///
    /// # Errors
    /// What is not, and where it stands.
    pub fn check(&self, function: &str) -> Result<(), Refusal> {
        match &*self.reached(function) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.clone()),
        }
    }

    /// The text of a function and of all that it uses, in the order of files and lines: what a fingerprint is made of.
    pub fn source_of(&self, function: &str) -> Option<String> {
        match &*self.reached(function) {
            Ok(reached) => Some(reached.text()),
            Err(_) => None,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.module.path
    }

    pub(crate) fn reached(&self, function: &str) -> Arc<Result<Reached, Refusal>> {
        self.library.reached(&self.module, function)
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub(crate) fn module(&self) -> &Arc<Module> {
        &self.module
    }
}
