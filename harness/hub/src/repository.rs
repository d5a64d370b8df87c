//! Files and folders of repositories on the hub.

use super::address::{HubPath, is_safe, shown};
use super::cache::{self, RepoCache, is_commit};
use super::download::{Checksum, DownloadRequest, ProgressCallback, download};
use super::errors::not_offline;
use super::http::{Follow, Http, HttpAnswer};
use super::settings::Settings;
use super::watched::watched;
use examiner_api::{ErrorCode, PluginError, Result};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use std::path::PathBuf;

/// Gets a file, a folder or a whole repository.
pub(super) fn fetch(http: &Http, settings: &Settings, path: &HubPath, report: ProgressCallback<'_>) -> Result<PathBuf> {
    if path.path.is_empty() {
        return fetch_folder(http, settings, path, &|_| true, report);
    }
    let cache = RepoCache::new(&settings.cache, path);
    let cached = cache.commit_of(&path.revision).map(|commit| cache.snapshot(&commit).join(&path.path));
    let cached = cached.filter(|cached| cached.is_dir());
    match (fetch_file(http, settings, path, report), cached) {
        (Ok(Some(file)), _) => return Ok(file),
        (Ok(None), _) => {}
        (Err(error), Some(folder)) if settings.offline || is_absence(error.code) => return Ok(folder),
        (Err(error), _) => return Err(error),
    }
    // It may be a folder, which the hub answers for as for nothing.
    let listing = list(http, path, Some(1), report)?;
    if listing.siblings.iter().any(|file| is_below(&file.rfilename, &path.path)) {
        return fetch_folder(http, settings, path, &|_| true, report);
    }
    let names = listing.siblings.iter().map(|file| file.rfilename.as_str());
    let near = examiner_api::nearest(&path.path, names).map(|near| format!("did you mean `{near}`?"));
    Err(no_entry(path).with_help(near.unwrap_or_else(|| "look at the repository's list of files".to_owned())))
}

fn no_entry(path: &HubPath) -> PluginError {
    PluginError::not_found(format!("`{}` holds no `{}` at `{}`", path.repo, path.path, path.revision))
}

fn is_below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Gets a file; none if the repository holds none of that name.
pub(super) fn fetch_file(
    http: &Http,
    settings: &Settings,
    path: &HubPath,
    report: ProgressCallback<'_>,
) -> Result<Option<PathBuf>> {
    let found = find_file(http, settings, path, report)?;
    if let Some(found) = &found {
        let snapshots = RepoCache::new(&settings.cache, path).snapshot("");
        let commit = found.strip_prefix(snapshots).ok().and_then(|below| below.iter().next()?.to_str());
        http.record.file(path, commit, &path.path, found);
    }
    Ok(found)
}

fn find_file(
    http: &Http,
    settings: &Settings,
    path: &HubPath,
    report: ProgressCallback<'_>,
) -> Result<Option<PathBuf>> {
    let cache = RepoCache::new(&settings.cache, path);
    let pointer = |commit: &str| cache.snapshot(commit).join(&path.path);
    let cached = cache.commit_of(&path.revision).map(|commit| pointer(&commit)).filter(|pointer| pointer.is_file());
    match cached {
        Some(cached) if settings.offline || is_commit(&path.revision) => return Ok(Some(cached)),
        None if settings.offline => return Err(not_offline(&path.to_string())),
        _ => {}
    }
    // With the file at hand, a server that cannot be reached is no reason to fail, or to wait.
    let meta = match metadata(http, path, cached.is_some().then_some(1), report) {
        Ok(Some(meta)) => meta,
        Ok(None) => return Ok(None),
        Err(error) if is_absence(error.code) => return cached.ok_or(error).map(Some),
        Err(error) => return Err(error),
    };
    cache.record_commit(&path.revision, &meta.commit)?;
    if pointer(&meta.commit).is_file() {
        return Ok(Some(pointer(&meta.commit)));
    }
    let blob = cache.blob(&meta.etag);
    let task = format!("{}/{}", path.repo, path.path);
    if !blob.is_file() {
        let held = cache::lock(&cache.lock(&meta.etag), &|| report(&task, 0, meta.size))?;
        // Without locks another process may write here, too, so each has a name of its own.
        let unique = if held.is_some() { String::new() } else { format!(".{}", cache::unique()) };
        let part = blob.with_file_name(format!("{}{unique}.incomplete", meta.etag));
        let url = http.on_hub(resolve_path(path, &meta.commit));
        let wanted = DownloadRequest {
            url: &url,
            task: &task,
            size: meta.size,
            checksum: &meta.checksum,
            part: &part,
            to: &blob,
        };
        // Another process may have got it while this one waited.
        if !blob.is_file() {
            download(http, &wanted, report, &|status, headers| refused(path, status, headers))?;
        }
    }
    cache.link(&meta.commit, &path.path, &meta.etag).map(Some)
}

pub(super) fn is_absence(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Network | ErrorCode::Timeout | ErrorCode::Overloaded)
}

/// `org/name/resolve/<revision>/<path>`, part by part.
fn resolve_path<'a>(path: &'a HubPath, revision: &'a str) -> impl Iterator<Item = &'a str> {
    let datasets = (path.kind == super::address::RepoKind::Dataset).then_some("datasets");
    datasets.into_iter().chain(path.repo.split('/')).chain(["resolve", revision]).chain(path.path.split('/'))
}

/// What the hub says of a file before it hands it out.
struct FileMeta {
    commit: String,
    etag: String,
    size: Option<u64>,
    checksum: Checksum,
}

/// Asks for a file; none if the repository holds none of that name.
fn metadata(
    http: &Http,
    path: &HubPath,
    attempts: Option<u32>,
    report: ProgressCallback<'_>,
) -> Result<Option<FileMeta>> {
    let url = http.on_hub(resolve_path(path, &path.revision));
    let HttpAnswer { response, redirections } = http.with_retries(attempts, &|| report(&path.repo, 0, None), |_| {
        http.send(&Method::HEAD, &url, &HeaderMap::new(), Follow::SameServer, &|| report(&path.repo, 0, None))
    })?;
    let status = response.status();
    if status == StatusCode::NOT_FOUND && matches!(error_code(response.headers()), "" | "EntryNotFound") {
        return Ok(None);
    }
    if !status.is_success() && !status.is_redirection() {
        return Err(refused(path, status, response.headers()));
    }
    let all: Vec<&HeaderMap> = redirections.iter().chain([response.headers()]).collect();
    let first = |name: &str| {
        let value = all.iter().find_map(|headers| headers.get(name));
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let last = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let incomplete = |what: &str| {
        PluginError::new(ErrorCode::Network, format!("`{}` did not say {what} of the file", shown(&url)))
            .with_help("check `HF_ENDPOINT`: the server does not speak the hub's language")
    };
    let commit = first("x-repo-commit").filter(|commit| is_safe(commit)).ok_or_else(|| incomplete("the commit"))?;
    let etag = first("x-linked-etag").or_else(|| last(ETAG.as_str())).map(|etag| bare_etag(&etag));
    let etag = etag.filter(|etag| is_safe(etag)).ok_or_else(|| incomplete("the tag (`ETag`)"))?;
    let length = || last(CONTENT_LENGTH.as_str()).filter(|_| status.is_success());
    let size = first("x-linked-size").or_else(length).and_then(|size| size.parse().ok());
    Ok(Some(FileMeta { commit, checksum: checksum(&etag), etag, size }))
}

/// Large files are tagged with their SHA-256, plain ones with the name that git gives them.
fn checksum(etag: &str) -> Checksum {
    let is_hex = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    match etag.len() {
        64 if is_hex => Checksum::Sha256(etag.to_lowercase()),
        40 if is_hex => Checksum::GitBlob(etag.to_lowercase()),
        _ => Checksum::Unknown,
    }
}

fn bare_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// The hub's own word for what went wrong.
fn error_code(headers: &HeaderMap) -> &str {
    headers.get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

pub(super) fn refused(path: &HubPath, status: StatusCode, headers: &HeaderMap) -> PluginError {
    let HubPath { repo, revision, .. } = path;
    match (status, error_code(headers)) {
        (_, "GatedRepo") => {
            PluginError::new(ErrorCode::Authentication, format!("`{repo}` is only for those it admits"))
                .with_help(format!("ask for access on the page of `{repo}`, then set `HF_TOKEN`"))
        }
        (_, "RepoNotFound") | (StatusCode::UNAUTHORIZED, _) => {
            let code = if status == StatusCode::NOT_FOUND { ErrorCode::NotFound } else { ErrorCode::Authentication };
            PluginError::new(code, format!("the hub knows no `{repo}`, or does not show it to you")).with_help(
                "check the name; if it is private, set `HF_TOKEN`, and if that is set, check that it is valid",
            )
        }
        (StatusCode::FORBIDDEN, _) => PluginError::new(ErrorCode::Authentication, format!("you may not read `{repo}`"))
            .with_help("check what the token in `HF_TOKEN` may do"),
        (_, "RevisionNotFound") => PluginError::not_found(format!("`{repo}` has no revision `{revision}`"))
            .with_help("leave `@revision` away for `main`"),
        (StatusCode::NOT_FOUND, _) => no_entry(path),
        _ => PluginError::new(ErrorCode::Network, format!("the hub answered {status} for `{path}`")),
    }
}

#[derive(Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// The commit that a revision is now.
pub(super) fn commit(
    http: &Http,
    path: &HubPath,
    attempts: Option<u32>,
    report: ProgressCallback<'_>,
) -> Result<String> {
    list(http, path, attempts, report).map(|listing| listing.sha)
}

fn list(http: &Http, path: &HubPath, attempts: Option<u32>, report: ProgressCallback<'_>) -> Result<Listing> {
    let parts = ["api", path.kind.plural()].into_iter().chain(path.repo.split('/'));
    let url = http.on_hub(parts.chain(["revision", path.revision.as_str()]));
    let whole = HubPath { path: String::new(), ..path.clone() };
    let text = http.with_retries(attempts, &|| report(&path.repo, 0, None), |_| {
        let go_on = || report(&path.repo, 0, None);
        let HttpAnswer { response, .. } =
            http.send(&Method::GET, &url, &HeaderMap::new(), Follow::SameServer, &go_on)?;
        match response.status().is_success() {
            true => watched(&go_on, move || response.text())?.map_err(|error| {
                let message = format!("the list of files of `{}` broke off", path.repo);
                let error = PluginError::new(ErrorCode::Network, message).with_cause(&error.without_url());
                super::http::Failure::Transient(error, None)
            }),
            false if response.status() == StatusCode::NOT_FOUND => {
                let message = format!("the hub knows no `{}` with a revision `{}`", path.repo, path.revision);
                Err(PluginError::not_found(message).with_help("check the name").into())
            }
            false => Err(refused(&whole, response.status(), response.headers()).into()),
        }
    })?;
    let listing: Listing = serde_json::from_str(&text).map_err(|error| {
        PluginError::new(ErrorCode::Network, format!("cannot read what `{}` answered", shown(&url))).with_cause(&error)
    })?;
    let is_good = |file: &Sibling| file.rfilename.split('/').all(is_safe);
    match is_safe(&listing.sha) && listing.siblings.iter().all(is_good) {
        true => Ok(listing),
        false => Err(PluginError::new(ErrorCode::Network, format!("`{}` names files outside of it", shown(&url)))),
    }
}

/// Gets the files of a repository, or of a folder of it, that one of `patterns` fits.
pub(super) fn fetch_matching(
    http: &Http,
    settings: &Settings,
    path: &HubPath,
    patterns: &[String],
    report: ProgressCallback<'_>,
) -> Result<PathBuf> {
    let (left_out, wanted): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
    let is_wanted = |name: &str| {
        wanted.iter().any(|pattern| fits(pattern, name))
            && !left_out.iter().any(|pattern| fits(pattern.trim_start_matches('!'), name))
    };
    fetch_folder(http, settings, path, &is_wanted, report)
}

/// Whether a name is what a pattern says, in which `*` is any text without a `/`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    let end = rest.find('/').unwrap_or(rest.len());
    (0..=end).filter(|length| rest.is_char_boundary(*length)).any(|length| fits(after, &rest[length..]))
}

/// Gets all files that are wanted of a folder, or of the whole repository, at one commit. `is_wanted` is asked with names
/// relative to the folder.
fn fetch_folder(
    http: &Http,
    settings: &Settings,
    path: &HubPath,
    is_wanted: &dyn Fn(&str) -> bool,
    report: ProgressCallback<'_>,
) -> Result<PathBuf> {
    let cache = RepoCache::new(&settings.cache, path);
    let folder = |commit: &str| match path.path.as_str() {
        "" => cache.snapshot(commit),
        folder => cache.snapshot(commit).join(folder),
    };
    let cached = cache.commit_of(&path.revision).map(|commit| folder(&commit)).filter(|folder| folder.is_dir());
    if settings.offline {
        return cached.ok_or_else(|| not_offline(&path.to_string()));
    }
    let listing = match list(http, path, cached.is_some().then_some(1), report) {
        Ok(listing) => listing,
        Err(error) if is_absence(error.code) => return cached.ok_or(error),
        Err(error) => return Err(error),
    };
    let names: Vec<&str> = listing.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    let below = |name: &str| match path.path.as_str() {
        "" => Some(name.to_owned()),
        folder => name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned),
    };
    let is_wanted = |name: &&str| below(name).is_some_and(|name| is_wanted(&name));
    let wanted: Vec<&str> = names.iter().copied().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Err(PluginError::not_found(format!("`{path}` holds no file that is wanted of it"))
            .with_help(format!("name the file, or a folder, in the address; there are {}", names.join(", "))));
    }
    for name in wanted {
        let file = HubPath { revision: listing.sha.clone(), path: name.to_owned(), ..path.clone() };
        fetch_file(http, settings, &file, report)?.ok_or_else(|| no_entry(&file))?;
    }
    cache.record_commit(&path.revision, &listing.sha)?;
    Ok(folder(&listing.sha))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_text_within_a_folder() {
        for (pattern, name) in [("*.json", "config.json"), ("onnx/*", "onnx/model.onnx"), ("a*b*c", "abbc"), ("*", "é")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.json", "onnx/config.json"), ("*.json", "config.jsonl"), ("*", "a/b"), ("a", "ab")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
