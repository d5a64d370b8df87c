//! Where ONNX Runtime may be installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The variable that names the library, as every program on `ort` reads it.
pub(super) const VARIABLE: &str = "ORT_DYLIB_PATH";

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    /// Where it was found: `beside the program`, `Python`.
    pub(crate) found: &'static str,
}

/// All libraries that are found, the one to open first, those of [`VARIABLE`] left out.
pub(crate) fn candidates() -> Vec<Candidate> {
    let beside = beside_the_program().into_iter().filter_map(|directory| library_at(&directory));
    let mut found: Vec<Candidate> = beside.map(|path| Candidate { path, found: "beside the program" }).collect();
    let mut seen = BTreeSet::new();
    let installed = python_packages().into_iter().filter_map(|packages| library_at(&packages.join("onnxruntime/capi")));
    let installed = installed.filter(|path| seen.insert(path.clone()));
    found.extend(installed.map(|path| Candidate { path, found: "Python" }));
    found
}

/// Where a library lies that is no part of a Python environment: `plugins` beside the program, and beside the program.
pub(crate) fn beside_the_program() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    beside.into_iter().flat_map(|directory| [directory.join("plugins"), directory]).collect()
}

/// The directories of packages of all Python environments that are found.
pub(crate) fn python_packages() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut prefixes: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable).collect();
    for directory in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        // An interpreter may be a link, and packages are beside the file or beside the link.
        let interpreter = directory.join("python3");
        let real = interpreter.canonicalize();
        prefixes.extend(interpreter.exists().then(|| directory.parent().map(Path::to_owned)).flatten());
        prefixes.extend(real.ok().and_then(|real| Some(real.parent()?.parent()?.to_owned())));
    }
    prefixes.extend(variable("HOME").map(|home| home.join(".local")));
    // Versions that `pyenv` keeps stand behind scripts, not links.
    prefixes.extend(
        variable("PYENV_ROOT")
            .or(variable("HOME").map(|home| home.join(".pyenv")))
            .into_iter()
            .flat_map(|root| children(&root.join("versions"))),
    );
    prefixes.iter().flat_map(|prefix| packages_below(prefix)).collect()
}

/// The directories of packages of a Python below `prefix`.
fn packages_below(prefix: &Path) -> Vec<PathBuf> {
    let versions = children(&prefix.join("lib"));
    let versions = versions.into_iter().filter(|path| name_of(path).starts_with("python3"));
    versions.flat_map(|version| [version.join("site-packages"), version.join("dist-packages")]).collect()
}

/// The library that a path means: the file itself, or the newest in a directory.
pub(super) fn library_at(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let libraries = children(path).into_iter().filter(|path| is_library(&name_of(path)) && path.is_file());
    libraries.max_by_key(|path| numbers(&name_of(path)))
}

/// `libonnxruntime.so`, `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`; not the providers'
/// libraries beside it.
fn is_library(name: &str) -> bool {
    let rest = name.strip_prefix("libonnxruntime.").or_else(|| name.strip_prefix("onnxruntime."));
    rest.is_some_and(|rest| {
        rest.split('.').all(|part| matches!(part, "so" | "dylib" | "dll") || part.parse::<u32>().is_ok())
    })
}

fn numbers(name: &str) -> Vec<u32> {
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let mut children: Vec<PathBuf> =
        std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    children.sort();
    children
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_directory_and_no_provider() {
        let directory = tempfile::tempdir().unwrap();
        let capi = directory.path().join("lib/python3.11/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        let in_python = |prefix: &Path| -> Vec<PathBuf> {
            packages_below(prefix)
                .iter()
                .filter_map(|packages| library_at(&packages.join("onnxruntime/capi")))
                .collect()
        };
        assert_eq!(in_python(directory.path()), Vec::<PathBuf>::new());
        for name in ["libonnxruntime.so.1.9.1", "libonnxruntime.so.1.32.0", "libonnxruntime_providers_cuda.so", "a.so"]
        {
            std::fs::write(capi.join(name), "").unwrap();
        }
        let newest = capi.join("libonnxruntime.so.1.32.0");
        assert_eq!(in_python(directory.path()), std::slice::from_ref(&newest));
        assert_eq!(library_at(&newest), Some(newest));
        assert_eq!(library_at(&directory.path().join("nowhere")), None);
        assert!(is_library("onnxruntime.dll") && is_library("libonnxruntime.1.32.0.dylib"));
        assert!(!is_library("libonnxruntime_providers_shared.so") && !is_library("libonnxruntime.so.txt"));
    }
}
