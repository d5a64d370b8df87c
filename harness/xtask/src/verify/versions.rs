//! A plugin that is built without optimization, from a lock file of its own, with other versions of candle, rand and serde than the
//! program's, asked for sums.

use super::comparison::Comparison;
use super::setup::{Setup, write_rows};
use crate::program::process::{cargo, root, run, target};
use anyhow::Result;
use serde_json::json;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;

/// So many sums are asked for.
const SUMS: usize = 1000;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let library = build()?;
    let rows = setup.work.join("sums.jsonl");
    write_rows(&rows, (0..SUMS).map(|n| json!({ "n": n, "answer": (2 * n).to_string() })))?;
    let results = setup.examine(&json!({
        "name": "versions",
        "plugins": { "other-versions": { "path": library } },
        "models": { "other": { "plugin": "other-adder" } },
        "datasets": { "sums": { "plugin": "table", "path": rows, "prompt": "{{ n }} + {{ n }} =", "gold": "answer" } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut comparison = Comparison::new("a plugin of candle 0.9 and rand 0.8: sums");
    for line in results.samples("other", "sums")? {
        let right = (2 * line.index).to_string();
        comparison.row(line.generated()?.text == right);
    }
    Ok(vec![comparison.requiring(SUMS)])
}

/// Builds the plugin of the program's tests, with candle.
fn build() -> Result<PathBuf> {
    let manifest = root().join("harness/examiner/tests/other-versions/Cargo.toml");
    let directory = target().join("other-versions");
    let mut command = cargo();
    command.args(["build", "--quiet", "--locked", "--features", "candle", "--manifest-path"]).arg(manifest);
    run(command.env("CARGO_TARGET_DIR", &directory).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    Ok(directory.join("debug").join(format!("{DLL_PREFIX}examiner_other_versions{DLL_SUFFIX}")))
}
