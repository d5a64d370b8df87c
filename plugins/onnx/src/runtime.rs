//! ONNX Runtime: the one shared library that a process opens, found where a user would have put it.

mod library;
mod search;

pub(crate) use search::{Candidate, beside_the_program, candidates, python_packages};

use examiner_api::{ErrorCode, PluginError, Result};
use ort::environment::Environment;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};

/// The oldest release whose interface this plugin can use: 1.`API`.
pub(crate) const API: u32 = ort::MINOR_VERSION;

/// The opened library. There is one for a process.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    pub(crate) environment: Environment,
}

static OPENED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Opens the library that `wanted` names, or the first that is found.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Unsupported` for one that is too old, `BadInput` for a file that is none,
    /// `BadOptions` if another one has been opened by this process already.
    pub(crate) fn open(wanted: Option<&Path>) -> Result<Runtime> {
        let mut opened = OPENED.lock();
        if let (Some(runtime), None) = (opened.as_ref(), wanted) {
            return Ok(runtime.clone());
        }
        let path = find(wanted)?;
        if let Some(runtime) = opened.as_ref() {
            if same(&runtime.path, &path) {
                return Ok(runtime.clone());
            }
            return Err(PluginError::bad_options(format!(
                "`runtime: {}` cannot be opened: this process has opened `{}` already",
                path.display(),
                runtime.path.display()
            ))
            .with_help("all models of a run must name the same library of ONNX Runtime"));
        }
        let version = library::version(&path)?;
        let failed_to_open = |error: &dyn std::error::Error| {
            PluginError::new(
                ErrorCode::Other,
                format!("cannot start ONNX Runtime {version} from `{}`: {error}", path.display()),
            )
        };
        let builder = ort::init_from(&path).map_err(|error| failed_to_open(&error))?;
        let environment =
            builder.with_name("examiner").with_telemetry(false).build().map_err(|error| failed_to_open(&error))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let runtime = Runtime { path, version, environment };
        *opened = Some(runtime.clone());
        Ok(runtime)
    }
}

/// The library to open.
fn find(wanted: Option<&Path>) -> Result<PathBuf> {
    if let Some(wanted) = wanted {
        return search::library_at(wanted).ok_or_else(|| {
            PluginError::not_found(format!(
                "`runtime: {}` is no library of ONNX Runtime, nor a directory with one",
                wanted.display()
            ))
            .with_help("name the file `libonnxruntime.so.1.N.N`, or leave `runtime` away to have it found")
        });
    }
    if let Some(named) = std::env::var_os(search::VARIABLE).filter(|value| !value.is_empty()) {
        return search::library_at(Path::new(&named)).ok_or_else(|| {
            PluginError::not_found(format!(
                "`{}` names `{}`, which is no library of ONNX Runtime",
                search::VARIABLE,
                named.display()
            ))
            .with_help("set it to the file `libonnxruntime.so.1.N.N`, or unset it to have the library found")
        });
    }
    candidates().into_iter().next().map(|candidate| candidate.path).ok_or_else(|| {
        PluginError::not_found(
            "ONNX Runtime is not installed: no `libonnxruntime.so` beside the program, nor in a Python environment",
        )
        .with_help(format!(
            "`{INSTALL}`, or name the library with the option `runtime` or the variable `{}`",
            search::VARIABLE
        ))
    })
}

/// What installs ONNX Runtime where it is found.
pub(crate) const INSTALL: &str = "python3 -m pip install onnxruntime";

fn same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// An error of ONNX Runtime while doing something.
pub(crate) fn failed<R>(doing: &str, error: &ort::Error<R>) -> PluginError {
    PluginError::new(ErrorCode::Other, format!("ONNX Runtime failed to {doing}: {}", error.message()))
}
