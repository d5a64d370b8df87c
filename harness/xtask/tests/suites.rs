//! Every suite that the repository shows is a good one: `examiner check` says so, and both JSON Schemas. The files that they name are
//! the reader's.

use crate::blocks::blocks;
use examiner_test_support::build::program;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

fn check(program: &Path, suite: &Path, place: &str) {
    let output =
        Command::new(program).args(["check", "--quick"]).arg(suite).current_dir(xtask::root()).output().unwrap();
    assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
    is_valid(&std::fs::read_to_string(suite).unwrap(), place);
}

/// Whether the suite is valid by the schema with the plugins' options, and by the one that the repository ships.
fn is_valid(text: &str, place: &str) {
    static SCHEMAS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
        let output = Command::new(program()).arg("schema").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let shipped = std::fs::read(xtask::root().join("docs/suite.schema.json")).unwrap();
        [output.stdout, shipped].map(|text| jsonschema::validator_for(&serde_json::from_slice(&text).unwrap()).unwrap())
    });
    let mut suite: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    suite.apply_merge().unwrap();
    let suite = serde_json::to_value(suite).unwrap();
    for schema in &*SCHEMAS {
        let problems: Vec<String> =
            schema.iter_errors(&suite).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{place}: {}", problems.join("\n"));
    }
}

#[test]
fn every_config_is_a_good_suite_with_a_header() {
    let (program, mut count) = (program(), 0);
    let suites = |directory: &str, up: &'static str| {
        let entries = std::fs::read_dir(xtask::root().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).map(move |path| (path, up))
    };
    for (path, up) in suites("configs", "..").chain(suites("configs/benchmarks", "../..")) {
        let text = std::fs::read_to_string(&path).unwrap();
        // Editors read it, and find the schema from the suite's own place.
        let begins = format!("# yaml-language-server: $schema={up}/docs/suite.schema.json\n");
        assert!(text.starts_with(&begins), "`{}`", path.display());
        let header: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        for part in ["Command:", "Cost:", "Result:"] {
            assert!(header.contains(part), "the header of `{}` has no `{part}`", path.display());
        }
        check(&program, &path, &path.display().to_string());
        count += 1;
    }
    assert!(count >= 20, "only {count} suites in `configs/`");
}

/// A block is a whole suite, which begins with its name; a section of one; or a part of a dataset.
fn completed(text: &str) -> String {
    let key = text.split(':').next().unwrap_or_default();
    match key {
        "name" => text.to_owned(),
        "models" | "datasets" | "plugins" => format!("name: block\n{text}"),
        _ => {
            let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
            format!(
                "name: block\ndatasets:\n  block:\n    plugin: table\n    path: rows.jsonl\n    \
                 prompt: \"{{{{ question }}}}\"\n{indented}"
            )
        }
    }
}

#[test]
fn every_yaml_block_of_the_pages_is_a_good_suite_or_a_part_of_one() {
    let (program, directory) = (program(), tempfile::tempdir().unwrap());
    let blocks = blocks("yaml");
    assert!(blocks.len() >= 8, "only {} blocks", blocks.len());
    for block in &blocks {
        if block.text.starts_with("rules:") {
            are_rules(&program, &block.text, &block.place);
            continue;
        }
        let suite = directory.path().join("suite.yaml");
        let text = completed(&block.text);
        serde_yaml::from_str::<serde_yaml::Value>(&text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        std::fs::write(&suite, text).unwrap();
        check(&program, &suite, &block.place);
    }
}

/// Rules for `examiner gate`: they are read, though the run has nothing that they are about.
fn are_rules(program: &Path, text: &str, place: &str) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("summary.csv"), "").unwrap();
    std::fs::write(directory.path().join("gate.yaml"), text).unwrap();
    let mut command = Command::new(program);
    command.args(["gate", ".", "--policy", "gate.yaml"]).current_dir(directory.path());
    let stderr = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
    assert!(stderr.contains("rule 1: the run has no model"), "{place}: {stderr}");
}

#[test]
fn the_first_look_prints_the_table_that_the_page_shows() {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(["run", "configs/first-look.yaml", "--out"]).arg(out.path()).current_dir(xtask::root());
    let output = command.output().unwrap();
    let (table, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(
        crate::blocks::page("docs/suites.md").contains(&*table),
        "`docs/suites.md` shows another table than\n{table}"
    );
}
