//! NVIDIA's compiler and headers from PyPI, and stand-ins for the libraries that a program is linked against but that come with the
//! driver or with the GPU machine's own CUDA.

use crate::program::onnxruntime::install_all;
use crate::program::process::{cargo, root, run, target};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest release of CUDA 13: drivers of all later ones know its GPU code.
const PACKAGES: [&str; 5] = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
];

/// Libraries that are linked against: the module of `cudarc` that declares their functions, how those begin, and the names of the
/// library when it is linked and when it is opened.
const LIBRARIES: [(&str, &str, &str, &str); 5] = [
    ("driver", "cu", "libcuda.so", "libcuda.so.1"),
    ("cublas", "cublas", "libcublas.so", "libcublas.so.13"),
    ("cublaslt", "cublasLt", "libcublasLt.so", "libcublasLt.so.13"),
    ("curand", "curand", "libcurand.so", "libcurand.so.10"),
    ("nvrtc", "nvrtc", "libnvrtc.so", "libnvrtc.so.13"),
];

/// The file that says that the rest is whole.
const READY: &str = "ready";

/// Installs the toolkit below the target directory, unless it is there. Gives its root.
pub(super) fn provide() -> Result<PathBuf> {
    let directory = target().join("cuda-toolkit");
    let cuda = directory.join("nvidia/cu13");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(directory.join(READY)).is_ok_and(|found| found == wanted) {
        return Ok(cuda);
    }
    install_all(&directory, &PACKAGES)?;
    let lib = cuda.join("lib");
    link("lib", &cuda.join("lib64"))?;
    link("libcudart.so.13", &lib.join("libcudart.so"))?;
    let stubs = lib.join("stubs");
    std::fs::create_dir_all(&stubs).with_context(|| format!("cannot make `{}`", stubs.display()))?;
    let sources = sources_of_cudarc()?;
    for (module, prefix, file, name) in LIBRARIES {
        let functions = functions(&sources.join(module).join("sys"), prefix)?;
        ensure!(!functions.is_empty(), "expected functions `{prefix}...` in `{module}` of cudarc, found none");
        stub(&functions, &stubs.join(file), name)?;
    }
    std::fs::write(directory.join(READY), wanted)
        .with_context(|| format!("cannot write in `{}`", directory.display()))?;
    Ok(cuda)
}

/// The version of a toolkit as cudarc wants it: `13000` for 13.0.
pub(super) fn version(cuda: &Path) -> Result<String> {
    let nvcc = cuda.join("bin/nvcc");
    let output = Command::new(&nvcc).arg("--version").output();
    let output = output.with_context(|| format!("cannot start `{}`", nvcc.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = text.split("release ").nth(1).and_then(|rest| rest.split(',').next());
    let parts = release.and_then(|release| release.trim().split_once('.'));
    let version = parts.and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    let (major, minor) =
        version.with_context(|| format!("expected `release X.Y` of `nvcc --version`, found: {text}"))?;
    Ok(format!("{}", major * 1000 + minor * 10))
}

fn link(to: &str, at: &Path) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        std::fs::remove_file(at).with_context(|| format!("cannot replace `{}`", at.display()))?;
    }
    std::os::unix::fs::symlink(to, at).with_context(|| format!("cannot link `{}`", at.display()))
}

/// Where cargo has the sources of the crate that declares CUDA's functions.
fn sources_of_cudarc() -> Result<PathBuf> {
    let mut metadata = cargo();
    metadata.current_dir(root()).args(["metadata", "--format-version", "1", "--all-features"]);
    let output = metadata.output().context("cannot start `cargo metadata`")?;
    ensure!(output.status.success(), "`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("expected JSON of `cargo metadata`")?;
    let packages = metadata["packages"].as_array().context("expected `packages` of `cargo metadata`")?;
    let cudarc = packages.iter().find(|package| package["name"] == "cudarc");
    let manifest = cudarc.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.context("expected `cudarc` among the packages, found none")?;
    Ok(Path::new(manifest).with_file_name("src"))
}

/// The names of all functions that begin so and are declared below a directory.
fn functions(directory: &Path, prefix: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(functions(&path, prefix)?);
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let names = text.split("fn ").skip(1).map(|rest| {
            rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or_default()
        });
        found.extend(names.filter(|name| begins(name, prefix)).map(str::to_owned));
    }
    Ok(found)
}

/// Names of the driver go on with a capital letter; those of other libraries begin with their own names.
fn begins(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix != "cu" || rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
}

/// A library that has all functions and can do nothing: enough to link against, never opened.
fn stub(functions: &BTreeSet<String>, file: &Path, name: &str) -> Result<()> {
    let source = file.with_extension("c");
    let mut text = String::new();
    for function in functions {
        writeln!(text, "int {function}(void) {{ return 100; }}")?;
    }
    std::fs::write(&source, text).with_context(|| format!("cannot write `{}`", source.display()))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-w"]).arg(format!("-Wl,-soname,{name}")).arg("-o").arg(file).arg(&source);
    run(&mut compiler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_how_they_begin() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("sys");
        std::fs::create_dir(&nested).unwrap();
        std::fs::write(directory.path().join("mod.rs"), "pub fn cuInit(f: u32); pub unsafe fn cublasCreate_v2();")
            .unwrap();
        std::fs::write(nested.join("more.rs"), "fn culib() {} fn cuMemAlloc_v2(x: fn (u8))").unwrap();
        let names = |prefix| functions(directory.path(), prefix).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(names("cu"), ["cuInit", "cuMemAlloc_v2"]);
        assert_eq!(names("cublas"), ["cublasCreate_v2"]);
    }
}
