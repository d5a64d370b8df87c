//! Where the library of an execution provider lies: found as ONNX Runtime itself is.

use super::device::{Known, PluginDevice};
use crate::runtime::{beside_the_program, python_packages};
use examiner_api::{PluginError, Result};
use std::path::{Path, PathBuf};

/// The library of a provider: what the suite names, else what the variable of the provider names, else what lies beside the
/// program, else what a Python environment has.
///
/// # Errors
/// `NotFound`, with what installs it, if there is none.
pub(super) fn library(device: &PluginDevice) -> Result<PathBuf> {
    let (name, known) = (&device.provider, device.known());
    if let Some(named) = &device.library {
        return existing(named, known).ok_or_else(|| {
            PluginError::not_found(format!("`library: {}` of the provider `{name}` is not there", named.display()))
                .with_help(
                    "name the provider's library, or leave `library` away to have that of a known provider found",
                )
        });
    }
    let Some(known) = known else {
        return Err(PluginError::bad_options(format!("the provider `{name}` needs its `library`")));
    };
    let variable = variable(known);
    if let Some(named) = std::env::var_os(&variable).filter(|value| !value.is_empty()) {
        return existing(Path::new(&named), Some(known)).ok_or_else(|| {
            PluginError::not_found(format!(
                "`{variable}` names `{}`, which is no library of the provider `{name}`",
                Path::new(&named).display()
            ))
            .with_help(format!("set it to the file `{}`, or unset it to have the library found", file(known)))
        });
    }
    let module = known.package.replace('-', "_");
    let installed = python_packages().into_iter().map(|packages| packages.join(&module));
    let places = beside_the_program().into_iter().chain(installed);
    places.map(|place| place.join(file(known))).find(|path| path.is_file()).ok_or_else(|| {
        PluginError::not_found(format!(
            "the provider `{name}` is not installed: no `{}` beside the program, nor in a Python environment",
            file(known)
        ))
        .with_help(format!(
            "`{}`, or name the library: `device: {{ provider: {name}, library: FILE }}`, or the variable `{variable}`",
            install(known)
        ))
    })
}

/// What installs a provider where it is found.
pub(crate) fn install(known: &Known) -> String {
    format!("python3 -m pip install {}", known.package)
}

/// The variable that names a provider's library: `ORT_EP_WEBGPU_PATH`.
fn variable(known: &Known) -> String {
    format!("ORT_EP_{}_PATH", known.name.to_uppercase().replace('-', "_"))
}

fn file(known: &Known) -> String {
    format!("{}{}{}", std::env::consts::DLL_PREFIX, known.library, std::env::consts::DLL_SUFFIX)
}

/// A file, or the provider's in a directory.
fn existing(path: &Path, known: Option<&Known>) -> Option<PathBuf> {
    let inside = known.map(|known| path.join(file(known)));
    [Some(path.to_owned()), inside].into_iter().flatten().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ErrorCode;

    #[test]
    fn a_library_is_a_file_or_in_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let mut device = PluginDevice {
            provider: "webgpu".to_owned(),
            library: Some(directory.path().to_owned()),
            ..PluginDevice::default()
        };
        let error = library(&device).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.message.contains("of the provider `webgpu` is not there"), "{error}");
        let expected = directory.path().join(file(device.known().unwrap()));
        std::fs::write(&expected, "").unwrap();
        assert_eq!(library(&device).unwrap(), expected);
        device.library = Some(expected.clone());
        assert_eq!(library(&device).unwrap(), expected);
    }

    #[test]
    fn what_is_known_of_a_provider_says_how_it_is_installed() {
        let device = PluginDevice { provider: "tensorrt-rtx".to_owned(), ..PluginDevice::default() };
        let known = device.known().unwrap();
        assert_eq!(variable(known), "ORT_EP_TENSORRT_RTX_PATH");
        assert_eq!(install(known), "python3 -m pip install onnxruntime-ep-nv-tensorrt-rtx");
    }
}
