//! Downloads: `hf://org/name[/file]`, `hf://datasets/org/name/file` and `https://host/file`; and splits of datasets as rows:
//! `hf://datasets/org/name?config=main&split=test`.
//!
//! The key decision: files of the Hugging Face hub are stored in the cache that Python uses, in the same layout, so that
//! nothing is downloaded twice; settings come from the same environment variables. Every file is downloaded under a
//! temporary name, verified against its checksum, and renamed, so that a file with its final name is complete.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod address;
mod cache;
mod dataset;
mod download;
mod errors;
mod http;
mod mirror;
mod record;
mod repository;
mod settings;
#[cfg(test)]
mod tests;
mod tree;
mod watched;

pub use download::ProgressCallback;
pub use record::GivenRepository;
pub use settings::{Settings, Token};

use address::{Address, HubPath, shown};
use download::{Checksum, DownloadRequest, download, hex, verify};
use errors::not_offline;
pub use errors::was_offline;
use examiner_api::{ErrorCode, PluginError, Result};
use reqwest::{StatusCode, Url};
use sha2::Digest;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Address and mirror of a repository.
type Place = (String, Option<PathBuf>);

/// Downloads files, and caches them.
pub struct Hub {
    settings: Settings,
    http: http::Http,
    /// The repositories that splits were asked of, by address and mirror.
    repositories: Mutex<HashMap<Place, Arc<dataset::Repository>>>,
}

impl Hub {
    /// A hub with the settings of the environment.
    ///
    /// # Errors
    ///
    /// `HF_ENDPOINT` or the token cannot be read.
    pub fn from_env() -> Result<Self> {
        Hub::new(Settings::from_env())
    }

    /// A hub with these settings.
    ///
    /// # Errors
    ///
    /// The endpoint or the token cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Hub { http: http::Http::new(&settings)?, settings, repositories: Mutex::default() })
    }

    /// The same, with a directory that is read instead of the hub, if one is given: before that of the settings.
    #[must_use]
    pub fn mirrored(mut self, mirror: Option<&Path>) -> Self {
        if let Some(mirror) = mirror {
            self.settings.mirror = Some(mirror.to_owned());
        }
        self
    }

    /// The repositories of which files were given, by this hub.
    pub fn given(&self) -> Vec<GivenRepository> {
        self.http.record.all()
    }

    /// Copies what was given of a repository to a directory that [`Settings::mirror`] can name. Returns how many bytes were written.
    ///
    /// # Errors
    ///
    /// The directory holds another commit of the repository, or cannot be written.
    pub fn copy_to_mirror(given: &GivenRepository, mirror: &Path) -> Result<u64> {
        mirror::copy(given, mirror)
    }

    /// Whether `uri` is for [`Hub::fetch`], rather than a path on this machine.
    pub fn is_address(uri: &str) -> bool {
        ["hf://", "https://", "http://"].iter().any(|scheme| uri.starts_with(scheme))
    }

    /// The local path of the file at an address, which is downloaded unless it is in the cache; of a folder with all its
    /// files, if the address is that of a folder or of a repository of the hub. `https` addresses may end in
    /// `#sha256=<digits>`. `hf://datasets/org/name?split=test` is a split of a dataset, as a file of JSON lines.
    ///
    /// `report` is called with the progress, and may stop the download; the next one continues from there.
    ///
    /// # Errors
    ///
    /// The address, file or repository does not exist or may not be read; it is not in the cache and there is no network; the
    /// checksum is wrong; the disk fails. No message contains the token, or the query of an address.
    pub fn fetch(&self, uri: &str, report: ProgressCallback<'_>) -> Result<PathBuf> {
        if dataset::is_split(uri) {
            return dataset::fetch(self, uri, report);
        }
        match address::parse(uri)? {
            Address::Hub(path) => match self.in_mirror(&path)? {
                Some(found) => Ok(found),
                None => repository::fetch(&self.http, &self.settings, &path, report),
            },
            Address::Web(url, sha256) => self.fetch_web(&url, sha256, report),
        }
    }

    /// The path of a repository of the hub, or of a folder of it, in which at least the files are that match one of
    /// `patterns`: `*.json`. A `*` is any text without a `/`; what matches a pattern after `!` is left out.
    ///
    /// # Errors
    ///
    /// As for [`Hub::fetch`], and where no file matches.
    pub fn fetch_repository(&self, uri: &str, patterns: &[String], report: ProgressCallback<'_>) -> Result<PathBuf> {
        match address::parse(uri)? {
            Address::Hub(path) => match self.in_mirror(&path)? {
                Some(found) => Ok(found),
                None => repository::fetch_matching(&self.http, &self.settings, &path, patterns, report),
            },
            Address::Web(..) => Err(PluginError::bad_options(format!("`{uri}` is no repository of the hub"))
                .with_help("write `hf://org/name` or `hf://datasets/org/name`")),
        }
    }

    /// What a mirror has at an address.
    fn in_mirror(&self, path: &HubPath) -> Result<Option<PathBuf>> {
        self.settings.mirror.as_deref().map_or(Ok(None), |mirror| mirror::find(mirror, path))
    }

    fn fetch_web(&self, url: &Url, sha256: Option<String>, report: ProgressCallback<'_>) -> Result<PathBuf> {
        let last = url.path().rsplit('/').next().unwrap_or_default();
        let name: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let name = if name.trim_matches('.').is_empty() { "file".to_owned() } else { name };
        let folder = self.settings.downloads.join(hex(&sha2::Sha256::digest(url.as_str())));
        let to = folder.join(&name);
        let checksum = sha256.map_or(Checksum::Unknown, Checksum::Sha256);
        let is_complete = || to.is_file() && verify(&to, &checksum, &name).is_ok();
        if is_complete() {
            return Ok(to);
        }
        if self.settings.offline {
            return Err(not_offline(&shown(url)));
        }
        let lock = cache::lock(&folder.join(".lock"), &|| report(&name, 0, None))?;
        let unique = if lock.is_some() { String::new() } else { format!(".{}", cache::unique()) };
        let part = folder.join(format!("{name}{unique}.incomplete"));
        if !is_complete() {
            let request = DownloadRequest { url, task: &name, size: None, checksum: &checksum, part: &part, to: &to };
            download(&self.http, &request, report, &|status, _| refused(url, status))?;
        }
        Ok(to)
    }
}

fn refused(url: &Url, status: StatusCode) -> PluginError {
    let address = shown(url);
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            PluginError::not_found(format!("there is no `{address}` ({status})")).with_help("check the address")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => PluginError::new(
            ErrorCode::Authentication,
            format!("`{address}` may only be read with permission ({status})"),
        )
        .with_help("download it yourself, and give its path instead"),
        _ => PluginError::new(ErrorCode::Network, format!("`{address}` answered {status}")),
    }
}
