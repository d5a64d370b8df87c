//! Looks for the data and the programs that tests need and the repository does not hold.
//!
//! The attribute is the one place that depends on the answer. A plugin's own build never runs this script, because only
//! tests depend on this crate.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_shared, has_python, has_lm_eval, has_software_gpu)");
    if has_python() {
        println!("cargo::rustc-cfg=has_python");
    }
    if lm_eval_python().is_file() {
        println!("cargo::rustc-cfg=has_lm_eval");
    }
    for variable in [
        "EXAMINER_SHARED",
        "EXAMINER_REQUIRE_SHARED",
        "EXAMINER_LM_EVAL_PYTHON",
        "EXAMINER_SOFTWARE_GPU",
        "CARGO_TARGET_DIR",
        "PATH",
    ] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let directory = set("EXAMINER_SHARED").map_or_else(beside_the_repository, PathBuf::from);
    let is_there = directory.is_dir();
    // Cargo builds everything again at every call if a path that it watches is missing, so that only a directory that is
    // there is watched. One that appears later is noticed by a test of `examiner-test-support`.
    if is_there {
        println!("cargo::rerun-if-changed={}", directory.display());
    }
    let gpu = set("EXAMINER_SOFTWARE_GPU").map_or_else(|| repository().join("target/software-gpu"), PathBuf::from);
    let ready = gpu.join("ready");
    if ready.is_file() {
        println!("cargo::rerun-if-changed={}", ready.display());
        println!("cargo::rustc-cfg=has_software_gpu");
    }
    if is_there || set("EXAMINER_REQUIRE_SHARED").is_some_and(|value| value != "0") {
        println!("cargo::rustc-cfg=has_shared");
    }
}

fn beside_the_repository() -> PathBuf {
    repository().join("../shared")
}

fn repository() -> PathBuf {
    // Cargo sets the variable for every build script.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    manifest.join("../../..")
}

/// As `examiner_test_support::lm_eval_python` finds it.
fn lm_eval_python() -> PathBuf {
    if let Some(named) = std::env::var_os("EXAMINER_LM_EVAL_PYTHON").filter(|value| !value.is_empty()) {
        return named.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    repository().join(target).join("lm-eval-python/bin/python")
}

fn has_python() -> bool {
    let is_new_enough = "import sys; sys.exit(sys.version_info < (3, 9))";
    Command::new("python3").args(["-c", is_new_enough]).status().is_ok_and(|status| status.success())
}
