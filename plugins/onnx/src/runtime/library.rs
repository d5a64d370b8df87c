//! Asks a library for its version before anything relies on it: `ort` ends the process if the interface that it wants is
//! not there.

use super::API;
use examiner_api::{PluginError, Result};
use ort::sys::OrtApiBase;
use std::ffi::CStr;
use std::path::Path;

/// The version of a library of ONNX Runtime: `1.32.0`.
///
/// # Errors
/// `BadInput` for a file that is no such library, `Unsupported` for one that lacks the interface of [`API`].
pub(super) fn version(path: &Path) -> Result<String> {
    let shown = path.display();
    // SAFETY: opening a library runs its initializers; this file is what the user, or Python's package, calls ONNX Runtime.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| {
        PluginError::bad_input(format!("`{shown}` cannot be opened as a library")).with_cause(&error).with_help(format!(
            "if it is ONNX Runtime, it may be of another system, or lack a library that it needs; install it again: `{}`",
            super::INSTALL
        ))
    })?;
    type GetApiBase = unsafe extern "C" fn() -> *const OrtApiBase;
    // SAFETY: the type is that of the function of this name in `onnxruntime_c_api.h`.
    let get_base = unsafe { library.get::<GetApiBase>(b"OrtGetApiBase\0") }.map_err(|error| {
        PluginError::bad_input(format!("`{shown}` is a library, but not ONNX Runtime: it has no `OrtGetApiBase`"))
            .with_cause(&error)
    })?;
    // SAFETY: the function takes nothing and gives a pointer to a static structure, or null.
    let base = unsafe { get_base().as_ref() };
    let base = base.ok_or_else(|| PluginError::bad_input(format!("`{shown}` gives no interface of ONNX Runtime")))?;
    // SAFETY: the function takes nothing and gives a static text that ends in zero.
    let version = unsafe { CStr::from_ptr((base.GetVersionString)()) }.to_string_lossy().into_owned();
    // SAFETY: the function gives a pointer to a static structure, or null for a version that it does not know. That it
    // says on stderr as well; so it is asked only for what its version must have.
    let known = minor(&version).is_some_and(|minor| minor >= API) && !unsafe { (base.GetApi)(API) }.is_null();
    if !known {
        return Err(PluginError::unsupported(format!(
            "`{shown}` is ONNX Runtime {version}; the plugin `onnx` needs 1.{API} or newer"
        ))
        .with_help("upgrade it: `python3 -m pip install --upgrade onnxruntime`"));
    }
    Ok(version)
}

/// The second number of a version.
fn minor(version: &str) -> Option<u32> {
    let mut numbers = version.split('.');
    match numbers.next() {
        Some("1") => numbers.next()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ErrorCode;

    #[test]
    fn files_that_are_not_onnx_runtime_are_told_apart() {
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "no library").unwrap();
        let error = version(text.path()).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.contains("cannot be opened as a library"), "{error}");
        assert_eq!((minor("1.32.0"), minor("1.9"), minor("2.0.0"), minor("")), (Some(32), Some(9), None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_library_is_no_onnx_runtime() {
        let error = version("libm.so.6".as_ref()).unwrap_err();
        assert!(error.message.contains("has no `OrtGetApiBase`"), "{error}");
    }
}
