//! The product of a stage: a file or a directory, and what was in it when the stage ended.
//!
//! A path within a run's directory is relative to it, so that a run can be moved and copied. A product is looked at again before
//! it is used: a file of the same size and time is taken as it was, any other is hashed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The files of a product by their path below it; that of a product which is a file itself is empty.
pub type ProductFiles = BTreeMap<String, FileState>;

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileState {
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written, in UTC.
    pub modified: String,
    /// Its BLAKE3 hash.
    pub hash: String,
}

/// Why a product cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It, or a file of it, is not there.
    Missing(PathBuf),
    /// A file of it has another content.
    Changed(PathBuf),
}

/// A product's path as `run.json` has it: relative to the run if it is in its directory, else absolute.
pub fn stored(run: &Path, product: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (run, product) = (absolute(run), absolute(product));
    product.strip_prefix(&run).unwrap_or(&product).display().to_string()
}

/// The files of a product as they are now.
///
/// # Errors
/// One of them cannot be read.
pub fn files(product: &Path) -> io::Result<ProductFiles> {
    let mut files = ProductFiles::new();
    let mut paths = vec![PathBuf::new()];
    while let Some(part) = paths.pop() {
        // Joined with an empty path, that of a file would end in a separator.
        let path = if part.as_os_str().is_empty() { product.to_owned() } else { product.join(&part) };
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                paths.push(part.join(entry?.file_name()));
            }
        } else {
            files.insert(part.display().to_string(), state(&path, None)?);
        }
    }
    Ok(files)
}

/// Compares a product with what it was, and returns its files as they are now: the same, but for their times.
///
/// # Errors
/// The first file that is not there or has another content. One that cannot be read counts as changed.
pub fn check(product: &Path, before: &ProductFiles) -> Result<ProductFiles, Damage> {
    if !product.exists() {
        return Err(Damage::Missing(product.to_owned()));
    }
    let mut now = ProductFiles::new();
    for (part, before) in before {
        let path = if part.is_empty() { product.to_owned() } else { product.join(part) };
        if !path.is_file() {
            return Err(Damage::Missing(path));
        }
        match state(&path, Some(before)) {
            Ok(state) if state.hash == before.hash => drop(now.insert(part.clone(), state)),
            _ => return Err(Damage::Changed(path)),
        }
    }
    Ok(now)
}

/// A file as it is. Its hash is taken from `before` if size and time are the same.
fn state(path: &Path, before: Option<&FileState>) -> io::Result<FileState> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let modified = jiff::Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?.to_string();
    let bytes = metadata.len();
    let hash = match before.filter(|before| before.bytes == bytes && before.modified == modified) {
        Some(before) => before.hash.clone(),
        None => blake3::Hasher::new().update_reader(file)?.finalize().to_hex()[..32].to_owned(),
    };
    Ok(FileState { bytes, modified, hash })
}

/// Renames what is at `path` to the first free name with `.earlier`, `.earlier-2` and so on behind it, and returns that; none if
/// nothing is there.
///
/// # Errors
/// It cannot be renamed.
pub fn set_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names = std::iter::once(format!("{name}.earlier")).chain((2..).map(|at| format!("{name}.earlier-{at}")));
    for free in names.map(|name| path.with_file_name(name)) {
        if free.symlink_metadata().is_err() {
            std::fs::rename(path, &free)?;
            return Ok(Some(free));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_run_is_relative_to_it() {
        assert_eq!(stored(Path::new("/runs/a"), Path::new("/runs/a/train/one")), "train/one");
        assert_eq!(stored(Path::new("/runs/a"), Path::new("/data/rows.jsonl")), "/data/rows.jsonl");
        assert_eq!(stored(Path::new("/runs/a"), Path::new("/runs/ab")), "/runs/ab");
    }

    #[test]
    fn every_change_of_a_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let product = folder.path().join("checkpoint");
        std::fs::create_dir_all(product.join("parts")).unwrap();
        let (weights, part) = (product.join("weights"), product.join("parts/0"));
        std::fs::write(&weights, "weights").unwrap();
        std::fs::write(&part, "part").unwrap();
        let before = files(&product).unwrap();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["parts/0", "weights"]);
        assert_eq!(check(&product, &before).unwrap(), before);

        std::fs::write(&part, "trap").unwrap();
        assert_eq!(check(&product, &before), Err(Damage::Changed(part.clone())));
        // The same content with another time, as a copy has it.
        std::fs::write(&part, "part").unwrap();
        let copied = check(&product, &before).unwrap();
        assert_ne!(copied, before);
        assert_eq!(copied["parts/0"].hash, before["parts/0"].hash);
        std::fs::write(product.join("more"), "").unwrap();
        assert_eq!(check(&product, &before).unwrap(), copied, "what is new harms nothing");
        std::fs::remove_file(&weights).unwrap();
        assert_eq!(check(&product, &before), Err(Damage::Missing(weights)));
        std::fs::remove_dir_all(&product).unwrap();
        assert_eq!(check(&product, &before), Err(Damage::Missing(product)));
    }

    #[test]
    fn a_product_may_be_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let product = folder.path().join("rows.jsonl");
        std::fs::write(&product, "{}\n").unwrap();
        let before = files(&product).unwrap();
        assert_eq!((before.len(), check(&product, &before).unwrap()), (1, before.clone()));
        std::fs::write(&product, "").unwrap();
        assert_eq!(check(&product, &before), Err(Damage::Changed(product)));
    }

    #[test]
    fn what_is_set_aside_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert_eq!(set_aside(&path).unwrap(), None);
        for name in ["checkpoint.earlier", "checkpoint.earlier-2"] {
            std::fs::create_dir(&path).unwrap();
            assert_eq!(set_aside(&path).unwrap(), Some(folder.path().join(name)));
            assert!(!path.exists());
        }
    }
}
