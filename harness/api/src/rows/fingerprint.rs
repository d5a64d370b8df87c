//! Hashes that change whenever rows or the options that shape them do.

use crate::{PluginError, Result};
use std::path::Path;

/// The BLAKE3 hash of a file's content, in hexadecimal.
///
/// # Errors
/// The file cannot be opened or read.
pub fn fingerprint(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(super::open(path)?).map_err(|error| PluginError::io("read", path, &error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The BLAKE3 hash of some texts, in hexadecimal. Each goes in with its length, so that `["ab", "c"]` and `["a", "bc"]`
/// differ.
pub fn digest<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        let text = text.as_ref();
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "").unwrap();
        std::fs::write(&two, "x").unwrap();
        // The published hash of the empty input.
        assert!(fingerprint(&one).unwrap().starts_with("af1349b9f5f9a1a6"));
        assert_ne!(fingerprint(&one).unwrap(), fingerprint(&two).unwrap());
        assert!(fingerprint(&folder.path().join("none")).is_err());
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_eq!(digest(["ab", "c"]), digest(["ab".to_owned(), "c".to_owned()]));
    }
}
