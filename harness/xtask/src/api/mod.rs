//! `cargo xtask api`: a list of what each published crate offers, beside its manifest, so that a change of it is seen when it is made.
//!
//! A list has the public items as Rust code without bodies and comments, with the attributes of `serde`: a field that is added,
//! renamed or required changes what crosses between program and plugin, too. It is made of the sources alone.

mod outline;

use crate::program::files::{read, write};
use crate::program::process::root;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The directories of the crates whose users are not in this repository.
const CRATES: [&str; 3] = ["harness/interface", "harness/api", "harness/lm"];

/// The name of a list.
const FILE: &str = "public-api.txt";

#[derive(Debug, clap::Args)]
pub(crate) struct ApiArguments {
    /// Write nothing, and fail if a list would change.
    #[arg(long)]
    check: bool,
}

/// Writes the lists. Whether they are up to date.
pub(crate) fn api(arguments: &ApiArguments) -> Result<bool> {
    if arguments.check {
        let stale = stale()?;
        stale.iter().for_each(|change| eprintln!("{change}"));
        return Ok(stale.is_empty());
    }
    for directory in CRATES {
        write(&list_of(directory), list(directory)?)?;
    }
    Ok(true)
}

/// For each crate that offers something else than its list says: what has changed, and what is to be done.
///
/// # Errors
/// A source cannot be read.
pub fn stale() -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for directory in CRATES {
        let (recorded, now) = (read(&list_of(directory)).unwrap_or_default(), list(directory)?);
        if recorded != now {
            stale.push(explained(directory, &recorded, &now));
        }
    }
    Ok(stale)
}

fn list_of(directory: &str) -> PathBuf {
    root().join(directory).join(FILE)
}

fn list(directory: &str) -> Result<String> {
    let path = root().join(directory);
    let manifest = read(&path.join("Cargo.toml"))?;
    let field = |name: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(|value| value.trim().trim_matches('"').to_owned())
            .with_context(|| format!("expected `{name} = \"...\"` in `{directory}/Cargo.toml`"))
    };
    let (name, version) = (field("name")?, field("version")?);
    let outline = outline::of_crate(&name.replace('-', "_"), &path.join(Path::new("src/lib.rs")))?;
    Ok(format!("// What {name} {version} offers. Written by `cargo xtask api`.\n\n{outline}"))
}

/// The first differences, and the rule.
fn explained(directory: &str, recorded: &str, now: &str) -> String {
    let lines_of = |text: &'_ str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines_of(recorded), lines_of(now));
    let missing = |from: &[String], other: &[String], sign: &str| -> Vec<String> {
        from.iter().filter(|line| !other.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let gone = missing(&before, &after, "-");
    let all: Vec<String> = gone.iter().cloned().chain(missing(&after, &before, "+")).collect();
    let shown = all.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    let rule = match gone.is_empty() {
        true => "Something was added: the last number of the crate's version moves.",
        false => {
            "Something was removed or changed: the first number of the crate's version that is not 0 moves, if it has not since the last \
             release. Where a plugin and a program of different versions would misunderstand each other, the version of \
             `examiner-interface` moves, too (CONTRIBUTING.md)."
        }
    };
    format!(
        "`{directory}` offers something else than `{directory}/{FILE}` says:\n{shown}\n{rule} `cargo xtask api` writes the list."
    )
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn what_is_gone_moves_another_number_than_what_is_new() {
        let said = explained("harness/api", "pub fn a();\n", "pub fn a();\npub fn b();\n");
        assert!(said.contains("+ pub fn b();\nSomething was added: the last number"), "{said}");
        let said = explained("harness/api", "pub fn a();\n", "pub fn a(x: u8);\n");
        assert!(said.contains("- pub fn a();\n+ pub fn a(x: u8);\nSomething was removed or changed"), "{said}");
    }
}
