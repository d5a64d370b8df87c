use super::*;
use examiner_api::ErrorCode;
use std::sync::Arc;

const WEIGHTS: &[u8] = b"these are weights, of which there are many more in other models";

/// Redirects to `cdn` for the weights, as the hub does for large files.
fn large(cdn: &str) -> Reply {
    Reply::status(302)
        .header("Location", format!("{cdn}/blob?signature=secret"))
        .header("X-Repo-Commit", COMMIT)
        .header("X-Linked-ETag", format!("\"{}\"", sha256(WEIGHTS)))
        .header("X-Linked-Size", WEIGHTS.len())
        .header("ETag", "\"of-the-redirection\"")
}

fn blob_of(dir: &Path, etag: &str) -> PathBuf {
    dir.join("hub/models--org--name/blobs").join(etag)
}

#[test]
fn a_plain_file_is_stored_in_the_layout_of_huggingface_hub() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| plain(b"{}"));
    let path = fetch(&settings(dir.path(), &server.url()), "hf://org/name/sub/config.json").unwrap();
    let root = dir.path().join("hub/models--org--name");
    assert_eq!(path, root.join("snapshots").join(COMMIT).join("sub/config.json"));
    assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    let link = std::fs::read_link(&path).unwrap();
    assert_eq!(link, Path::new("../../../blobs").join(git_sha1(b"{}")));
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    let urls = [
        "HEAD /org/name/resolve/main/sub/config.json".to_owned(),
        format!("GET /org/name/resolve/{COMMIT}/sub/config.json"),
    ];
    assert_eq!(server.lines(), urls);
    // A second time only asks whether `main` has moved; a commit is not even asked for.
    fetch(&settings(dir.path(), &server.url()), "hf://org/name/sub/config.json").unwrap();
    assert_eq!(server.lines().len(), 3);
    fetch(&settings(dir.path(), &server.url()), &format!("hf://org/name@{COMMIT}/sub/config.json")).unwrap();
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn datasets_and_revisions_have_their_own_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| plain(b"rows"));
    let path = fetch(&settings(dir.path(), &server.url()), "hf://datasets/org/name@refs%2Fpr%2F1/a b.csv").unwrap();
    assert!(path.starts_with(dir.path().join("hub/datasets--org--name")));
    assert_eq!(server.lines()[0], "HEAD /datasets/org/name/resolve/refs%2Fpr%2F1/a%20b.csv");
    assert!(dir.path().join("hub/datasets--org--name/refs/refs/pr/1").is_file());
}

#[test]
fn the_token_is_not_sent_to_other_servers() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::start(|_, _| Reply::body(WEIGHTS));
    let elsewhere = cdn.url();
    let server = Server::start(move |_, _| large(&elsewhere));
    let path = fetch(&settings(dir.path(), &server.url()), "hf://org/name/model.safetensors").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), WEIGHTS);
    assert!(blob_of(dir.path(), &sha256(WEIGHTS)).is_file());
    assert!(server.asked().iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
    assert_eq!(cdn.lines(), ["GET /blob?signature=secret"]);
    assert!(!cdn.asked()[0].headers.contains_key("authorization"));
}

#[test]
fn a_renamed_repository_is_followed_on_the_same_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.path.strip_prefix("/org/name/") {
        Some(rest) => Reply::status(307).header("Location", format!("/new/name/{rest}")),
        None => plain(b"x"),
    });
    assert!(fetch(&settings(dir.path(), &server.url()), "hf://org/name/f").is_ok());
}

#[test]
fn an_interrupted_download_continues() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, before| match (request.method.as_str(), before) {
        ("HEAD", _) => large("http://127.0.0.1:1"),
        (_, 0) => Reply::body(WEIGHTS).cut(10),
        (_, 1) => Reply::status(503).header("Retry-After", 0),
        _ => Reply::body(WEIGHTS).ranged(request),
    });
    let path = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), WEIGHTS);
    let ranges: Vec<Option<String>> =
        server.asked()[1..].iter().map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges, [None, Some("bytes=10-".to_owned()), Some("bytes=10-".to_owned())]);
}

#[test]
fn an_earlier_partial_download_is_continued_and_discarded_if_damaged() {
    for (left, good) in [(&WEIGHTS[..20], true), (b"bad bytes, not of it", false)] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(|request, _| match request.method.as_str() {
            "HEAD" => large("http://127.0.0.1:1"),
            _ => Reply::body(WEIGHTS).ranged(request),
        });
        let part = blob_of(dir.path(), &format!("{}.incomplete", sha256(WEIGHTS)));
        std::fs::create_dir_all(part.parent().unwrap()).unwrap();
        std::fs::write(&part, left).unwrap();
        let path = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), WEIGHTS);
        assert_eq!(server.asked()[1].headers["range"], "bytes=20-");
        assert_eq!(server.lines().len(), if good { 2 } else { 3 });
        assert!(!part.exists());
    }
}

#[test]
fn a_server_without_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, before| match (request.method.as_str(), before) {
        ("HEAD", _) => plain(WEIGHTS),
        (_, 0) => Reply::body(WEIGHTS).cut(10),
        _ => Reply::body(WEIGHTS),
    });
    let path = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), WEIGHTS);
}

#[test]
fn a_file_that_is_longer_than_announced_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.method.as_str() {
        "HEAD" => plain(b"abc"),
        _ => Reply::body(vec![0; 8 << 20]),
    });
    let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
    assert_eq!(error.code, ErrorCode::Network);
    assert!(error.message.contains("has 3 bytes, but") && error.message.contains("sends more"), "{error}");
    assert_eq!(server.lines().len(), 2, "it is not tried again");
    let blobs = std::fs::read_dir(dir.path().join("hub/models--org--name/blobs")).unwrap();
    assert_eq!(blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum::<u64>(), 0);
}

#[test]
fn a_damaged_file_is_never_used() {
    for reply in [large("http://127.0.0.1:1"), plain(WEIGHTS)] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(move |request, _| match request.method.as_str() {
            "HEAD" => reply.clone(),
            _ => Reply::body(WEIGHTS.to_ascii_uppercase()),
        });
        let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        let expected = if error.message.contains("SHA-256") { sha256(WEIGHTS) } else { git_sha1(WEIGHTS) };
        assert!(error.message.contains(&expected), "{error}");
        let blobs = std::fs::read_dir(dir.path().join("hub/models--org--name/blobs")).unwrap().count();
        assert_eq!(blobs, 0);
    }
}

#[test]
fn an_overloaded_server_is_given_up_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::status(429).header("Retry-After", 0));
    let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
    assert_eq!(error.code, ErrorCode::Overloaded);
    assert!(error.message.contains("(3 attempts)"), "{error}");
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn refusals_say_what_to_do() {
    let cases: [(u16, &str, ErrorCode, &str); 6] = [
        (401, "", ErrorCode::Authentication, "HF_TOKEN"),
        (401, "GatedRepo", ErrorCode::Authentication, "ask for access"),
        (403, "", ErrorCode::Authentication, "HF_TOKEN"),
        (404, "RepoNotFound", ErrorCode::NotFound, "check the name"),
        (404, "RevisionNotFound", ErrorCode::NotFound, "no revision `main`"),
        (418, "", ErrorCode::Network, "418"),
    ];
    for (status, code, expected, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(move |_, _| Reply::status(status).header("X-Error-Code", code));
        let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
        assert_eq!(error.code, expected, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(server.lines().len(), 1);
    }
}

fn repository(request: &Request) -> Reply {
    let listing = r#"{"sha":"COMMIT","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"},
        {"rfilename":"pytorch_model.bin"},{"rfilename":"onnx/model.onnx"},{"rfilename":"onnx/config.json"}]}"#;
    match request.path.rsplit('/').next().unwrap() {
        _ if request.path.starts_with("/api/models/org/name/revision/") => {
            Reply::body(listing.replace("COMMIT", COMMIT))
        }
        name @ ("config.json" | "model.safetensors" | "model.onnx" | "pytorch_model.bin") => plain(name.as_bytes()),
        _ => Reply::status(404).header("X-Error-Code", "EntryNotFound"),
    }
}

#[test]
fn of_a_repository_those_files_are_fetched_that_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| repository(request));
    let settings = settings(dir.path(), &server.url());
    let fetch_some = |settings: &Settings, patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Hub::new(settings.clone()).unwrap().fetch_repository("hf://org/name", &patterns, &|_, _, _| Flow::Continue)
    };
    let folder = fetch_some(&settings, &["*.json", "*.safetensors"]).unwrap();
    assert!(folder.to_string_lossy().ends_with(COMMIT), "{folder:?}");
    assert!(folder.join("config.json").is_file() && folder.join("model.safetensors").is_file());
    assert!(!folder.join("pytorch_model.bin").exists() && !folder.join("onnx").exists());
    // Without a network, what is there is used.
    let asked = server.lines().len();
    let offline = Settings { offline: true, ..settings.clone() };
    assert_eq!(fetch_some(&offline, &["*.json", "*.safetensors"]).unwrap(), folder);
    assert_eq!(server.lines().len(), asked);
    let error = fetch_some(&settings, &["*.gguf"]).unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error}");
    // Of a folder's name alone, or of the repository's, everything is fetched.
    fetch_some(&settings, &["*", "onnx/*", "!onnx/*.onnx", "!*.bin"]).unwrap();
    assert!(folder.join("onnx/config.json").is_file() && !folder.join("onnx/model.onnx").exists());
    assert!(!folder.join("pytorch_model.bin").exists());
    assert_eq!(fetch(&settings, "hf://org/name").unwrap(), folder);
    assert!(folder.join("pytorch_model.bin").is_file() && folder.join("onnx/model.onnx").is_file());
}

#[test]
fn folders_are_found_and_near_names_suggested() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| repository(request));
    let settings = settings(dir.path(), &server.url());
    let folder = fetch(&settings, "hf://org/name/onnx").unwrap();
    assert!(folder.ends_with("onnx") && folder.join("model.onnx").is_file() && folder.join("config.json").is_file());
    let dead = Settings { endpoint: "http://127.0.0.1:1".to_owned(), ..settings.clone() };
    assert_eq!(fetch(&dead, "hf://org/name/onnx").unwrap(), folder);
    assert_eq!(fetch(&Settings { offline: true, ..dead }, "hf://org/name/onnx").unwrap(), folder);
    let error = fetch(&settings, "hf://org/name/confg.json").unwrap_err();
    assert_eq!(error.to_string(), "`org/name` holds no `confg.json` at `main` (help: did you mean `config.json`?)");
}

#[test]
fn without_a_network_the_cache_is_used() {
    let dir = tempfile::tempdir().unwrap();
    // A cache as Python leaves it.
    let root = dir.path().join("hub/models--org--name");
    std::fs::create_dir_all(root.join("snapshots").join(COMMIT)).unwrap();
    std::fs::create_dir_all(root.join("refs")).unwrap();
    std::fs::write(root.join("refs/main"), COMMIT).unwrap();
    std::fs::write(root.join("snapshots").join(COMMIT).join("config.json"), "{}").unwrap();
    let dead = settings(dir.path(), "http://127.0.0.1:1");
    assert!(fetch(&dead, "hf://org/name/config.json").is_ok());
    let error = fetch(&dead, "hf://org/name/other.json").unwrap_err();
    assert_eq!(error.code, ErrorCode::Network);
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    let offline = Settings { offline: true, ..dead };
    assert!(fetch(&offline, "hf://org/name/config.json").is_ok());
    let error = fetch(&offline, "hf://org/name/other.json").unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[test]
fn two_at_once_download_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(|request, _| {
        if request.method == "GET" {
            std::thread::sleep(Duration::from_millis(150));
        }
        plain(WEIGHTS)
    }));
    let settings = settings(dir.path(), &server.url());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(std::fs::read(fetch(&settings, "hf://org/name/w").unwrap()).unwrap(), WEIGHTS));
        }
    });
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("GET")).count(), 1);
}

#[test]
fn progress_is_reported_and_can_stop_a_download() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| plain(WEIGHTS));
    let hub = Hub::new(settings(dir.path(), &server.url())).unwrap();
    let error = hub.fetch("hf://org/name/w", &|_, _, _| Flow::Stop).unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
    let reported = std::sync::Mutex::new(Vec::new());
    hub.fetch("hf://org/name/w", &|task, done, total| {
        reported.lock().unwrap().push((task.to_owned(), done, total));
        Flow::Continue
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let size = WEIGHTS.len() as u64;
    let last = reported.into_inner().unwrap().pop();
    assert!(last.is_none() || last == Some(("org/name/w".to_owned(), size, Some(size))), "{last:?}");
}

/// The server sends a byte a second, or no head at all; nobody waits for it.
#[test]
fn a_download_that_stalls_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    for method in ["HEAD", "GET"] {
        let server = Server::start(move |request, _| match request.method == method {
            true if method == "GET" => Reply::drip().header("Content-Length", WEIGHTS.len()),
            true => {
                std::thread::sleep(std::time::Duration::from_secs(20));
                plain(WEIGHTS)
            }
            false => plain(WEIGHTS),
        });
        let hub = Hub::new(settings(dir.path(), &server.url())).unwrap();
        let began = std::time::Instant::now();
        let wanted = || if began.elapsed().as_millis() > 500 { Flow::Stop } else { Flow::Continue };
        let error = hub.fetch("hf://org/name/w", &|_, _, _| wanted()).unwrap_err();
        assert_eq!(error.code, ErrorCode::Cancelled, "{method}: {error}");
        assert!(began.elapsed().as_secs() < 10, "{method}: {:?}", began.elapsed());
    }
}

#[test]
fn a_server_that_is_not_a_hub_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::body("<html>welcome</html>"));
    let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn a_disk_that_cannot_be_written_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hub"), "a file in the way").unwrap();
    let server = Server::start(|_, _| plain(WEIGHTS));
    let error = fetch(&settings(dir.path(), &server.url()), "hf://org/name/w").unwrap_err();
    assert_eq!(error.code, ErrorCode::Io);
    assert!(error.message.contains("models--org--name"), "{error}");
}
