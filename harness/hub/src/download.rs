//! Downloads one file: to a temporary name, continuing an interrupted download, and renamed after it has been verified.

use super::address::shown;
use super::cache::{create_parent, disk_error};
use super::errors::cancelled;
use super::http::{Failure, Follow, Http};
use super::watched::Body;
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Method, StatusCode, Url};
use sha2::Digest;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The expected content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    Sha256(String),
    /// The SHA-1 of git's blob for the file.
    GitBlob(String),
    /// Only the length is known, from the server.
    Unknown,
}

/// A file to download.
pub(super) struct DownloadRequest<'a> {
    pub(super) url: &'a Url,
    /// Its name for messages.
    pub(super) task: &'a str,
    pub(super) size: Option<u64>,
    pub(super) checksum: &'a Checksum,
    /// The temporary file. An earlier, incomplete download in it is continued if there is a checksum, which detects a file that
    /// has changed since.
    pub(super) part: &'a Path,
    /// The final path.
    pub(super) to: &'a Path,
}

/// Called with the progress of a download: `(task, bytes done, total bytes)`. Returns whether to continue.
pub type ProgressCallback<'a> = &'a (dyn Fn(&str, u64, Option<u64>) -> Flow + Sync);

/// Downloads a file. `refused` makes the error of a server that refuses it.
pub(super) fn download(
    http: &Http,
    request: &DownloadRequest<'_>,
    report: ProgressCallback<'_>,
    refused: &dyn Fn(StatusCode, &HeaderMap) -> PluginError,
) -> Result<()> {
    create_parent(request.to)?;
    create_parent(request.part)?;
    if *request.checksum == Checksum::Unknown {
        remove(request.part)?;
    }
    let was_started = request.part.exists();
    receive(http, request, report, refused)?;
    if let Err(error) = verify(request.part, request.checksum, request.task) {
        remove(request.part)?;
        if !was_started {
            return Err(error);
        }
        // The part from an earlier download may have been damaged.
        receive(http, request, report, refused)?;
        if let Err(error) = verify(request.part, request.checksum, request.task) {
            remove(request.part)?;
            return Err(error);
        }
    }
    fs::rename(request.part, request.to).map_err(|error| disk_error("write", request.to, &error))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_error("remove", path, &error)),
        _ => Ok(()),
    }
}

fn receive(
    http: &Http,
    request: &DownloadRequest<'_>,
    report: ProgressCallback<'_>,
    refused: &dyn Fn(StatusCode, &HeaderMap) -> PluginError,
) -> Result<()> {
    let failed = |doing: &str, error: std::io::Error| disk_error(doing, request.part, &error);
    let mut file = File::options().create(true).append(true).open(request.part).map_err(|e| failed("open", e))?;
    let mut validator: Option<HeaderValue> = None;
    let done = || fs::metadata(request.part).map_or(0, |metadata| metadata.len());
    http.with_retries(None, &|| report(request.task, done(), request.size), |has_progress| {
        let mut have = file.metadata().map_err(|e| failed("read", e))?.len();
        if request.size.is_some_and(|size| have > size) {
            file.set_len(0).map_err(|e| failed("write", e))?;
            have = 0;
        }
        if have > 0 && request.size == Some(have) {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        if have > 0 {
            headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={have}-")).map_err(|_| unexpected(request))?);
            if let Some(validator) = &validator {
                headers.insert(IF_RANGE, validator.clone());
            }
        }
        let answer =
            http.send(&Method::GET, request.url, &headers, Follow::All, &|| report(request.task, have, request.size))?;
        let response = answer.response;
        let expected = match response.status() {
            StatusCode::OK => {
                file.set_len(0).map_err(|e| failed("write", e))?;
                have = 0;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT => match range(response.headers()) {
                Some((start, total)) if start == have => total,
                _ => return Err(start_over(&file, request)),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(start_over(&file, request)),
            status => return Err(Failure::Final(refused(status, response.headers()))),
        };
        validator = validator_of(response.headers());
        if *request.checksum == Checksum::Unknown && validator.is_none() {
            // The rest could belong to another version of the file, so the next attempt starts over.
            validator = HeaderValue::from_str("\"none\"").ok();
        }
        let total = request.size.or(expected);
        let body = Body::of(response);
        let mut reported = Instant::now();
        while let Some(chunk) = body.next(&|| report(request.task, have, total))? {
            let chunk = chunk.map_err(|error| Failure::Transient(interrupted(request, have, total, error), None))?;
            let length = chunk.len();
            if let Some(size) = request.size.filter(|size| have + length as u64 > *size) {
                // Nothing of it is of use, and the disk is not for a server to fill.
                file.set_len(0).map_err(|e| failed("write", e))?;
                return Err(Failure::Final(longer(request, size)));
            }
            file.write_all(&chunk).map_err(|e| failed("write", e))?;
            have += length as u64;
            *has_progress = true;
            if reported.elapsed() > Duration::from_millis(100) {
                reported = Instant::now();
                if report(request.task, have, total) == Flow::Stop {
                    return Err(Failure::Final(cancelled()));
                }
            }
        }
        if total.is_some_and(|total| have != total) {
            let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(Failure::Transient(interrupted(request, have, total, error), None));
        }
        if report(request.task, have, total.or(Some(have))) == Flow::Stop {
            return Err(Failure::Final(cancelled()));
        }
        Ok(())
    })?;
    file.sync_all().map_err(|e| failed("write", e))
}

/// Removes the incomplete file, because the server does not continue from there. It counts as a failed attempt, so that this
/// cannot repeat forever.
fn start_over(file: &File, request: &DownloadRequest<'_>) -> Failure {
    match file.set_len(0) {
        Ok(()) => Failure::Transient(unexpected(request), Some(Duration::ZERO)),
        Err(error) => Failure::Final(disk_error("write", request.part, &error)),
    }
}

fn longer(request: &DownloadRequest<'_>, size: u64) -> PluginError {
    let message = format!("`{}` has {size} bytes, but `{}` sends more", request.task, shown(request.url));
    PluginError::new(ErrorCode::Network, message)
        .with_help("try again; if the error persists, the server (or a proxy) sends another file")
}

fn unexpected(request: &DownloadRequest<'_>) -> PluginError {
    let message = format!("`{}` sent another part of the file than was requested", shown(request.url));
    PluginError::new(ErrorCode::Network, message)
}

fn interrupted(request: &DownloadRequest<'_>, have: u64, total: Option<u64>, error: std::io::Error) -> PluginError {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let message = format!("the download of `{}` was interrupted after {have}{of} bytes", request.task);
    let error_of_network =
        PluginError::new(ErrorCode::Network, message).with_help("run it again: the download continues from there");
    // The error's own text contains the whole address, including the query.
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

/// The validator of the file's version: a strong tag, or a date.
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
        .with_help("try again; if the error persists, the server (or a proxy) sends another file"))
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
