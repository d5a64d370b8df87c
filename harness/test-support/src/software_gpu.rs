//! A GPU that is computed on the CPU, for tests of what runs on GPUs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the software GPU: `EXAMINER_SOFTWARE_GPU`, else `target/software-gpu`, where `cargo xtask test` installs it.
///
/// A test that calls this carries `#[needs(software_gpu)]`, which ignores it if nothing is there.
///
/// # Panics
///
/// If it is not there.
pub fn software_gpu() -> PathBuf {
    let directory = location();
    assert!(
        directory.join("ready").is_file(),
        "expected the software GPU at `{}`; `cargo xtask test` installs it",
        directory.display()
    );
    directory.canonicalize().unwrap()
}

/// Gives a program the software GPU, and the library of ONNX Runtime's provider of WebGPU.
pub fn with_software_gpu(command: &mut Command) -> &mut Command {
    let directory = software_gpu();
    let library = directory.join("webgpu/onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so");
    command
        .env("VK_ICD_FILENAMES", directory.join("vk_swiftshader_icd.json"))
        .env("LD_LIBRARY_PATH", &directory)
        .env("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1")
        .env("ORT_EP_WEBGPU_PATH", library)
}

/// Where the software GPU is looked for.
fn location() -> PathBuf {
    let named = std::env::var_os("EXAMINER_SOFTWARE_GPU").filter(|value| !value.is_empty());
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/software-gpu"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_test_needs::needs;

    /// Ignored or not, as the tests of the other crates are.
    #[needs(software_gpu)]
    #[test]
    fn the_software_gpu_is_whole() {
        for file in ["libvk_swiftshader.so", "vk_swiftshader_icd.json", "libvulkan.so.1"] {
            assert!(software_gpu().join(file).is_file(), "the software GPU has no `{file}`");
        }
    }

    /// Tests are marked as ignored when they are built. If that is out of date, say so rather than check less.
    #[test]
    fn no_test_is_ignored_although_the_software_gpu_is_there() {
        let program = std::env::current_exe().unwrap();
        let ignored = Command::new(program).args(["--list", "--ignored"]).output().unwrap();
        let is_ignored = String::from_utf8_lossy(&ignored.stdout).contains("the_software_gpu_is_whole");
        assert!(
            !(is_ignored && location().join("ready").is_file()),
            "`{}` has appeared since the tests were built: touch `harness/test-support/needs/build.rs`",
            location().display()
        );
    }
}
