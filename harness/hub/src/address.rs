//! Parses addresses: `hf://org/name/file`, `hf://datasets/org/name/file`, `https://host/file#sha256=...`.

use examiner_api::{PluginError, Result};
use reqwest::Url;

/// What to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Hub(HubPath),
    /// A file, and its SHA-256 if the address contains one.
    Web(Url, Option<String>),
}

/// A file, folder or whole repository on the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubPath {
    pub(super) kind: RepoKind,
    /// `org/name`.
    pub(super) repo: String,
    /// A branch, tag or commit.
    pub(super) revision: String,
    /// With `/` between its parts; empty for the whole repository.
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepoKind {
    Model,
    Dataset,
}

impl RepoKind {
    /// The form in names of cache folders and in the paths of the hub's interface.
    pub(super) fn plural(self) -> &'static str {
        match self {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        }
    }
}

impl std::fmt::Display for HubPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.kind == RepoKind::Dataset { "datasets/" } else { "" };
        write!(f, "hf://{kind}{}", self.repo)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision.replace('/', "%2F"))?;
        }
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        Ok(())
    }
}

/// Parses an address. Whether `http` is allowed depends on the host, and is checked by the client.
pub(super) fn parse(address: &str) -> Result<Address> {
    if let Some(rest) = address.strip_prefix("hf://") {
        return hub_path(rest).map(Address::Hub).map_err(|why| {
            PluginError::bad_options(format!("cannot read the address `{address}`: {why}"))
                .with_help("write `hf://org/name`, `hf://org/name/file` or `hf://datasets/org/name/file`, with `@revision` after the name if need be")
        });
    }
    let mut url = Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        .ok_or_else(|| {
            PluginError::bad_options(format!("cannot read the address `{}`", without_query(address)))
                .with_help("write `hf://org/name/file` or `https://host/file`")
        })?;
    let sha256 = match url.fragment().map(|fragment| fragment.strip_prefix("sha256=").unwrap_or("").to_lowercase()) {
        None => None,
        Some(digits) if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some(digits),
        Some(_) => {
            return Err(PluginError::bad_options(format!("cannot read what follows `#` in `{}`", shown(&url)))
                .with_help("write `#sha256=` and 64 hexadecimal digits, or nothing"));
        }
    };
    url.set_fragment(None);
    Ok(Address::Web(url, sha256))
}

/// An address without the parts that may be secret: user, password and query.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

fn hub_path(rest: &str) -> Result<HubPath, String> {
    let (kind, rest) = match rest.strip_prefix("datasets/") {
        Some(rest) => (RepoKind::Dataset, rest),
        None => (RepoKind::Model, rest),
    };
    let mut parts = rest.trim_end_matches('/').split('/');
    let (Some(org), Some(name)) = (parts.next(), parts.next()) else {
        return Err("expected an organisation and a name".to_owned());
    };
    let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
    let revision = revision.replace("%2F", "/").replace("%2f", "/");
    let path: Vec<&str> = parts.collect();
    for part in [org, name] {
        if !is_safe(part) || !part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
            return Err(format!("`{part}` is not a name on the hub"));
        }
    }
    if let Some(bad) = revision.split('/').chain(path.iter().copied()).find(|part| !is_safe(part)) {
        return Err(format!("`{bad}` cannot be part of a path"));
    }
    Ok(HubPath { kind, repo: format!("{org}/{name}"), revision, path: path.join("/") })
}

/// Whether a part of a path cannot lead out of its folder.
pub(super) fn is_safe(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', '\0', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(address: &str) -> HubPath {
        match parse(address) {
            Ok(Address::Hub(path)) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hub_addresses_are_parsed_and_printed() {
        let path = hub("hf://openai-community/gpt2");
        assert_eq!(
            (path.repo.as_str(), path.revision.as_str(), path.path.as_str()),
            ("openai-community/gpt2", "main", "")
        );
        let path = hub("hf://datasets/openai/gsm8k@refs%2Fpr%2F1/main/test.parquet");
        assert_eq!(
            (path.kind, path.revision.as_str(), path.path.as_str()),
            (RepoKind::Dataset, "refs/pr/1", "main/test.parquet")
        );
        assert_eq!(path.to_string(), "hf://datasets/openai/gsm8k@refs%2Fpr%2F1/main/test.parquet");
    }

    #[test]
    fn addresses_cannot_leave_their_folder() {
        for bad in
            ["hf://gpt2", "hf://a/../b", "hf://a/b/../../c", "hf://a/b@../c", "hf://a/b//c", "hf://a/b/c\\d", "hf:///x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_may_contain_a_checksum() {
        let digits = "AB".repeat(32);
        match parse(&format!("https://host/f?x=1#sha256={digits}")).unwrap() {
            Address::Web(url, sha256) => {
                assert_eq!((url.as_str(), sha256), ("https://host/f?x=1", Some(digits.to_lowercase())));
            }
            other => panic!("{other:?}"),
        }
        assert!(parse("https://host/f#sha256=12").is_err());
        assert!(parse("ftp://host/f").is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown(&Url::parse("https://me:pw@host:1/f?token=t").unwrap()), "https://host:1/f");
    }
}
