//! NVIDIA's GPUs, and the libraries that ONNX Runtime's provider of CUDA is linked against. The system finds them where CUDA is
//! installed; where they come in Python's packages, they are opened from there first.

use crate::runtime::{Runtime, python_packages};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use object::Endianness;
use object::read::elf::{Dyn, FileHeader};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The provider's library, beside ONNX Runtime's own.
const PROVIDER: &str = "libonnxruntime_providers_cuda.so";

/// A library that the provider is linked against.
pub(crate) struct Linked {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Where a library is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The system finds it.
    System,
    /// In a package of Python's.
    Package(PathBuf),
    Nowhere,
}

/// The GPUs, as the driver's own program shows them, or why there is none: name, driver, compute capability.
pub(crate) fn gpus() -> Result<Vec<String>, String> {
    let program = "nvidia-smi";
    let asked = ["--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"];
    let output = Command::new(program).args(asked).output().map_err(|error| format!("`{program}`: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let said = [text(&output.stderr), text(&output.stdout)].join(" ");
        return Err(format!("`{program}` ended with {}: {}", output.status, said.trim()));
    }
    let shown = |line: &str| match line.split(", ").collect::<Vec<_>>()[..] {
        [name, driver, capability] => format!("{name}, driver {driver}, compute capability {capability}"),
        _ => line.to_owned(),
    };
    Ok(text(&output.stdout).lines().map(shown).collect())
}

/// What the provider of this ONNX Runtime is linked against and where that is, if there is such a provider.
pub(crate) fn linked(runtime: &Runtime) -> Option<Vec<Linked>> {
    let provider = runtime.path.parent()?.join(PROVIDER);
    let names = needed(&provider)?.into_iter().filter(|name| is_nvidias(name));
    Some(names.map(|name| Linked { place: place(&name), name }).collect())
}

/// Opens the libraries that Python's packages have, so that the provider finds them.
pub(crate) fn open_packages(runtime: &Runtime) {
    let linked = linked(runtime).unwrap_or_default().into_iter();
    let mut left: Vec<PathBuf> = linked
        .filter_map(|linked| match linked.place {
            Place::Package(path) => Some(path),
            Place::System | Place::Nowhere => None,
        })
        .collect();
    // Some need others of them: as long as any can be opened, there may be more.
    loop {
        let before = left.len();
        left.retain(|path| !opened(path));
        if left.len() == before {
            break;
        }
    }
}

/// Opens a library, for good: the provider goes on using it.
fn opened(path: &Path) -> bool {
    // SAFETY: what such a library does when it is opened, it does in every program that uses the provider.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map(std::mem::forget).is_ok()
}

fn is_nvidias(name: &str) -> bool {
    name.starts_with("libcu") || name.starts_with("libnv")
}

/// The libraries that a library is linked against. `None` if it is none of this system's.
fn needed(path: &Path) -> Option<Vec<String>> {
    let file = std::fs::File::open(path).ok()?;
    // SAFETY: an installed library is not written to; `ort` maps the same file.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.ok()?;
    let header = object::elf::FileHeader64::<Endianness>::parse(&*bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, &*bytes).ok()?;
    let (entries, strings) = sections.dynamic(endian, &*bytes).ok()??;
    let strings = sections.strings(endian, &*bytes, strings).ok()?;
    let names = entries.iter().filter(|entry| entry.tag(endian) == object::elf::DT_NEEDED);
    names.map(|entry| Some(String::from_utf8_lossy(entry.string(endian, strings).ok()?).into_owned())).collect()
}

fn place(name: &str) -> Place {
    // SAFETY: as in `opened`.
    if unsafe { Library::open(Some(name), RTLD_NOW) }.is_ok() {
        return Place::System;
    }
    in_packages(&python_packages(), name).map_or(Place::Nowhere, Place::Package)
}

/// Packages of NVIDIA's have their libraries in `nvidia/NAME/lib`.
fn in_packages(directories: &[PathBuf], name: &str) -> Option<PathBuf> {
    let parts = directories.iter().filter_map(|packages| std::fs::read_dir(packages.join("nvidia")).ok());
    parts.flatten().flatten().map(|part| part.path().join("lib").join(name)).find(|path| path.is_file())
}

/// The command that installs a library's package. `all` are the libraries beside it: they tell the major version of CUDA.
pub(crate) fn install(name: &str, all: &[Linked]) -> Option<String> {
    let stem = name.split(".so").next().unwrap_or(name);
    let old = all.iter().any(|linked| matches!(linked.name.as_str(), "libcudart.so.12" | "libcublas.so.12"));
    let package = match stem {
        "libcuda" => return Some("install NVIDIA's driver".to_owned()),
        "libcudnn" => return Some(format!("python3 -m pip install nvidia-cudnn-cu{}", if old { 12 } else { 13 })),
        "libcudart" => "nvidia-cuda-runtime",
        "libcublas" | "libcublasLt" => "nvidia-cublas",
        "libcufft" => "nvidia-cufft",
        "libcurand" => "nvidia-curand",
        "libnvrtc" => "nvidia-cuda-nvrtc",
        "libnvJitLink" => "nvidia-nvjitlink",
        _ => return None,
    };
    Some(format!("python3 -m pip install {package}{}", if old { "-cu12" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_linked_against_is_read_from_it() {
        let names = needed(&std::env::current_exe().unwrap()).unwrap();
        assert!(names.iter().any(|name| name == "libc.so.6"), "{names:?}");
        assert!(names.iter().all(|name| !is_nvidias(name)), "{names:?}");
        assert_eq!(needed(Path::new("/proc/self/status")), None);
        assert_eq!(needed(Path::new("/nowhere.so")), None);
    }

    #[test]
    fn libraries_are_found_by_the_system_or_in_packages() {
        assert_eq!(place("libc.so.6"), Place::System);
        assert_eq!(place("libcu-of-nobody.so.13"), Place::Nowhere);
        let directory = tempfile::tempdir().unwrap();
        let lib = directory.path().join("nvidia/cu13/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::write(lib.join("libcublas.so.13"), "").unwrap();
        let directories = [PathBuf::from("/nowhere"), directory.path().to_owned()];
        assert_eq!(in_packages(&directories, "libcublas.so.13"), Some(lib.join("libcublas.so.13")));
        assert_eq!(in_packages(&directories, "libcublas.so.12"), None);
    }

    #[test]
    fn packages_are_those_of_the_version_of_cuda() {
        let linked = |name: &str| Linked { name: name.to_owned(), place: Place::Nowhere };
        let (old, new) = ([linked("libcudart.so.12")], [linked("libcudart.so.13")]);
        assert_eq!(install("libcudnn.so.9", &old).unwrap(), "python3 -m pip install nvidia-cudnn-cu12");
        assert_eq!(install("libcudnn.so.9", &new).unwrap(), "python3 -m pip install nvidia-cudnn-cu13");
        assert_eq!(install("libcufft.so.11", &old).unwrap(), "python3 -m pip install nvidia-cufft-cu12");
        assert_eq!(install("libcufft.so.12", &new).unwrap(), "python3 -m pip install nvidia-cufft");
        assert!(install("libcuda.so.1", &new).unwrap().contains("driver"));
        assert_eq!(install("libcustrange.so.1", &new), None);
    }
}
