//! Gets one file: to a temporary name, on from where it broke off, checked, and only then under its own name.

use super::address::shown;
use super::cache::{disk_error, make_parent};
use super::cancelled;
use super::http::{Failure, Follow, Http};
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Method, StatusCode, Url};
use sha2::Digest;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    Sha256(String),
    /// The SHA-1 by which git names a file.
    GitBlob(String),
    /// Nothing is known but the length that the server tells.
    Unknown,
}

/// A file to get.
pub(super) struct Wanted<'a> {
    pub(super) url: &'a Url,
    /// What it is called for people.
    pub(super) task: &'a str,
    pub(super) size: Option<u64>,
    pub(super) checksum: &'a Checksum,
    /// Where it is collected. What lies there from an earlier try is gone on with if there is a checksum to catch a
    /// file that has changed since.
    pub(super) part: &'a Path,
    /// Where it goes.
    pub(super) to: &'a Path,
}

/// Takes note of how far a download is: `(task, bytes done, bytes in all)`.
pub type Report<'a> = &'a (dyn Fn(&str, u64, Option<u64>) -> Flow + Sync);

/// Gets a file. The error of a server that refuses it comes from `refused`.
pub(super) fn download(
    http: &Http,
    wanted: &Wanted<'_>,
    report: Report<'_>,
    refused: &dyn Fn(StatusCode, &HeaderMap) -> PluginError,
) -> Result<()> {
    make_parent(wanted.to)?;
    make_parent(wanted.part)?;
    if *wanted.checksum == Checksum::Unknown {
        remove(wanted.part)?;
    }
    let was_begun = wanted.part.exists();
    collect(http, wanted, report, refused)?;
    if let Err(error) = verify(wanted.part, wanted.checksum, wanted.task) {
        remove(wanted.part)?;
        if !was_begun {
            return Err(error);
        }
        // What an earlier try left may have been the damage.
        collect(http, wanted, report, refused)?;
        if let Err(error) = verify(wanted.part, wanted.checksum, wanted.task) {
            remove(wanted.part)?;
            return Err(error);
        }
    }
    fs::rename(wanted.part, wanted.to).map_err(|error| disk_error("write", wanted.to, &error))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_error("remove", path, &error)),
        _ => Ok(()),
    }
}

fn collect(
    http: &Http,
    wanted: &Wanted<'_>,
    report: Report<'_>,
    refused: &dyn Fn(StatusCode, &HeaderMap) -> PluginError,
) -> Result<()> {
    let failed = |doing: &str, error: std::io::Error| disk_error(doing, wanted.part, &error);
    let mut file = File::options().create(true).append(true).open(wanted.part).map_err(|e| failed("open", e))?;
    let mut validator: Option<HeaderValue> = None;
    let done = || fs::metadata(wanted.part).map_or(0, |metadata| metadata.len());
    http.with_retries(None, &|| report(wanted.task, done(), wanted.size), |got_further| {
        let mut have = file.metadata().map_err(|e| failed("read", e))?.len();
        if wanted.size.is_some_and(|size| have > size) {
            file.set_len(0).map_err(|e| failed("write", e))?;
            have = 0;
        }
        if have > 0 && wanted.size == Some(have) {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        if have > 0 {
            headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={have}-")).map_err(|_| unexpected(wanted))?);
            if let Some(validator) = &validator {
                headers.insert(IF_RANGE, validator.clone());
            }
        }
        let answer = http.send(&Method::GET, wanted.url, &headers, Follow::All)?;
        let mut response = answer.response;
        let expected = match response.status() {
            StatusCode::OK => {
                file.set_len(0).map_err(|e| failed("write", e))?;
                have = 0;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT => match range(response.headers()) {
                Some((start, total)) if start == have => total,
                _ => return Err(start_over(&file, wanted)),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(start_over(&file, wanted)),
            status => return Err(Failure::Final(refused(status, response.headers()))),
        };
        validator = validator_of(response.headers());
        if *wanted.checksum == Checksum::Unknown && validator.is_none() {
            // The rest could be that of another version of the file, so the next try starts over.
            validator = HeaderValue::from_str("\"none\"").ok();
        }
        let total = wanted.size.or(expected);
        let mut buffer = vec![0; 1 << 17];
        let mut told = Instant::now();
        loop {
            let length = match response.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Passing(broken_off(wanted, have, total, error), None)),
            };
            file.write_all(&buffer[..length]).map_err(|e| failed("write", e))?;
            have += length as u64;
            *got_further = true;
            if told.elapsed() > Duration::from_millis(100) {
                told = Instant::now();
                if report(wanted.task, have, total) == Flow::Stop {
                    return Err(Failure::Final(cancelled()));
                }
            }
        }
        if total.is_some_and(|total| have != total) {
            let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(Failure::Passing(broken_off(wanted, have, total, error), None));
        }
        if report(wanted.task, have, total.or(Some(have))) == Flow::Stop {
            return Err(Failure::Final(cancelled()));
        }
        Ok(())
    })?;
    file.sync_all().map_err(|e| failed("write", e))
}

/// The server will not go on from here, so what there is goes away. That counts as a failure, lest it go round forever.
fn start_over(file: &File, wanted: &Wanted<'_>) -> Failure {
    match file.set_len(0) {
        Ok(()) => Failure::Passing(unexpected(wanted), Some(Duration::ZERO)),
        Err(error) => Failure::Final(disk_error("write", wanted.part, &error)),
    }
}

fn unexpected(wanted: &Wanted<'_>) -> PluginError {
    let message = format!("`{}` answered with another part of the file than was asked for", shown(wanted.url));
    PluginError::new(ErrorCode::Network, message)
}

fn broken_off(wanted: &Wanted<'_>, have: u64, total: Option<u64>, error: std::io::Error) -> PluginError {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let message = format!("the download of `{}` broke off after {have}{of} bytes", wanted.task);
    let error_of_network =
        PluginError::new(ErrorCode::Network, message).with_help("run it again: the download goes on from there");
    // The error's own text repeats the whole address, query and all.
    match error.into_inner().map(|inner| inner.downcast::<reqwest::Error>()) {
        Some(Ok(inner)) => error_of_network.with_cause(&inner.without_url()),
        _ => error_of_network,
    }
}

/// Start and total length of `bytes 10-99/100`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (span, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((span.split_once('-')?.0.trim().parse().ok()?, total.trim().parse().ok()))
}

/// What tells whether the file is still the same: a strong tag, or a date.
fn validator_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    tag.or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

/// Compares a file with its checksum.
pub(super) fn verify(path: &Path, checksum: &Checksum, task: &str) -> Result<()> {
    let unreadable = |error: std::io::Error| disk_error("read", path, &error);
    let (kind, expected, found) = match checksum {
        Checksum::Unknown => return Ok(()),
        Checksum::Sha256(expected) => ("SHA-256", expected, digest(path, sha2::Sha256::new()).map_err(unreadable)?),
        Checksum::GitBlob(expected) => {
            let size = fs::metadata(path).map_err(unreadable)?.len();
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {size}\0"));
            ("git SHA-1", expected, digest(path, hasher).map_err(unreadable)?)
        }
    };
    if found == *expected {
        return Ok(());
    }
    let message = format!("`{task}` is damaged: expected the {kind} `{expected}`, found `{found}`");
    Err(PluginError::bad_input(message)
        .with_help("try again; if it stays, the server (or a proxy) hands out another file"))
}

fn digest<D: Digest>(path: &Path, mut hasher: D) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
