//! Commands, options, versions and roles that do not fit.

use crate::{faulty, options, python, script};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Open, PluginError};
use examiner_plugin_process::{ProcessModel, ProcessTrainer};
use examiner_test_support::needs;
use examiner_test_support::process::{children, runs, wait_until};
use serde_json::{Value, json};

fn refused(given: Value) -> PluginError {
    ProcessModel::open(options(given), FakeHost::new().host()).err().expect("an error")
}

#[test]
fn a_command_that_cannot_be_started_is_an_error_with_what_to_write() {
    let error = refused(json!({ "command": ["no-such-python", "model.py"] }));
    assert_eq!((error.code, &*error.message), (ErrorCode::NotFound, "cannot start the program `no-such-python`"));
    assert!(error.help.unwrap().contains("`PATH`"));
    assert_eq!(refused(json!({ "command": [] })).message, "`command` names no program");
    let error = refused(json!({ "command": ["true"], "directory": "/no/such" }));
    assert_eq!(error.message, "`directory`: there is no directory `/no/such`");
    let error = refused(json!({ "command": ["true"], "files": ["/no/such"] }));
    assert_eq!(error.code, ErrorCode::NotFound);
    let error = refused(json!({ "command": ["true"], "pass_env": ["EXAMINER_NO_SUCH_TOKEN"] }));
    assert_eq!(error.message, "`pass_env`: the variable `EXAMINER_NO_SUCH_TOKEN` is not set");
    let error = refused(json!({ "command": ["true"], "heartbeat_s": -1.0 }));
    assert_eq!(error.message, "`heartbeat_s`: expected a number of seconds above 0, found `-1`");
}

#[needs(python)]
#[test]
fn a_script_that_is_not_there_is_named() {
    let error = refused(json!({ "command": ["python3", "no_such.py"] }));
    assert_eq!(error.code, ErrorCode::Crashed);
    assert!(error.message.starts_with("`python3 no_such.py` ended by itself, with exit code 2"), "{error}");
    assert!(error.message.contains("No such file or directory"), "{error}");
    assert!(error.help.unwrap().starts_with("there is no file `no_such.py`"));
}

#[needs(python)]
#[test]
fn a_program_that_does_not_greet_is_told_with_what_it_did() {
    let of = |fault: &str| faulty(fault).err().expect("an error");
    let error = of("start-exit");
    assert_eq!(
        (error.code, &*error.message),
        (
            ErrorCode::Crashed,
            "`python3 faulty.py` ended by itself, with exit code 3; the last line of its stderr: `fault: start-exit`"
        )
    );
    let error = of("start-print");
    assert_eq!(error.code, ErrorCode::Protocol);
    assert!(error.message.contains("expected the answer to `hello`, found `Loading the weights ...`"), "{error}");
    assert!(error.help.unwrap().contains("stderr"));
    let error = of("start-silent");
    assert!(error.message.contains("sent nothing for 1."), "{error}");
    let error = of("protocol");
    let said = (error.code, &*error.message);
    assert_eq!(said, (ErrorCode::Protocol, "`python3 faulty.py` speaks version 2 of the protocol, expected version 1"));
    let error = of("role");
    let said = (error.code, &*error.message);
    assert_eq!(said, (ErrorCode::BadOptions, "`python3 faulty.py` plays `dataset`, expected the role `model`"));
    let error =
        ProcessTrainer::open(options(json!({ "command": ["python3", script("faulty.py")] })), FakeHost::new().host());
    assert_eq!(error.err().unwrap().message, "`python3 faulty.py` plays `model`, expected the role `trainer`");
}

#[needs(python)]
#[test]
fn options_that_do_not_fit_the_published_schema_are_named() {
    let of = |given: Value| refused(json!({ "command": ["python3", script("faulty.py")], "options": given }));
    let error = of(json!({ "at": 3 }));
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(
        error.message.starts_with("`options.at` does not fit what `python3 faulty.py` knows: 3 is not of type"),
        "{error}"
    );
    let error = of(json!({ "fualt": "exit" }));
    assert!(error.message.contains("'fualt' was unexpected"), "{error}");
    assert_eq!(error.help.as_deref(), Some("its options are `fault`, `at`"));
    // The package makes a schema of the arguments of a class.
    let error = refused(json!({ "command": python(&script("roles.py")), "options": { "offset": "x" } }));
    assert!(error.message.starts_with("`options.offset` does not fit"), "{error}");
}

#[needs(python)]
#[test]
fn a_class_that_cannot_be_made_is_told_with_its_exception() {
    let error = refused(json!({ "command": python(&script("roles.py")), "options": { "offset": -1 } }));
    assert_eq!((error.code, &*error.message), (ErrorCode::Other, "ValueError: offset is negative"));
}

#[needs(python)]
#[test]
fn the_fingerprint_has_what_the_program_says_and_the_content_of_its_files() {
    use examiner_api::Model;
    let folder = tempfile::tempdir().unwrap();
    let script_of = |text: &str| {
        let path = folder.path().join("model.py");
        std::fs::write(&path, std::fs::read_to_string(script("roles.py")).unwrap() + text).unwrap();
        path.display().to_string()
    };
    let fingerprint =
        |given: Value| ProcessModel::open(options(given), FakeHost::new().host()).unwrap().info().unwrap().fingerprint;
    let first = fingerprint(json!({ "command": python(&script_of("")) }));
    assert_eq!(fingerprint(json!({ "command": python(&script_of("")) })), first);
    assert_ne!(fingerprint(json!({ "command": python(&script_of("# another version")) })), first);
    script_of("");
    let path = folder.path().join("model.py").display().to_string();
    assert_ne!(fingerprint(json!({ "command": python(&path), "options": { "offset": 1 } })), first);
    // What the program says of itself.
    assert_ne!(fingerprint(json!({ "command": python(&path), "options": { "weights": "b" } })), {
        fingerprint(json!({ "command": python(&path), "options": { "weights": "a" } }))
    });
}

/// The role's end is the program's. Programs of other tests, which run at the same time, end as well.
#[needs(python)]
#[test]
fn a_program_ends_with_its_role() {
    let before = children(std::process::id());
    let model = faulty("none").unwrap();
    let started: Vec<u32> = children(std::process::id()).into_iter().filter(|child| !before.contains(child)).collect();
    assert!(!started.is_empty());
    drop(model);
    wait_until("the programs end", || !started.iter().any(|process| runs(*process)));
}
