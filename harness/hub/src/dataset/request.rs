//! Reads addresses of splits: `hf://datasets/org/name?config=main&split=test`.

use super::super::address::{HubPath, RepoKind, is_safe};
use super::formats::Format;
use examiner_api::{PluginError, Result};
use serde_json::Value;
use std::path::PathBuf;

/// What of a dataset is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// As it was given.
    pub(super) address: String,
    pub(super) of: Of,
    pub(super) config: Option<String>,
    pub(super) split: String,
    pub(super) data_dir: Option<String>,
    /// Null where none are given.
    pub(super) data_files: Value,
    pub(super) mirror: Option<PathBuf>,
    /// Whether the number of rows is not compared with what the repository says.
    pub(super) is_unchecked: bool,
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Of {
    /// In a repository: its address without a path.
    Repository(HubPath),
    /// Anywhere, of a format.
    Files(Format),
}

/// The request of an address; none where the address is not that of a split.
pub(super) fn parse(address: &str) -> Option<Result<Request>> {
    let (path, query) = address.strip_prefix("hf://datasets/")?.split_once('?')?;
    Some(read(address, path, query).map_err(|why| {
        PluginError::bad_options(format!("cannot read the address `{address}`: {why}")).with_help(
            "write `hf://datasets/org/name?config=main&split=test`; `revision`, `data_dir`, `data_files` and `mirror` may follow",
        )
    }))
}

fn read(address: &str, path: &str, query: &str) -> Result<Request, String> {
    let mut values: Vec<(&str, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no `=`"))?;
        if values.iter().any(|(known, _)| *known == key) {
            return Err(format!("`{key}` occurs twice"));
        }
        values.push((key, decoded(value)?));
    }
    let mut take = |key: &str| {
        let place = values.iter().position(|(known, _)| *known == key)?;
        Some(values.swap_remove(place).1).filter(|value| !value.is_empty())
    };
    let (config, split, revision) = (take("config"), take("split").unwrap_or_default(), take("revision"));
    let (data_dir, data_files, mirror) = (take("data_dir"), take("data_files"), take("mirror").map(PathBuf::from));
    let is_unchecked = take("unchecked").is_some_and(|value| value == "true");
    if let Some((key, _)) = values.iter().find(|(_, value)| !value.is_empty()) {
        return Err(format!("nothing is called `{key}`"));
    }
    let data_files = match data_files {
        None => Value::Null,
        Some(text) if text.starts_with(['[', '{']) && serde_json::from_str::<Value>(&text).is_ok() => {
            serde_json::from_str(&text).unwrap_or(Value::Null)
        }
        Some(text) => Value::String(text),
    };
    if let Some(dir) = &data_dir
        && !dir.split('/').all(is_safe)
    {
        return Err(format!("`data_dir`: `{dir}` is no directory of a repository"));
    }
    let of = match Format::of_name(path) {
        Some(_) if data_files.is_null() => {
            return Err(format!("`{path}` reads the files in `data_files`, of which there are none"));
        }
        Some(format) => Of::Files(format),
        None => Of::Repository(repository(path, revision)?),
    };
    Ok(Request { address: address.to_owned(), of, config, split, data_dir, data_files, mirror, is_unchecked })
}

/// `org/name` or `name`, with `@revision` behind it or a revision of its own.
fn repository(path: &str, revision: Option<String>) -> Result<HubPath, String> {
    let (repo, at) = match path.split_once('@') {
        Some((repo, at)) => (repo, Some(decoded(at)?)),
        None => (path, None),
    };
    if at.is_some() && revision.is_some() {
        return Err("the revision is given twice".to_owned());
    }
    let parts: Vec<&str> = repo.split('/').collect();
    let is_name = |part: &str| is_safe(part) && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
        return Err(format!("`{repo}` is not a name on the hub"));
    }
    let revision = at.or(revision).unwrap_or_else(|| "main".to_owned());
    if !revision.split('/').all(is_safe) {
        return Err(format!("`{revision}` is no revision"));
    }
    Ok(HubPath { kind: RepoKind::Dataset, repo: repo.to_owned(), revision, path: String::new() })
}

/// A value of a query as it was before it was encoded.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(|| format!("`{text}` has a `%` without two hexadecimal digits"))?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::rows::HubSplit;
    use serde_json::json;

    #[test]
    fn what_a_plugin_writes_is_read() {
        let split = HubSplit {
            path: "cais/mmlu".to_owned(),
            config: Some("a b&c=d%".to_owned()),
            split: "test".to_owned(),
            revision: Some("refs/convert/parquet".to_owned()),
            data_dir: Some("x/y".to_owned()),
            data_files: Some(json!({ "test": ["é*.csv"] })),
            mirror: Some("/mirror".to_owned()),
            unchecked: true,
        };
        let read = parse(&split.address()).unwrap().unwrap();
        let Of::Repository(path) = &read.of else { panic!("{read:?}") };
        assert_eq!((path.repo.as_str(), path.revision.as_str()), ("cais/mmlu", "refs/convert/parquet"));
        assert_eq!((read.config, read.split), (split.config, split.split));
        assert_eq!((read.data_dir, Some(read.data_files), read.is_unchecked), (split.data_dir, split.data_files, true));
        assert_eq!(read.mirror, Some(PathBuf::from("/mirror")));
    }

    #[test]
    fn what_is_no_split_is_no_request() {
        for other in ["hf://datasets/a/b", "hf://a/b?split=x", "https://a/b?split=x", "data/x"] {
            assert!(parse(other).is_none(), "{other}");
        }
        assert!(parse("hf://datasets/xnli?split=test").unwrap().is_ok());
        for bad in [
            "a/b/c?split=x",
            "a/../b?split=x",
            "a/b?split",
            "a/b?split=x&split=y",
            "a/b?colour=red",
            "a/b@main?revision=x",
            "json?split=x",
            "a/b?split=%4",
            "a/b?revision=../x",
            "a/b?data_dir=../x",
        ] {
            let error = parse(&format!("hf://datasets/{bad}")).unwrap().unwrap_err();
            assert!(error.message.contains(bad), "{error}");
        }
    }
}
