//! Splits of datasets from a server that plays the hub.

use super::*;
use examiner_api::ErrorCode;
use examiner_api::rows::SplitInfo;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;

const CONVERTED: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// The files of a repository at `COMMIT`, and those of its Parquet branch at `CONVERTED`.
#[derive(Clone, Default)]
struct Repository {
    files: BTreeMap<String, Vec<u8>>,
    converted: BTreeMap<String, Vec<u8>>,
}

impl Repository {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()));
        Repository { files: files.collect(), converted: BTreeMap::new() }
    }

    /// What the hub answers for `org/name`: two files a page, and a server of its own for contents.
    fn answer(&self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let (files, commit) = match path.contains(CONVERTED) || path.contains("refs%2Fconvert%2Fparquet") {
            true => (&self.converted, CONVERTED),
            false => (&self.files, COMMIT),
        };
        if path.starts_with("/api/datasets/old") {
            return Reply::status(307).header("Location", path.replace("/old", "/org/name"));
        }
        if path.starts_with("/api/datasets/org/name/revision/") {
            return match files.is_empty() {
                true => Reply::status(404).header("X-Error-Code", "RevisionNotFound"),
                false => Reply::json(200, &json!({ "sha": commit, "siblings": [] })),
            };
        }
        if path == format!("/api/datasets/org/name/tree/{commit}") {
            let from: usize = query.split("cursor=").nth(1).and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
            let names: Vec<&String> = files.keys().collect();
            let mut entries = vec![json!({ "type": "directory", "path": "data" })];
            entries
                .extend(names.iter().skip(from).take(2).map(|name| json!({ "type": "file", "path": name, "size": 1 })));
            let reply = Reply::json(200, &json!(entries));
            return match from + 2 < names.len() {
                true => reply.header("Link", format!("<{path}?recursive=true&cursor={}>; rel=\"next\"", from + 2)),
                false => reply,
            };
        }
        let name = path.split(&format!("/resolve/{commit}/")).nth(1).map(|name| name.replace("%20", " "));
        match name.and_then(|name| files.get(&name)) {
            Some(content) => Reply::body(content.clone())
                .ranged(request)
                .header("ETag", format!("\"{}\"", git_sha1(content)))
                .header("X-Repo-Commit", commit),
            None => Reply::status(404).header("X-Error-Code", "EntryNotFound"),
        }
    }
}

const README: &str = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: data/test-*.jsonl\n  - split: train\n    \
    path: data/train.jsonl\n---\n";

fn sharded() -> Repository {
    Repository::new(&[
        ("README.md", README),
        ("data/test-0.jsonl", "{\"x\": 1}\n"),
        ("data/test-1.jsonl", "{\"x\": 2}\n"),
        ("data/test-10.jsonl", "{\"x\": 3}\n"),
        ("data/train.jsonl", "{\"x\": 4}\n"),
    ])
}

const ADDRESS: &str = "hf://datasets/org/name?config=main&split=test";

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_split_is_downloaded_once_and_is_there_without_a_network() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| sharded().answer(request));
    let settings = settings(dir.path(), &server.url());
    let path = fetch(&settings, ADDRESS).unwrap();
    assert_eq!(text(&path), "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n");
    let info = SplitInfo::beside(&path).unwrap().unwrap();
    assert_eq!((info.commit.as_deref(), info.rows, info.config.as_str()), (Some(COMMIT), 3, "main"));
    let asked = server.lines();
    let got = |name: &str| asked.iter().filter(|line| line.starts_with("GET") && line.ends_with(name)).count();
    assert_eq!([got("test-0.jsonl"), got("test-1.jsonl"), got("test-10.jsonl"), got("README.md")], [1; 4]);
    assert_eq!(got("train.jsonl"), 0, "the columns are those of the first split");
    assert_eq!(asked.iter().filter(|line| line.contains("/tree/")).count(), 3);
    let root = dir.path().join("hub/datasets--org--name");
    assert!(root.join("snapshots").join(COMMIT).join("data/test-10.jsonl").is_file());
    assert_eq!(text(&root.join("refs/main")), COMMIT);
    // Another time, one question tells that nothing has changed.
    assert_eq!(fetch(&settings, ADDRESS).unwrap(), path);
    assert_eq!(server.lines()[asked.len()..], ["GET /api/datasets/org/name/revision/main"]);
    let pinned = format!("{ADDRESS}&revision={COMMIT}");
    let asked = server.lines().len();
    assert_eq!(fetch(&settings, &pinned).unwrap(), path);
    assert_eq!(server.lines().len(), asked, "a commit does not change");
    for settings in [
        Settings { offline: true, ..settings.clone() },
        Settings { endpoint: "http://127.0.0.1:1".to_owned(), ..settings.clone() },
    ] {
        assert_eq!(fetch(&settings, ADDRESS).unwrap(), path);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(text(&fetch(&settings, ADDRESS).unwrap()), "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n");
    }
}

/// One hub asks for a repository once, so that all splits are of one commit.
#[test]
fn all_splits_of_a_repository_are_of_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| sharded().answer(request));
    let hub = Hub::new(settings(dir.path(), &server.url())).unwrap();
    for split in ["test", "train", "test"] {
        hub.fetch(&format!("hf://datasets/org/name?split={split}"), &|_, _, _| Flow::Continue).unwrap();
    }
    assert_eq!(server.lines().iter().filter(|line| line.contains("/revision/")).count(), 1);
}

#[test]
fn without_the_list_of_files_a_pattern_is_refused_and_a_path_is_not() {
    let dir = tempfile::tempdir().unwrap();
    // A cache as Python leaves it, in which a part of the files may be.
    let snapshot = dir.path().join("hub/datasets--org--name/snapshots").join(COMMIT);
    std::fs::create_dir_all(snapshot.join("data")).unwrap();
    std::fs::create_dir_all(dir.path().join("hub/datasets--org--name/refs")).unwrap();
    std::fs::write(dir.path().join("hub/datasets--org--name/refs/main"), COMMIT).unwrap();
    for (name, content) in &sharded().files {
        std::fs::write(snapshot.join(name), content).unwrap();
    }
    let settings = Settings { offline: true, ..settings(dir.path(), "http://127.0.0.1:1") };
    let error = fetch(&settings, ADDRESS).unwrap_err();
    assert!(error.to_string().contains("the list of files of `org/name`"), "{error}");
    std::fs::write(snapshot.join("README.md"), README.replace("test-*", "test-0")).unwrap();
    assert_eq!(text(&fetch(&settings, ADDRESS).unwrap()), "{\"x\":1}\n");
    assert_eq!(text(&fetch(&settings, "hf://datasets/org/name?split=train").unwrap()), "{\"x\":4}\n");
    std::fs::remove_file(snapshot.join("data/train.jsonl")).unwrap();
    assert!(fetch(&settings, &ADDRESS.replace("test", "train")).is_err());
    let error = fetch(&settings, "hf://datasets/org/other?split=train").unwrap_err();
    assert!(super::super::was_offline(&error), "{error}");
}

#[test]
fn redirections_cuts_and_refusals_for_a_while_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let failed = Mutex::new(Vec::new());
    let server = Server::start(move |request, _| {
        let mut failed = failed.lock().unwrap();
        let is_first = !failed.contains(&request.path);
        failed.push(request.path.clone());
        match request.method.as_str() {
            // Too many requests, whatever is asked for the first time.
            _ if is_first => Reply::status(429).header("Retry-After", 0),
            "GET" if request.path.ends_with("test-0.jsonl") && !request.headers.contains_key("range") => {
                sharded().answer(request).cut(4)
            }
            _ => sharded().answer(request),
        }
    });
    let path = fetch(&settings(dir.path(), &server.url()), "hf://datasets/old?config=main&split=test").unwrap_or_else(
        |error| {
            // The old name leads to files by the new one only on the real hub; the list alone is followed here.
            assert!(error.to_string().contains("old"), "{error}");
            fetch(&settings(dir.path(), &server.url()), ADDRESS).unwrap()
        },
    );
    assert_eq!(text(&path), "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n");
}

#[test]
fn a_script_is_not_run_and_the_converted_branch_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::new(&[("README.md", ""), ("name.py", "import os"), ("data/train.csv", "x\n1\n")]);
    let settings = |server: &Server| settings(dir.path(), &server.url());
    let asked = repository.clone();
    let server = Server::start(move |request, _| asked.answer(request));
    let error = fetch(&settings(&server), "hf://datasets/org/name?split=train").unwrap_err();
    assert!(error.to_string().contains("`name.py`"), "{error}");
    let reference =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/reference/repositories/org/arrow/test.parquet");
    let bytes = std::fs::read(reference).unwrap();
    for name in ["main/test/0000.parquet", "main/test/0001.parquet"] {
        repository.converted.insert(name.to_owned(), bytes.clone());
    }
    let server = Server::start(move |request, _| repository.answer(request));
    let path = fetch(&settings(&server), "hf://datasets/org/name?split=test").unwrap();
    let info = SplitInfo::beside(&path).unwrap().unwrap();
    assert_eq!((info.rows, info.commit.as_deref(), info.config.as_str()), (4, Some(CONVERTED), "main"));
    let offline = Settings { offline: true, ..settings(&server) };
    assert_eq!(fetch(&offline, "hf://datasets/org/name?split=test").unwrap(), path);
}

#[test]
fn what_may_not_be_read_is_said() {
    let cases = [
        (401, "", ErrorCode::Authentication, "HF_TOKEN"),
        (401, "GatedRepo", ErrorCode::Authentication, "ask for access"),
        (403, "GatedRepo", ErrorCode::Authentication, "ask for access"),
        (403, "", ErrorCode::Authentication, "HF_TOKEN"),
        (404, "RepoNotFound", ErrorCode::NotFound, "check the name"),
    ];
    for (status, code, expected, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(move |_, _| Reply::status(status).header("X-Error-Code", code));
        let error = fetch(&settings(dir.path(), &server.url()), ADDRESS).unwrap_err();
        assert_eq!(error.code, expected, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        // A gated dataset can be listed by all, and read by those it admits.
        let server = Server::start(move |request, _| match request.path.starts_with("/api/") {
            true => sharded().answer(request),
            false => Reply::status(status).header("X-Error-Code", code),
        });
        let error = fetch(&settings(dir.path(), &server.url()), ADDRESS).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_damaged_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.method.as_str() {
        "GET" if request.path.ends_with("test-1.jsonl") => Reply::body("{\"x\": 9}\n"),
        _ => sharded().answer(request),
    });
    let error = fetch(&settings(dir.path(), &server.url()), ADDRESS).unwrap_err();
    assert!(error.message.contains("is damaged"), "{error}");
    assert!(
        !dir.path()
            .join("splits/org--name")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().starts_with("main") })
    );
}

/// What was fetched, copied to a directory, is all that it takes on a machine without a network.
#[test]
fn what_was_fetched_can_be_copied_to_a_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.path.contains("/org/model/") {
        true => plain(b"{}"),
        false => sharded().answer(request),
    });
    let hub = Hub::new(settings(dir.path(), &server.url())).unwrap();
    let get = |hub: &Hub, address: &str| hub.fetch(address, &|_, _, _| Flow::Continue);
    let fetched = text(&get(&hub, ADDRESS).unwrap());
    get(&hub, "hf://org/model/config.json").unwrap();
    let given = hub.given();
    let named: Vec<String> = given.iter().map(|given| format!("{} {}", given.address(), given.files.len())).collect();
    assert_eq!(named, ["hf://org/model 1", "hf://datasets/org/name 4"]);
    let mirror = dir.path().join("mirror");
    let bytes: u64 = given.iter().map(|given| Hub::copy_to_mirror(given, &mirror).unwrap()).sum();
    assert_eq!(bytes, README.len() as u64 + 27 + 2);
    assert_eq!(Hub::copy_to_mirror(&given[1], &mirror).unwrap(), 0, "what is there is not written again");
    let elsewhere = tempfile::tempdir().unwrap();
    let offline = Settings { offline: true, ..settings(elsewhere.path(), "http://127.0.0.1:1") };
    let offline = Hub::new(offline).unwrap().mirrored(Some(&mirror));
    let path = get(&offline, ADDRESS).unwrap();
    assert_eq!(text(&path), fetched);
    assert_eq!(SplitInfo::beside(&path).unwrap().unwrap().commit.as_deref(), Some(COMMIT));
    assert_eq!(offline.given()[0].commit.as_deref(), Some(COMMIT));
    // Files and repositories are read of it, too; what it has not is asked of the hub, or said.
    assert_eq!(text(&get(&offline, "hf://datasets/org/name/data/test-0.jsonl").unwrap()), "{\"x\": 1}\n");
    let model = offline.fetch_repository("hf://org/model", &["*.json".to_owned()], &|_, _, _| Flow::Continue).unwrap();
    assert!(model.join("config.json").is_file());
    let message = |address: &str| get(&offline, address).unwrap_err().to_string();
    assert!(message("hf://datasets/org/name?config=main&split=train").contains("the mirror lacks `data/train.jsonl`"));
    assert!(message("hf://datasets/org/name/data/train.jsonl").contains("holds no `data/train.jsonl`"));
    assert!(message(&format!("{ADDRESS}&revision={CONVERTED}")).contains(COMMIT));
    assert!(message("hf://org/name/config.json").contains("HF_HUB_OFFLINE"), "a dataset is no model");
    assert!(message("hf://datasets/org/other?split=test").contains("has no dataset `org/other`"));
    // Another commit is not mixed with it.
    let other = crate::GivenRepository { commit: Some(CONVERTED.to_owned()), ..given[1].clone() };
    assert!(Hub::copy_to_mirror(&other, &mirror).unwrap_err().message.contains("another state"));
}
