//! Builds the plugins that can use NVIDIA's GPUs, on a machine that needs neither a GPU nor an installation of CUDA.

mod toolkit;

use crate::program::process::{cargo, command_line, root, run, target};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which GPUs it is for, and with which toolkit.
#[derive(Debug, Args)]
pub(crate) struct BuildCudaArguments {
    /// The compute capability of the GPU, without the dot: `80`, `86`, `89`, `90`, `120`. That of this machine's GPU, if it
    /// is not given and there is one.
    #[arg(long, value_name = "NUMBER")]
    compute_capability: Option<u32>,
    /// An installation of CUDA, with `bin/nvcc`. If it is not given, `CUDA_HOME`; without both, the compiler's packages from
    /// PyPI are installed below the target directory.
    #[arg(long, value_name = "DIR")]
    cuda: Option<PathBuf>,
}

/// Builds both plugins, without a warning, and says what was made.
pub(crate) fn build_cuda(arguments: &BuildCudaArguments) -> Result<()> {
    let capability = match arguments.compute_capability.or_else(of_this_machine) {
        Some(capability) => capability,
        None => bail!(
            "expected a GPU whose compute capability `nvidia-smi` tells, found none; name the one of the machine that will run \
             the plugin: `cargo xtask build-cuda --compute-capability 80`"
        ),
    };
    let installed = arguments.cuda.clone().or_else(|| std::env::var_os("CUDA_HOME").map(PathBuf::from));
    let cuda = match installed {
        Some(cuda) => {
            ensure!(cuda.join("bin/nvcc").is_file(), "expected `bin/nvcc` in `{}`, found none", cuda.display());
            cuda
        }
        None => toolkit::provide()?,
    };
    // A directory of its own: candle with CUDA is another build, and its GPU code takes minutes to compile.
    let directory = target().join("cuda");
    let mut build = cargo();
    build.args(["build", "--release", "-p", "examiner-plugin-candle", "-p", "examiner-plugin-onnx"]);
    build.args(["--features", "examiner-plugin-candle/cuda"]);
    build.env("CARGO_TARGET_DIR", &directory).env("RUSTFLAGS", "-D warnings");
    build.env("CUDA_HOME", &cuda).env("CUDA_PATH", &cuda).env("CUDA_COMPUTE_CAP", capability.to_string());
    build.env("CUDARC_CUDA_VERSION", toolkit::version(&cuda)?);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(cuda.join("bin")).chain(std::env::split_paths(&path));
    build.env("PATH", std::env::join_paths(paths).context("cannot put the compiler on `PATH`")?);
    run(&mut build)?;
    println!("for compute capability {}.{}:", capability / 10, capability % 10);
    for plugin in ["candle", "onnx"] {
        let file = directory.join(format!("release/libexaminer_plugin_{plugin}.so"));
        report(plugin, &file)?;
    }
    println!(
        "a suite names one by `plugins: {{ candle: {{ path: FILE }} }}`; beside another `examiner` it replaces the file of its name"
    );
    Ok(())
}

/// What this machine's GPU is, if there is one.
fn of_this_machine() -> Option<u32> {
    let asked = ["--query-gpu=compute_cap", "--format=csv,noheader"];
    let output = Command::new("nvidia-smi").args(asked).output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next()?.trim().replace('.', "").parse().ok()
}

/// Size of a library, and what of other libraries it needs beside those that every system has.
fn report(plugin: &str, file: &Path) -> Result<()> {
    let size = std::fs::metadata(file).with_context(|| format!("expected `{}`", file.display()))?.len();
    let shown = file.strip_prefix(root()).unwrap_or(file).display();
    println!("{plugin}: `{shown}`, {} MiB", size >> 20);
    let mut ldd = Command::new("ldd");
    let line = command_line(ldd.arg(file));
    let output = ldd.output().with_context(|| format!("cannot start `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for needed in text.lines().map(str::trim).filter(|line| line.starts_with("libcu") || line.starts_with("libnv")) {
        println!("  needs {needed}");
    }
    Ok(())
}
