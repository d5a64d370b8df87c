//! `cargo xtask package`: packs the published crates as they would be uploaded, and builds them from their packages.

use crate::program::process::{cargo, root, run};
use anyhow::{Context, Result, ensure};

/// The crates that plugins of others depend on, each after those that it needs.
const CRATES: [&str; 4] = ["examiner-interface", "examiner-api", "examiner-bounds", "examiner-lm"];

/// What every package has to hold.
const FILES: [&str; 5] = ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];

/// Packs the crates. Cargo unpacks each into a directory of its own and builds it there, with the packages of the others in place of
/// those that are on the registry.
pub(crate) fn package() -> Result<bool> {
    let lacking = lacking()?;
    ensure!(lacking.is_empty(), "{}", lacking.join("\n"));
    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    run(cargo().args(["package", "--allow-dirty"]).args(packages))?;
    Ok(true)
}

/// The files that packages lack.
///
/// # Errors
/// Cargo cannot list a package.
pub fn lacking() -> Result<Vec<String>> {
    let mut lacking = Vec::new();
    for name in CRATES {
        let mut command = cargo();
        let output =
            command.args(["package", "--list", "--allow-dirty", "--package", name]).current_dir(root()).output();
        let output = output.context("cannot start cargo")?;
        ensure!(output.status.success(), "`cargo package --list`: {}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let files: Vec<&str> = listed.lines().collect();
        let missing = FILES.into_iter().filter(|file| !files.contains(file));
        lacking.extend(missing.map(|file| format!("the package of `{name}` has no `{file}`")));
    }
    Ok(lacking)
}
