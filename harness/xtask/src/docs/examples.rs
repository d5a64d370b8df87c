//! The examples of the pages for authors of plugins: what `examiner plugins new` writes.

use crate::program::files::read;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// The name of the plugin in the pages.
const NAME: &str = "my-plugin";

/// What is generated in a page: the name of its marks, and the text between them.
pub(super) struct Region {
    pub(super) page: &'static str,
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// The page of each role, and the flags with which its example is written.
const ROLES: [(&str, &[&str]); 8] = [
    ("docs/plugins/model.md", &["--role", "model"]),
    ("docs/plugins/local-model.md", &["--role", "model", "--lm"]),
    ("docs/plugins/dataset.md", &["--role", "dataset"]),
    ("docs/plugins/scorer.md", &["--role", "scorer"]),
    ("docs/plugins/trainer.md", &["--role", "trainer"]),
    ("docs/plugins/recipe.md", &["--role", "recipe"]),
    ("docs/plugins/exporter.md", &["--role", "exporter"]),
    ("docs/plugins/diagnostic.md", &["--role", "diagnostic"]),
];

/// The regions of all pages, from crates that the program writes.
pub(super) fn regions(program: &Path) -> Result<Vec<Region>> {
    let directory = tempfile::tempdir().context("cannot make a directory")?;
    let mut regions = Vec::new();
    for (page, flags) in ROLES {
        let made = directory.path().join(flags.concat());
        let mut command = Command::new(program);
        command.args(["plugins", "new", NAME]).args(flags).arg("--directory").arg(&made);
        let output = command.output().with_context(|| format!("cannot start `{}`", program.display()))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`plugins new` ended with {}: {stderr}", output.status);
        let code = read(&made.join("src/lib.rs"))?;
        let (code, _) = code.split_once("\n#[cfg(test)]\n").context("the example of a plugin has no tests")?;
        regions.push(Region { page, name: "example", text: block("rust", code) });
        if page == "docs/plugins/model.md" {
            let readme = read(&made.join("README.md"))?;
            let commands = readme.split_once("```sh\n").and_then(|(_, rest)| Some(rest.split_once("```")?.0));
            let commands = commands.context("the README of a plugin has no commands")?;
            let page = "docs/plugins.md";
            regions.push(Region { page, name: "commands", text: block("sh", commands) });
            let manifest = read(&made.join("Cargo.toml"))?;
            regions.push(Region { page, name: "manifest", text: block("toml", &manifest) });
        }
    }
    Ok(regions)
}

fn block(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```\n", text.trim_end())
}
