//! Python environments below the target directory, for programs that ours is compared with.

use super::process::{run, target};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of an environment that has these packages; it is installed on the first call.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = target().join(name);
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        eprintln!("installing packages for Python takes minutes and some gigabytes, once");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
        std::fs::write(&ready, wanted)?;
    }
    Ok(python)
}

/// The directory of tasks of the lm-evaluation-harness that a Python has.
pub(crate) fn lm_eval_tasks(python: &Path) -> Result<PathBuf> {
    let script = "import importlib.util as u; print(u.find_spec('lm_eval').submodule_search_locations[0])";
    let output = Command::new(python).args(["-c", script]).output()?;
    ensure!(
        output.status.success(),
        "`{}` has no lm_eval: {}",
        python.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("tasks"))
}
