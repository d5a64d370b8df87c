//! `examiner plugins info`: what is said of a plugin, of a role and of a file.

use crate::build;
use crate::run::stderr;
use serde_json::Value;
use std::path::Path;

fn info(directory: &Path, arguments: &[&str]) -> String {
    let output = build::examiner(directory).args(["plugins", "info"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn json(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&info(directory, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_plugin_a_role_and_a_file_are_described() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = json(directory.path(), &["echo"])["plugins"][0].clone();
    assert_eq!(plugin["name"], "echo");
    assert_eq!(plugin["interface"], examiner_api::INTERFACE);
    assert_eq!(plugin["api_version"], examiner_api::API_VERSION);
    assert_eq!(plugin["pin"], Value::Null);
    let role = &plugin["roles"][0];
    assert_eq!((&role["kind"], &role["options"][0]["name"]), (&"model".into(), &"prefix".into()));
    assert_eq!(role["options"][0]["type"], "string");
    assert_eq!(role["schema"]["additionalProperties"], false);

    let file = build::plugin("echo").display().to_string();
    assert_eq!(json(directory.path(), &[&file])["plugins"][0], plugin);

    let text = info(directory.path(), &["echo"]);
    assert!(
        text.contains("\nmodel `echo`: Answers with its own prompt.\n  prefix: string, default `\"\"`\n"),
        "{text}"
    );
    assert!(text.contains("      What stands before each answer.\n"), "{text}");

    // A role of the program, whose plugin has another name.
    let scorer = json(directory.path(), &["answer-extraction"])["plugins"].clone();
    assert_eq!((&scorer[0]["name"], scorer[0]["roles"].as_array().unwrap().len()), (&"core".into(), 1));
}

#[test]
fn the_pin_of_a_suite_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let sha256 = json(directory.path(), &["echo"])["plugins"][0]["sha256"].as_str().unwrap().to_owned();
    let suite = directory.path().join("suite.yaml");
    std::fs::write(&suite, format!("name: pinned\nplugins: {{ echo: {{ sha256: {sha256} }} }}\n")).unwrap();
    let text = info(directory.path(), &["echo", "--suite", "suite.yaml"]);
    assert!(text.contains(&format!("pin        {sha256}, by `suite.yaml`")), "{text}");
    std::fs::write(&suite, "name: free\n").unwrap();
    assert!(info(directory.path(), &["echo", "--suite", "suite.yaml"]).contains("pin        none in `suite.yaml`"));
}

#[test]
fn what_is_not_there_is_said_with_the_nearest_name() {
    let directory = tempfile::tempdir().unwrap();
    let said = |name: &str| {
        let output = build::examiner(directory.path()).args(["plugins", "info", name]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
        stderr(&output)
    };
    assert!(said("ecko").contains("did you mean `echo`?"));
    assert!(said("nowhere/libnone.so").contains("nowhere/libnone.so"));
}
