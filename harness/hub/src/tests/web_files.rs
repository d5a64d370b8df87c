use super::*;
use examiner_api::ErrorCode;

#[test]
fn a_file_is_kept_under_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::body("a,b\n"));
    let settings = settings(dir.path(), "https://hub.invalid");
    let url = format!("{}/data/rows.csv?key=secret", server.url());
    let path = fetch(&settings, &url).unwrap();
    assert_eq!(path, dir.path().join("downloads").join(sha256(url.as_bytes())).join("rows.csv"));
    assert_eq!(std::fs::read(&path).unwrap(), b"a,b\n");
    assert_eq!(fetch(&settings, &url).unwrap(), path);
    assert_eq!(server.lines(), ["GET /data/rows.csv?key=secret"]);
    assert!(!server.asked()[0].headers.contains_key("authorization"));
}

#[test]
fn a_checksum_in_the_address_is_checked_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::body("good"));
    let settings = settings(dir.path(), "https://hub.invalid");
    let good = format!("{}/f#sha256={}", server.url(), sha256(b"good"));
    let path = fetch(&settings, &good).unwrap();
    std::fs::write(&path, "evil").unwrap();
    assert_eq!(std::fs::read(fetch(&settings, &good).unwrap()).unwrap(), b"good");
    let error = fetch(&settings, &format!("{}/f#sha256={}", server.url(), sha256(b"other"))).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadInput);
    assert!(error.message.contains(&sha256(b"other")) && error.message.contains(&sha256(b"good")), "{error}");
}

#[test]
fn a_file_that_changes_during_the_download_is_downloaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, before| match before {
        0 => Reply::body("first version").header("ETag", "\"1\"").cut(5),
        // The tag of the first version is not that of the second, so the whole of it comes.
        _ if request.headers.get("if-range").map(String::as_str) == Some("\"1\"") => Reply::body("second version"),
        _ => Reply::body("second version").ranged(request),
    });
    let path = fetch(&settings(dir.path(), "https://hub.invalid"), &format!("{}/f", server.url())).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "second version");
}

#[test]
fn redirections_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| match request.path.as_str() {
        "/start" => Reply::status(302).header("Location", "/end"),
        "/circle" => Reply::status(302).header("Location", "/circle"),
        "/plain" => Reply::status(302).header("Location", "http://example.invalid/f?key=secret"),
        _ => Reply::body("end"),
    });
    let settings = settings(dir.path(), "https://hub.invalid");
    let fetch = |path: &str| fetch(&settings, &format!("{}{path}", server.url()));
    assert_eq!(std::fs::read(fetch("/start").unwrap()).unwrap(), b"end");
    assert!(fetch("/circle").unwrap_err().message.contains("redirects too often"));
    let error = fetch("/plain").unwrap_err();
    assert_eq!(error.message, "`http://example.invalid/f` is not encrypted, and could be changed in transit");
}

#[test]
fn refusals_and_bad_addresses_have_different_errors() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| Reply::status(request.path[1..].parse().unwrap()));
    let settings = settings(dir.path(), "https://hub.invalid");
    let code = |uri: &str| fetch(&settings, uri).unwrap_err().code;
    assert_eq!(code(&format!("{}/404", server.url())), ErrorCode::NotFound);
    assert_eq!(code(&format!("{}/403", server.url())), ErrorCode::Authentication);
    assert_eq!(code(&format!("{}/503", server.url())), ErrorCode::Overloaded);
    assert_eq!(code("http://example.invalid/f"), ErrorCode::BadOptions);
    assert_eq!(code("ftp://example.invalid/f"), ErrorCode::BadOptions);
    let offline = Settings { offline: true, ..settings.clone() };
    assert_eq!(super::fetch(&offline, "https://example.invalid/f").unwrap_err().code, ErrorCode::NotFound);
    // No server listens there; the query stays out of the message.
    let error = fetch(&settings, "http://127.0.0.1:1/f?key=secret").unwrap_err();
    assert!(error.code == ErrorCode::Network && !error.to_string().contains("secret"), "{error}");
}
