//! The schemas of all roles, as the program prints them.

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Kinds of roles whose options have no table: those of scorers are in a page of their own, diagnostics have none.
const WITHOUT_TABLE: [&str; 2] = ["scorer", "diagnostic"];

/// The options of every role, by its kind and name.
pub(super) struct Schemas {
    options: BTreeMap<(String, String), Value>,
}

impl Schemas {
    pub(super) fn of_program(program: &Path) -> Result<Self> {
        let list = output(program, &[])?;
        // A line of a role is indented: `  model `candle`: what it is`.
        let role = |line: &str| {
            let (kind, rest) = line.strip_prefix("  ")?.split_once(" `")?;
            Some((kind.to_owned(), rest.split_once('`')?.0.to_owned()))
        };
        let mut options = BTreeMap::new();
        let roles = list.lines().take_while(|line| *line != "looked for in:").filter_map(role);
        for (kind, name) in roles.filter(|(kind, _)| !kind.contains(' ')) {
            let schemas: Map<String, Value> = serde_json::from_str(&output(program, &["--schema", &name])?)?;
            let schema = schemas.get(&kind).ok_or_else(|| anyhow!("`{name}` has no schema of its {kind}"))?;
            options.insert((kind, name), schema.clone());
        }
        ensure!(!options.is_empty(), "expected `{} plugins` to list roles, found none", program.display());
        Ok(Schemas { options })
    }

    /// The schema of a role's options.
    pub(super) fn options(&self, kind: &str, name: &str) -> Result<&Value> {
        let options = self.options.get(&(kind.to_owned(), name.to_owned()));
        options.ok_or_else(|| anyhow!("the program has no {kind} `{name}`; is its plugin beside it?"))
    }

    /// Kind and name of every role that has a table.
    pub(super) fn with_options(&self) -> impl Iterator<Item = (&str, &str)> {
        let roles = self.options.keys().map(|(kind, name)| (kind.as_str(), name.as_str()));
        roles.filter(|(kind, _)| !WITHOUT_TABLE.contains(kind))
    }

    /// The `model_type`s that the plugin `candle` supports.
    pub(super) fn model_types(&self) -> Result<Vec<String>> {
        let types = &self.options("model", "candle")?["properties"]["checkpoint"]["x-model-types"];
        serde_json::from_value(types.clone()).context("the schema of `candle` lists no `x-model-types`")
    }
}

pub(super) fn output(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.arg("plugins").args(arguments).output();
    let output = output.with_context(|| format!("cannot start `{}`", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{} plugins` ended with {}: {stderr}", program.display(), output.status);
    Ok(String::from_utf8(output.stdout)?)
}
