//! Tests of downloads, against a server on this machine; the network is never used.
//!
//! - `hub_files`: files and folders of the hub, and its cache
//! - `web_files`: other files
//! - `splits`: rows of splits of datasets, from a mirror; `split_files`: from the hub

mod hub_files;
mod split_files;
mod splits;
mod web_files;

use super::{Hub, Settings, Token};
use examiner_api::{Flow, PluginError};
use examiner_test_support::server::{Reply, Request, Server};
use sha2::Digest;
use std::path::{Path, PathBuf};
use std::time::Duration;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn settings(dir: &Path, endpoint: &str) -> Settings {
    Settings {
        cache: dir.join("hub"),
        downloads: dir.join("downloads"),
        splits: dir.join("splits"),
        mirror: None,
        endpoint: endpoint.to_owned(),
        token: Token::new("hf_secret"),
        offline: false,
        attempts: 3,
        pause: Duration::from_millis(1),
    }
}

fn fetch(settings: &Settings, uri: &str) -> Result<PathBuf, PluginError> {
    let fetched = Hub::new(settings.clone()).unwrap().fetch(uri, &|_, _, _| Flow::Continue);
    if let Err(error) = &fetched {
        assert!(!format!("{error} {error:?}").contains("hf_secret"), "{error}");
    }
    fetched
}

fn sha256(content: &[u8]) -> String {
    super::hex(&sha2::Sha256::digest(content))
}

fn git_sha1(content: &[u8]) -> String {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    super::hex(&hasher.finalize())
}

/// What the hub says of a plain file.
fn plain(content: &[u8]) -> Reply {
    Reply::body(content).header("ETag", format!("\"{}\"", git_sha1(content))).header("X-Repo-Commit", COMMIT)
}
