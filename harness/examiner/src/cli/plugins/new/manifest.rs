//! The `Cargo.toml` of a new plugin.

use super::template::Template;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where the crates come from that plugins depend on.
pub(super) enum Source {
    /// The registry, in the versions of this program.
    Registry,
    /// A checkout of this program's sources.
    Checkout(PathBuf),
}

impl Source {
    /// The sources in this directory.
    pub(super) fn checkout(path: &Path) -> Result<Self> {
        if !path.join("harness/api/Cargo.toml").is_file() {
            bail!("expected the sources of Examiner in `{}`, found no `harness/api/Cargo.toml` there", path.display());
        }
        let path = path.canonicalize().with_context(|| format!("cannot find `{}`", path.display()))?;
        Ok(Source::Checkout(path))
    }

    /// Where a crate is, as a field of its dependency.
    fn field(&self, directory: &str, version: &str) -> String {
        match self {
            Source::Registry => format!("version = \"{version}\""),
            // A basic string of TOML has the escapes of JSON's.
            Source::Checkout(path) => format!("path = {}", json!(path.join("harness").join(directory))),
        }
    }
}

/// The manifest of the crate `name`.
pub(super) fn manifest(template: &Template, name: &str, source: &Source) -> String {
    let features: String = match template.features {
        [] => String::new(),
        features => format!(", features = {features:?}"),
    };
    let api = source.field("api", examiner_api::API_VERSION);
    let mut dependencies = format!("examiner-api = {{ {api}{features} }}\n");
    if template.is_local_model {
        let lm = source.field("lm", env!("CARGO_PKG_VERSION"));
        dependencies.push_str(&format!(
            "# What every local language model shares: tokenizer, shared beginnings, batches, sampling, chat templates.\n\
             examiner-lm = {{ {lm} }}\n"
        ));
    }
    dependencies.extend(template.dependencies.iter().map(|line| format!("{line}\n")));
    format!(
        "[package]\n\
         name = \"{name}\"\n\
         version = \"0.1.0\"\n\
         edition = \"2024\"\n\
         publish = false\n\n\
         # The program opens the shared library (`cdylib`); tests and other crates use the same code as a Rust library.\n\
         [lib]\n\
         crate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\n\
         # Roles and their data, the host, errors; and serde, serde_json and schemars, as they use them. The feature `rows` reads\n\
         # JSON lines, JSON, CSV and TSV, makes fingerprints of files, and has what recipes share; `parquet` reads Parquet, too.\n\
         {dependencies}\n\
         # A workspace of its own, wherever the directory lies.\n\
         [workspace]\n\n\
         # Panics unwind, as they do by default: a panic then becomes an error with its place. `panic = \"abort\"` is refused.\n"
    )
}
