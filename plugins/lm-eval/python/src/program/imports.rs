//! What an import finds: a module that is implemented here, or a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Library, Module};
use crate::error::Refusal;
use crate::modules;

/// What an import finds.
#[derive(Debug)]
pub(crate) enum Imported {
    /// A module that is implemented here or by the program, by its name.
    Module(String),
    /// A name of such a module.
    Item(String, String),
    /// A file.
    File(Arc<Module>),
    /// A name of a file.
    FileItem(Arc<Module>, String),
}

/// Finds what a module or a name of it is, seen from a file.
pub(crate) fn import(library: &Library, from: &Module, module: &str, name: Option<&str>) -> Result<Imported, Refusal> {
    let dots = module.bytes().take_while(|byte| *byte == b'.').count();
    if dots == 0 {
        let natives = library.natives();
        if let Some(name) = name {
            if natives.get(module, name).is_some()
                || modules::item(module, name).is_some()
                || modules::is_removed(module, name)
            {
                return Ok(Imported::Item(module.to_owned(), name.to_owned()));
            }
            let inner = format!("{module}.{name}");
            if modules::is_module(&inner) || natives.has_module(&inner) {
                return Ok(Imported::Module(inner));
            }
            if modules::is_module(module) {
                return Err(Refusal::new(format!("`{name}` of the module `{module}`")));
            }
        } else if modules::is_module(module) || natives.has_module(module) {
            return Ok(Imported::Module(module.to_owned()));
        }
    }
    let refusal = || match name {
        Some(name) => Refusal::new(format!("`{name}` of the module `{module}`")),
        None => Refusal::new(format!("the module `{module}`")),
    };
    let root = package_root(&from.path).ok_or_else(refusal)?;
    let base = if dots > 0 {
        let directory = from.path.ancestors().nth(dots).ok_or_else(refusal)?;
        if !directory.starts_with(&root) {
            return Err(refusal());
        }
        path_below(directory, module.get(dots..).unwrap_or_default())
    } else {
        let Some(rest) = module.strip_prefix("lm_eval") else { return Err(refusal()) };
        path_below(&root, rest.strip_prefix('.').unwrap_or(rest))
    };
    if let Some(name) = name {
        if let Some(file) = file_of(&base) {
            let found = library.module(&file)?;
            if found.globals.get_index_of(name).is_some_and(|global| !found.makers_of(global).is_empty()) {
                return Ok(Imported::FileItem(found, name.to_owned()));
            }
        }
        if let Some(file) = file_of(&base.join(name)) {
            return Ok(Imported::File(library.module(&file)?));
        }
        return Err(refusal());
    }
    let file = file_of(&base).ok_or_else(refusal)?;
    Ok(Imported::File(library.module(&file)?))
}

/// The directory `lm_eval` that a file lies in: what its imports begin from.
fn package_root(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).filter(|directory| directory.ends_with("lm_eval")).last().map(Path::to_owned)
}

fn path_below(directory: &Path, dotted: &str) -> PathBuf {
    let mut path = directory.to_owned();
    path.extend(dotted.split('.').filter(|part| !part.is_empty()));
    path
}

fn file_of(base: &Path) -> Option<PathBuf> {
    let package = base.join("__init__.py");
    if package.is_file() {
        return Some(package);
    }
    let mut file = base.as_os_str().to_owned();
    file.push(".py");
    let file = PathBuf::from(file);
    file.is_file().then_some(file)
}
