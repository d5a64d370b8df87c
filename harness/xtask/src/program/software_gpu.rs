//! A GPU for tests and comparisons on machines without one: SwiftShader, which computes Vulkan on the CPU, and the libraries of
//! ONNX Runtime's providers that come by themselves.
//!
//! All of it is unpacked below the target directory; nothing of the system is changed.

use super::onnxruntime::install;
use super::process::{command_line, succeeds, target};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const WEBGPU: &str = "onnxruntime-ep-webgpu==0.4.0";
const OPENVINO: &str = "onnxruntime-ep-openvino==1.8.1";
/// The newest release of ONNX Runtime that this provider of WebGPU refuses.
const TOO_OLD: &str = "onnxruntime==1.24.3";

/// The packages of Debian, and what is taken of each.
const DEBIAN: [(&str, &str, &[&str]); 2] = [
    ("chromium-common", "usr/lib/chromium", &["libvk_swiftshader.so", "vk_swiftshader_icd.json"]),
    ("libvulkan1", "usr/lib", &["libvulkan.so.1"]),
];

/// The file that says that the rest is whole.
const READY: &str = "ready";

/// Installs the software GPU, the provider of WebGPU, and an ONNX Runtime that is too old for it, unless they are there. Gives
/// their directory.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = target().join("software-gpu");
    let wanted = format!("{WEBGPU} {TOO_OLD}\n");
    if std::fs::read_to_string(directory.join(READY)).is_ok_and(|found| found == wanted) {
        return Ok(directory);
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make `{}`", directory.display()))?;
    if DEBIAN.iter().any(|(_, _, files)| files.iter().any(|file| !directory.join(file).is_file())) {
        vulkan(&directory)?;
    }
    install(&directory.join("webgpu"), WEBGPU)?;
    install(&directory.join("too-old"), TOO_OLD)?;
    std::fs::write(directory.join(READY), wanted)
        .with_context(|| format!("cannot write in `{}`", directory.display()))?;
    Ok(directory)
}

/// Variables of the program's environment.
pub(crate) type Environment = Vec<(&'static str, String)>;

/// The variables with which the program finds the software GPU and the provider's library.
pub(crate) fn environment(directory: &Path) -> Environment {
    let shown = |path: PathBuf| path.display().to_string();
    let library = directory.join("webgpu/onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so");
    vec![
        ("VK_ICD_FILENAMES", shown(directory.join("vk_swiftshader_icd.json"))),
        ("LD_LIBRARY_PATH", shown(directory.to_owned())),
        ("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1".to_owned()),
        ("ORT_EP_WEBGPU_PATH", shown(library)),
    ]
}

/// Installs the provider of OpenVINO unless it is there. Gives the variables with which the program finds it.
pub(crate) fn provide_openvino() -> Result<Environment> {
    let directory = target().join("openvino");
    let library = directory.join("onnxruntime_ep_openvino/libonnxruntime_providers_openvino_plugin.so");
    if !library.is_file() {
        install(&directory, OPENVINO)?;
    }
    ensure!(library.is_file(), "expected `{}` in Python's package `{OPENVINO}`, found none", library.display());
    Ok(vec![("ORT_EP_OPENVINO_PATH", library.display().to_string())])
}

/// Unpacks what is needed of Debian's packages.
fn vulkan(directory: &Path) -> Result<()> {
    if !succeeds(Command::new("apt-get").arg("--version")) || !succeeds(Command::new("dpkg-deb").arg("--version")) {
        bail!("SwiftShader is taken from Debian's packages, and `apt-get` or `dpkg-deb` is not there");
    }
    let work = tempfile::tempdir_in(directory)?;
    let download = || {
        let mut command = Command::new("apt-get");
        command.arg("download").args(DEBIAN.map(|(package, ..)| package));
        command
    };
    if run_in(work.path(), &mut download()).is_err() {
        run_in(work.path(), Command::new("apt-get").arg("update"))?;
        run_in(work.path(), &mut download())?;
    }
    for entry in std::fs::read_dir(work.path())?
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "deb"))
    {
        run_in(work.path(), Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg("unpacked"))?;
    }
    for (package, place, files) in DEBIAN {
        for file in files {
            let found = find(&work.path().join("unpacked").join(place), file)
                .with_context(|| format!("expected `{file}` in Debian's package `{package}`, found none"))?;
            std::fs::copy(&found, directory.join(file))
                .with_context(|| format!("cannot copy `{}`", found.display()))?;
        }
    }
    Ok(())
}

/// The file of that name in a directory, at any depth.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
    let here =
        entries.iter().find(|path| path.is_file() && path.file_name().is_some_and(|found| found == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

fn run_in(directory: &Path, command: &mut Command) -> Result<()> {
    let line = command_line(command);
    eprintln!("$ {line}");
    let status = command.current_dir(directory).status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` ended with {status}");
    Ok(())
}
