//! Where the key must not be.

use crate::server::{Reply, Server, chat};
use crate::{generate, options, requests};
use examiner_api::testing::FakeHost;
use examiner_api::{Model, Open};
use examiner_plugin_openai::OpenAi;
use serde_json::json;
use std::path::Path;
use std::process::Command;

const VARIABLE: &str = "EXAMINER_TEST_API_KEY";
const FOLDER: &str = "EXAMINER_TEST_FOLDER";
const KEY: &str = "sk-test/4f8a1c0e9b7d";

/// The environment belongs to the whole process, so that this runs in one of its own.
#[test]
fn the_key_is_in_no_file_and_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "secrets::with_a_key", "--ignored", "--nocapture"]);
    let output = command.env(VARIABLE, KEY).env(FOLDER, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("[API key]") && said.contains("test result: ok. 1 passed"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    let mut files = 0;
    grep(folder.path(), &mut files);
    assert!(files >= 12, "only {files} files");
}

fn grep(folder: &Path, files: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            grep(&path, files);
        } else {
            *files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(KEY) && !text.contains("4f8a1c0e9b7d"), "{}: {text}", path.display());
        }
    }
}

/// A server that repeats the key wherever it can; everything that comes of it is printed.
#[test]
#[ignore = "run by `the_key_is_in_no_file_and_no_message`, which sets the environment"]
fn with_a_key() {
    let folder = std::path::PathBuf::from(std::env::var(FOLDER).unwrap());
    let server = Server::start(|asked| {
        let key = asked.headers["authorization"].split_whitespace().last().unwrap();
        assert_eq!(key, KEY, "the server gets it");
        match asked.prompt.as_str() {
            "question 0" => Reply::Json(400, vec![], json!({ "error": { "message": format!("bad key {key}") } })),
            "question 1" => Reply::Json(500, vec![], json!({ "error": format!("with {key}") })),
            "question 2" => Reply::Text("text/plain", format!("You are {key}")),
            // Written another way, it is the same text once it is read.
            "question 3" => {
                Reply::Text("application/json", chat(&[key], "stop").to_string().replace("sk-", "\\u0073k-"))
            }
            "question 19" => Reply::Json(401, vec![], json!({ "error": { "message": format!("Incorrect: {key}") } })),
            _ => Reply::ok(chat(&[&format!("your key is {key}")], "stop")),
        }
    });
    let host = FakeHost::new();
    let log = folder.join("logs").join("requests.jsonl");
    let more = json!({
        "api_key_env": VARIABLE, "cache": folder.join("cache"), "request_log": log, "max_attempts": 2,
        "max_concurrency": 1,
    });
    let options = options(&server, more);
    println!("{options:?}");
    let mut model = OpenAi::open(options, host.host()).unwrap();
    println!("{:?}", model.info().unwrap());
    let (answers, end) = generate(&mut model, requests(19));
    end.unwrap();
    let (_, end) = generate(&mut model, requests(20).split_off(19));
    println!("{answers:?} {end:?} {:?}", host.messages());
    assert!(end.unwrap_err().message.contains("Incorrect: [API key]"));
    assert_eq!(answers[&3].as_ref().unwrap().text, "[API key]");
    assert_eq!(answers[&4].as_ref().unwrap().text, "your key is [API key]");
    let lines = std::fs::read_to_string(log).unwrap();
    // Two of the questions were tried twice.
    assert_eq!(lines.lines().count(), 22, "{lines}");
    for line in lines.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(entry["sample"].is_string() && entry["attempt"].is_u64() && entry["latency_ms"].is_u64(), "{entry}");
        assert_eq!(entry["status"].as_u64() == Some(200) && entry["error"].is_null(), entry["tokens_in"].is_u64());
    }
}
