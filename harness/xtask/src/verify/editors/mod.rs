//! The JSON Schema of suites in other programs: a validator of another family, and the language server that editors ask.

mod language_server;

use super::comparison::Comparison;
use super::setup::Setup;
use crate::program::files::{read, write};
use crate::program::process::{root, run, succeeds, target};
use crate::program::python;
use anyhow::{Context, Result, ensure};
use language_server::LanguageServer;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHECK_JSONSCHEMA: &str = "check-jsonschema==0.39.0";
const LANGUAGE_SERVER: &str = "yaml-language-server@2.0.0";

/// A suite of each kind of stage, with one mistake another.
const SUITE: &str = "\
# yaml-language-server: $schema=suite.schema.json
name: editors
models:
  m: { plugin: candle, checkpoint: x }
datasets:
  d: { plugin: table, path: rows.jsonl, prompt: \"{{ q }}\", shots: 4, scorer: { name: answer-extraction, extract: strict } }
evaluate: { models: all, datasets: d }
";

/// What makes it wrong.
const MISTAKES: [(&str, &str); 8] = [
    ("evaluate:", "evalute:"),
    ("plugin: candle", "plugin: candel"),
    ("checkpoint: x", "chekpoint: x"),
    ("checkpoint: x", "checkpoint: 7"),
    ("checkpoint: x", "checkpoint: x, dtype: f33"),
    ("shots: 4", "shots: four"),
    ("extract: strict", "extrakt: strict"),
    ("models: all", "models: []"),
];

/// Whether the language server can be installed and started.
pub(super) fn is_available() -> bool {
    ["npm", "node"].iter().all(|program| succeeds(Command::new(program).arg("--version")))
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let directory = setup.work.join("editors");
    let generic = root().join("docs/suite.schema.json");
    let of_plugins = directory.join("suite.schema.json");
    write(&of_plugins, printed(&setup.program)?)?;
    Ok(vec![validated(&directory, &[&generic, &of_plugins])?, edited(&directory)?])
}

fn printed(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("schema").output();
    let output = output.with_context(|| format!("cannot start `{}`", program.display()))?;
    ensure!(output.status.success(), "`examiner schema`: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Every shipped suite is valid by both schemas, and by that of the plugins no suite with a mistake is.
fn validated(directory: &Path, schemas: &[&Path; 2]) -> Result<Comparison> {
    let python = python::environment("check-jsonschema", &[CHECK_JSONSCHEMA])?;
    let is_valid = |schema: &Path, suite: &Path| -> Result<bool> {
        let mut command = Command::new(&python);
        command.args(["-m", "check_jsonschema", "--schemafile"]).arg(schema).arg(suite);
        let output = command.output().with_context(|| format!("cannot start `{}`", python.display()))?;
        // 2 and more: the schema or the command is wrong.
        let code = output.status.code();
        ensure!(matches!(code, Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(code == Some(0))
    };
    let mut comparison = Comparison::new("editors: check-jsonschema, suites");
    for suite in shipped()? {
        for schema in schemas {
            let valid = is_valid(schema, &suite)?;
            if !valid {
                eprintln!("`{}` is not valid by `{}`", suite.display(), schema.display());
            }
            comparison.row(valid);
        }
    }
    let suite = directory.join("suite.yaml");
    write(&suite, SUITE)?;
    comparison.row(is_valid(schemas[1], &suite)?);
    for (from, to) in MISTAKES {
        ensure!(SUITE.contains(from), "`{from}` is not in the suite");
        write(&suite, SUITE.replacen(from, to, 1))?;
        let valid = is_valid(schemas[1], &suite)?;
        if valid {
            eprintln!("a suite with `{to}` is valid");
        }
        comparison.row(!valid);
    }
    Ok(comparison)
}

fn shipped() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root().join("configs")).context("cannot read `configs`")?;
    let mut suites = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    suites.sort();
    Ok(suites)
}

/// What the language server says of suites as they are typed.
fn edited(directory: &Path) -> Result<Comparison> {
    let mut server = LanguageServer::start(&installed()?, directory)?;
    let mut comparison = Comparison::new("editors: yaml-language-server, completion and checks");
    let mut check = |what: &str, holds: bool, said: &Value| {
        if !holds {
            eprintln!("{what}: the language server says {said}");
        }
        comparison.row(holds);
    };

    let typed = |text: &str| format!("# yaml-language-server: $schema=suite.schema.json\nname: s\n{text}");
    let offers = |items: &Value, label: &str| labels(items).iter().any(|found| found == label);
    let plugin = server.completions("plugin.yaml", &typed("models:\n  m:\n    plugin: can"))?;
    check("completion of `plugin: can`", offers(&plugin, "candle"), &plugin);
    let key = server.completions("key.yaml", &typed("models:\n  m:\n    plugin: candle\n    che"))?;
    check("completion of an option of `candle`", offers(&key, "checkpoint"), &key);
    check("completion of an option of another plugin", !offers(&key, "base_url"), &key);
    let scorer = server.completions("scorer.yaml", &typed("datasets:\n  d:\n    plugin: table\n    scorer: answer"))?;
    check("completion of `scorer: answer`", offers(&scorer, "answer-extraction"), &scorer);
    let section = server.completions("section.yaml", &typed("eval"))?;
    check("completion of a section", offers(&section, "evaluate"), &section);

    let good = server.diagnostics("good.yaml", SUITE)?;
    check("a good suite", good.as_array().is_some_and(Vec::is_empty), &good);
    for (number, (from, to)) in MISTAKES.into_iter().enumerate() {
        let found = server.diagnostics(&format!("mistake-{number}.yaml"), &SUITE.replacen(from, to, 1))?;
        check(to, found.as_array().is_some_and(|found| !found.is_empty()), &found);
    }
    let misspelled =
        server.diagnostics("key-of-plugin.yaml", &SUITE.replacen("checkpoint: x", "checkpoint: x, chekpoint: y", 1))?;
    check("the name of a misspelled option", misspelled.to_string().contains("chekpoint"), &misspelled);

    let shots = server.hover("hover.yaml", SUITE, "shots")?;
    check("what `shots` is", shots.to_string().contains("How many examples stand before a question"), &shots);
    let checkpoint = server.hover("hover-option.yaml", SUITE, "checkpoint")?;
    check("what `checkpoint` is", checkpoint.to_string().contains("directory"), &checkpoint);
    server.stop()?;
    Ok(comparison)
}

fn labels(items: &Value) -> Vec<String> {
    let list = items.get("items").unwrap_or(items).as_array();
    list.into_iter().flatten().filter_map(|item| Some(item["label"].as_str()?.to_owned())).collect()
}

/// The language server's program, which is installed on the first call.
fn installed() -> Result<PathBuf> {
    let directory = target().join("yaml-language-server");
    let ready = directory.join("ready");
    if read(&ready).ok().as_deref() != Some(LANGUAGE_SERVER) {
        let mut command = Command::new("npm");
        command
            .args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"])
            .arg(&directory)
            .arg(LANGUAGE_SERVER);
        std::fs::create_dir_all(&directory)?;
        run(&mut command)?;
        write(&ready, LANGUAGE_SERVER)?;
    }
    Ok(directory.join("node_modules/.bin/yaml-language-server"))
}
