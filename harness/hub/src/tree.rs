//! The list of a repository's files, page by page.

use super::address::{HubPath, is_safe, shown};
use super::download::ProgressCallback;
use super::http::{Failure, Follow, Http, HttpAnswer};
use super::repository::refused;
use super::watched::watched;
use examiner_api::{ErrorCode, PluginError, Result};
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

/// Pages that are asked for at most; each has a thousand files.
const PAGES: usize = 10_000;

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

/// All files of a repository at a commit, in order.
pub(super) fn files(http: &Http, path: &HubPath, report: ProgressCallback<'_>) -> Result<Vec<String>> {
    let parts = ["api", path.kind.plural()].into_iter().chain(path.repo.split('/'));
    let mut url = http.on_hub(parts.chain(["tree", path.revision.as_str()]));
    url.set_query(Some("recursive=true&expand=false"));
    let mut files = Vec::new();
    for _ in 0..PAGES {
        let (text, next) = page(http, path, &url, report)?;
        let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|error| {
            PluginError::new(ErrorCode::Network, format!("cannot read what `{}` answered", shown(&url)))
                .with_cause(&error)
        })?;
        for entry in entries.into_iter().filter(|entry| entry.kind == "file") {
            if !entry.path.split('/').all(is_safe) {
                let message = format!("`{}` names files outside of it", shown(&url));
                return Err(PluginError::new(ErrorCode::Network, message));
            }
            files.push(entry.path);
        }
        match next {
            Some(next) => url = next,
            None => {
                files.sort();
                files.dedup();
                return Ok(files);
            }
        }
    }
    Err(PluginError::new(ErrorCode::Network, format!("the list of files of `{}` has no end", path.repo)))
}

/// One page, and the address of the next.
fn page(http: &Http, path: &HubPath, url: &Url, report: ProgressCallback<'_>) -> Result<(String, Option<Url>)> {
    http.with_retries(None, &|| report(&path.repo, 0, None), |_| {
        let go_on = || report(&path.repo, 0, None);
        let HttpAnswer { response, .. } =
            http.send(&Method::GET, url, &HeaderMap::new(), Follow::SameServer, &go_on)?;
        if !response.status().is_success() {
            let whole = HubPath { path: String::new(), ..path.clone() };
            return Err(refused(&whole, response.status(), response.headers()).into());
        }
        let next = response.headers().get(LINK).and_then(|link| next(link.to_str().ok()?, url));
        let text = watched(&go_on, move || response.text())?.map_err(|error| {
            let message = format!("the list of files of `{}` broke off", path.repo);
            let error = PluginError::new(ErrorCode::Network, message).with_cause(&error.without_url());
            Failure::Transient(error, None)
        })?;
        Ok((text, next))
    })
}

/// The next page by a `Link` header, on the same server alone.
fn next(link: &str, url: &Url) -> Option<Url> {
    let entry = link
        .split(',')
        .find(|entry| entry.split(';').skip(1).any(|part| matches!(part.trim(), "rel=\"next\"" | "rel=next")))?;
    let target = entry.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
    let next = url.join(target).ok()?;
    // Behind a proxy the hub may name itself otherwise.
    if next.origin() == url.origin() {
        return Some(next);
    }
    let mut here = url.clone();
    here.set_query(next.query());
    (next.path() == url.path()).then_some(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_server() {
        let url = Url::parse("https://hub/api/datasets/a/b/tree/c?recursive=true").unwrap();
        let of = |link: &str| next(link, &url).map(String::from);
        assert_eq!(
            of("<https://hub/api/datasets/a/b/tree/c?cursor=x>; rel=\"next\"").as_deref(),
            Some("https://hub/api/datasets/a/b/tree/c?cursor=x")
        );
        assert_eq!(of("</x?1>; rel=\"prev\", </y?2>; rel=\"next\"").as_deref(), Some("https://hub/y?2"));
        assert_eq!(
            of("<https://other/api/datasets/a/b/tree/c?cursor=x>; rel=\"next\"").as_deref(),
            Some("https://hub/api/datasets/a/b/tree/c?cursor=x")
        );
        assert_eq!((of("<https://other/y>; rel=\"next\""), of("</x>; rel=\"prev\""), of("")), (None, None, None));
    }
}
