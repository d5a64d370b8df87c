//! The options of all roles, as the program prints them.

use super::options::RoleOption;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Kinds of roles whose options have no table: those of scorers are in a page of their own, diagnostics have none, and no suite has a catalog.
const WITHOUT_TABLE: [&str; 3] = ["scorer", "diagnostic", "catalog"];

/// The options of every role, by its kind and name.
pub(super) struct Schemas {
    roles: BTreeMap<(String, String), Role>,
}

/// A role in the output of `examiner plugins info --json`.
#[derive(Deserialize)]
struct Role {
    kind: String,
    name: String,
    options: Vec<RoleOption>,
    schema: Value,
}

#[derive(Deserialize)]
struct Plugin {
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Info {
    plugins: Vec<Plugin>,
}

impl Schemas {
    pub(super) fn of_program(program: &Path) -> Result<Self> {
        let list = output(program, &["plugins"])?;
        // A plugin's line has its name, its version and its file: `candle 0.1.0  `FILE``.
        let plugin = |line: &str| {
            let (name, _) = line.strip_suffix('`')?.split_once(' ')?;
            (!name.is_empty()).then(|| name.to_owned())
        };
        let mut roles = BTreeMap::new();
        for name in list.lines().take_while(|line| *line != "looked for in:").filter_map(plugin) {
            let info: Info = serde_json::from_str(&output(program, &["plugins", "info", &name, "--json"])?)?;
            let found = info.plugins.into_iter().flat_map(|plugin| plugin.roles);
            roles.extend(found.map(|role| ((role.kind.clone(), role.name.clone()), role)));
        }
        ensure!(!roles.is_empty(), "expected `{} plugins` to list roles, found none", program.display());
        Ok(Schemas { roles })
    }

    fn role(&self, kind: &str, name: &str) -> Result<&Role> {
        let role = self.roles.get(&(kind.to_owned(), name.to_owned()));
        role.ok_or_else(|| anyhow!("the program has no {kind} `{name}`; is its plugin beside it?"))
    }

    /// A role's options.
    pub(super) fn options(&self, kind: &str, name: &str) -> Result<&[RoleOption]> {
        Ok(&self.role(kind, name)?.options)
    }

    /// Kind and name of every role that has a table.
    pub(super) fn with_options(&self) -> impl Iterator<Item = (&str, &str)> {
        let roles = self.roles.keys().map(|(kind, name)| (kind.as_str(), name.as_str()));
        roles.filter(|(kind, _)| !WITHOUT_TABLE.contains(kind))
    }

    /// The `model_type`s that the plugin `candle` supports.
    pub(super) fn model_types(&self) -> Result<Vec<String>> {
        let types = &self.role("model", "candle")?.schema["properties"]["checkpoint"]["x-model-types"];
        serde_json::from_value(types.clone()).context("the schema of `candle` lists no `x-model-types`")
    }
}

/// What the program prints.
pub(super) fn output(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).output();
    let output = output.with_context(|| format!("cannot start `{}`", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let line = format!("{} {}", program.display(), arguments.join(" "));
    ensure!(output.status.success(), "`{line}` ended with {}: {stderr}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
