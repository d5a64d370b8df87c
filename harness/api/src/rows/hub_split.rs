//! A split of a dataset on the Hugging Face hub, as one table of rows.

use crate::{PluginError, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A split of a dataset on the hub, named as for `datasets.load_dataset`.
///
/// [`crate::Host::fetch`] of its [`address`](HubSplit::address) gives a file of JSON lines with the rows that the library of that name
/// gives, in the same order and with the same values: [`super::read`] reads it, [`super::fingerprint`] identifies it by its content, and
/// [`SplitInfo::beside`] says what stands in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HubSplit {
    /// `org/name`, or `name` for the few that have no organisation. `json`, `csv`, `parquet` and `text` read the files in `data_files`,
    /// which are then addresses or local paths.
    pub path: String,
    /// The configuration (`name` in Python); none for the default one.
    pub config: Option<String>,
    /// `train`, `validation`, `test` or another name that the repository has.
    pub split: String,
    /// A branch, tag or commit; none for `main`.
    pub revision: Option<String>,
    /// The directory of the repository that the files are looked for in.
    pub data_dir: Option<String>,
    /// The files to use instead of those that the repository names: a text, a list, or an object with a text or a list for each split.
    pub data_files: Option<Value>,
    /// A directory with `ORG/NAME/README.md` and the data of each repository, which is read instead of the hub.
    pub mirror: Option<String>,
    /// Whether the number of rows is left unchecked against what the repository's README says (`verification_mode: no_checks`).
    pub unchecked: bool,
}

impl HubSplit {
    /// The address for [`crate::Host::fetch`].
    pub fn address(&self) -> String {
        let mut address = format!("hf://datasets/{}?split={}", self.path, encoded(&self.split));
        let data_files = self.data_files.as_ref().map(|files| match files {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let values = [
            ("config", self.config.clone()),
            ("revision", self.revision.clone()),
            ("data_dir", self.data_dir.clone()),
            ("data_files", data_files),
            ("mirror", self.mirror.clone()),
            ("unchecked", self.unchecked.then(|| "true".to_owned())),
        ];
        for (key, value) in values {
            if let Some(value) = value {
                // Writing into a text cannot fail.
                let _ = write!(address, "&{key}={}", encoded(&value));
            }
        }
        address
    }
}

/// A value of a query: what is not a letter, a digit or one of `-._~/` becomes `%` and two digits a byte.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            // Writing into a text cannot fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

/// What is known of the rows of a split: it lies beside their file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitInfo {
    /// `org/name`.
    pub repository: String,
    /// The commit of the repository; none for a mirror.
    pub commit: Option<String>,
    /// The configuration.
    pub config: String,
    /// The split.
    pub split: String,
    /// How many rows there are.
    pub rows: u64,
    /// The columns in their order, in the form that `Features.to_dict()` of the library `datasets` has: `{"_type": "Value", "dtype":
    /// "string"}`, `{"_type": "ClassLabel", "names": [...]}`, `{"_type": "List", "feature": ...}`, and an object of columns for a struct.
    pub features: serde_json::Map<String, Value>,
    /// The columns that the rows lack because their values have no form in JSON (dates, bytes, pictures, NaN) or none that is sure to be
    /// what the library gives, each with the reason. Whoever needs one has to refuse it.
    pub left_out: BTreeMap<String, String>,
    /// The files of the repository that the rows come from.
    pub files: Vec<String>,
}

impl SplitInfo {
    /// What is known of the file of rows at `rows`; none where it is not the file of a split.
    ///
    /// # Errors
    /// What lies beside the file cannot be read.
    pub fn beside(rows: &Path) -> Result<Option<Self>> {
        let path = SplitInfo::path(rows);
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(|error| PluginError::io("read", &path, &error))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            PluginError::bad_input(format!("`{}` does not describe a split of a dataset", path.display()))
                .with_cause(&error)
                .with_help("remove the file of that name that ends in `.jsonl`, too: both are made again")
        })
    }

    /// Where it lies, for the rows at `rows`.
    pub fn path(rows: &Path) -> PathBuf {
        rows.with_extension("split.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_names_what_was_asked_for() {
        let split = HubSplit { path: "cais/mmlu".to_owned(), split: "test".to_owned(), ..HubSplit::default() };
        assert_eq!(split.address(), "hf://datasets/cais/mmlu?split=test");
        let split = HubSplit {
            config: Some("a b&c".to_owned()),
            revision: Some("refs/pr/1".to_owned()),
            data_files: Some(json!({"test": "é*.csv"})),
            unchecked: true,
            ..split
        };
        assert_eq!(
            split.address(),
            "hf://datasets/cais/mmlu?split=test&config=a%20b%26c&revision=refs/pr/1\
             &data_files=%7B%22test%22%3A%22%C3%A9%2A.csv%22%7D&unchecked=true"
        );
    }

    #[test]
    fn a_file_of_another_kind_has_no_description() {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("test.jsonl");
        assert_eq!(SplitInfo::beside(&rows).unwrap(), None);
        let info = SplitInfo { repository: "a/b".to_owned(), rows: 3, ..SplitInfo::default() };
        std::fs::write(SplitInfo::path(&rows), serde_json::to_vec(&info).unwrap()).unwrap();
        assert_eq!(SplitInfo::beside(&rows).unwrap(), Some(info));
        std::fs::write(SplitInfo::path(&rows), "{").unwrap();
        assert!(SplitInfo::beside(&rows).is_err());
    }
}
